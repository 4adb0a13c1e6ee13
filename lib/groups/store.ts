/**
 * The shell around the machines: reads a group's state and its members' items, lets time do to it what it does, asks for a
 * decision, writes stamps, then the state, by compare-and-set; and again from the start where somebody else was faster.
 *
 * A crash before the state is written leaves stamps, which harm nobody (`offsets/stamp.ts`); one after it leaves a state that
 * nobody was told of: the caller asks again and is answered from it. So every decision can be made twice.
 */
import { BrokerlessError } from "../base/errors.ts";
import { fromStorage, isRefusal } from "../log/storage-errors.ts";
import { StorageError } from "../ports/index.ts";
import { tick as tickClassic } from "./classic/machine.ts";
import { GroupConfigs } from "./config-store.ts";
import { tick as tickConsumer } from "./consumer/machine.ts";
import { groupPk } from "./items/group.ts";
import { type Heard, heardOf, MEMBER_RANGE, memberKey, putMember, touchMember } from "./items/member.ts";
import { decodeState, type GroupState, isStill, putState, stateKey, type Versioned } from "./items/state.ts";
import { firstEpoch, makeGroup } from "./new-group.ts";
import { type Stamp, stampPartitions } from "./offsets/stamp.ts";
import type { GroupParts } from "./parts.ts";
import { tick as tickShare } from "./share/membership.ts";

const GIVE_UP_MS = 20_000;
/** About so many members look at the whole group for each round of heartbeats. */
const LOOKS_EACH_ROUND = 4;

type StoreParts = Omit<GroupParts, "log">;

export interface Decision<T> {
  /** To be stored; undefined: the state stays as it is. */
  readonly state?: GroupState | undefined;
  /** Written before the state. */
  readonly stamps?: readonly Stamp[];
  readonly result: T;
}

/** What a group is by now. `heard`: also of those that have been given an id and have not joined. */
export interface Seen {
  readonly state: GroupState | undefined;
  readonly heard: Heard;
  readonly nowMs: number;
  /** Undefined: there is no group. */
  readonly born: number | undefined;
  /** With a group that is not there: the epoch that it begins above. */
  readonly firstEpoch: number;
}

export class GroupStore {
  readonly #parts: StoreParts;
  readonly configs: GroupConfigs;
  /** Changes of one group by this process go one after the other, so that they do not refuse each other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.configs = new GroupConfigs(parts);
  }

  /** The state as it is by now, changed by time where it is due; undefined where there is no group. */
  settle(group: string): Promise<GroupState | undefined> {
    return this.change(group, ({ state }) => ({ result: state }));
  }

  /** Throws what the decision throws, and `group_busy` when others change the group again and again. */
  change<T>(group: string, decide: (seen: Seen) => Decision<T>): Promise<T> {
    const before = this.#turns.get(group) ?? Promise.resolve();
    const mine = before.then(() => this.#change(group, decide));
    const settled = mine.catch(() => undefined);
    this.#turns.set(group, settled);
    void settled.then(() => {
      if (this.#turns.get(group) === settled) this.#turns.delete(group);
    });
    return mine;
  }

  async #change<T>(group: string, decide: (seen: Seen) => Decision<T>): Promise<T> {
    const { clock, ids, doorbell } = this.#parts;
    const untilMs = clock.monotonicMs() + GIVE_UP_MS;
    try {
      for (let pauseMs = 4; ; pauseMs = Math.min(pauseMs * 2, 500)) {
        const { before, seen } = await this.#look(group);
        const { state, stamps = [], result } = decide(seen);
        const after = state ?? seen.state;
        if (after === undefined || after === before?.state) return result;
        const stamped = stamps.length === 0 || (await stampPartitions(this.#parts, group, stamps, isStill(group, before)));
        if (stamped && (await this.#put(group, after, before))) {
          this.#parts.mirror?.changed(group, before?.state, after);
          doorbell.ring(bell(group));
          return result;
        }
        if (clock.monotonicMs() >= untilMs) throw new BrokerlessError("group_busy", `group "${group}" changes all the time`);
        await clock.sleep(Math.ceil(pauseMs * ids.random()));
      }
    } catch (error) {
      throw fromStorage(error, `group "${group}"`);
    }
  }

  async #look(group: string): Promise<{ before: Versioned | undefined; seen: Seen }> {
    const { storage, clock } = this.#parts;
    const [item, members] = await Promise.all([
      storage.table.get(stateKey(group)),
      storage.table.range(groupPk(group), MEMBER_RANGE),
    ]);
    const before = decodeState(item);
    const heard = heardOf(members);
    const nowMs = clock.nowMs();
    const state = before && (await this.#tick(group, before.state, heard, nowMs));
    return {
      before,
      seen: {
        state,
        heard,
        nowMs,
        born: before?.born,
        firstEpoch: before === undefined ? await firstEpoch(this.#parts, group) : 0,
      },
    };
  }

  /** False: somebody else was faster, or it is not known: look again. */
  async #put(group: string, state: GroupState, before: Versioned | undefined): Promise<boolean> {
    const { table } = this.#parts.storage;
    try {
      if (before === undefined) return await makeGroup(this.#parts, group, state);
      await table.write(putState(group, state, before));
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      if (error instanceof StorageError && (error.kind === "contended" || error.kind === "unknown")) return false;
      if (error instanceof StorageError && error.kind === "too_large") {
        const count = Object.keys(state.members).length;
        throw new BrokerlessError(
          "group_max_size_reached",
          `the state of group "${group}" with ${count} members is too large for the storage`,
        );
      }
      throw error;
    }
  }

  /** A member is there: its item says so. */
  async heard(group: string, memberId: string): Promise<void> {
    const { storage, clock } = this.#parts;
    await storage.table.write(putMember(group, memberId, clock.nowMs()));
  }

  async forget(group: string, memberIds: readonly string[]): Promise<void> {
    await Promise.all(memberIds.map((id) => this.#parts.storage.table.write({ op: "delete", key: memberKey(group, id) })));
  }

  /**
   * The state for a heartbeat, and the heartbeat written: one trip. Some of the members look for those that are silent; what
   * they find is stored.
   */
  async beat(group: string, memberId: string): Promise<GroupState | undefined> {
    const { storage, clock, ids } = this.#parts;
    const { table } = storage;
    try {
      const nowMs = clock.nowMs();
      const [item, known] = await Promise.all([
        table.get(stateKey(group)),
        memberId === "" ? false : table.write(touchMember(group, memberId, nowMs)).then(() => true, refused),
      ]);
      const state = decodeState(item)?.state;
      if (state === undefined) return undefined;
      if (!known && state.members[memberId] !== undefined) await this.heard(group, memberId);
      if (ids.random() * Object.keys(state.members).length >= LOOKS_EACH_ROUND) return state;
      const heard = heardOf(await table.range(groupPk(group), MEMBER_RANGE));
      return (await this.#tick(group, state, heard, clock.nowMs())) === state ? state : await this.settle(group);
    } catch (error) {
      throw fromStorage(error, `group "${group}"`);
    }
  }

  async #tick(group: string, state: GroupState, heard: Heard, nowMs: number): Promise<GroupState> {
    if (state.type === "classic") return tickClassic(state, heard, nowMs);
    if (state.type === "share") return tickShare(state, heard, nowMs, (await this.configs.share(group)).sessionMs);
    const { sessionMs } = await this.configs.consumer(group);
    return tickConsumer(state, heard, nowMs, sessionMs);
  }

  /** Until the group changes, or for some time. */
  async wait(group: string, deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#parts.doorbell.wait([bell(group)], deadlineMs, signal);
  }
}

function bell(group: string): string {
  return `G#${group}`;
}

function refused(error: unknown): false {
  if (isRefusal(error)) return false;
  throw error;
}
