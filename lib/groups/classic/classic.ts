/** The classic protocol over a store: waits that end in time, and what is written around the machine's decisions. */
import { BrokerlessError } from "../../base/errors.ts";
import { storageStep } from "../../log/storage-errors.ts";
import { checkGroupName } from "../items/group.ts";
import type { ClassicState, GroupState } from "../items/state.ts";
import { emptyGroup } from "../new-group.ts";
import { unknownMember } from "../offsets/plan-commit.ts";
import type { Stamp } from "../offsets/stamp.ts";
import { idsByName } from "../offsets/topics.ts";
import type { GroupParts } from "../parts.ts";
import type { GroupStore } from "../store.ts";
import type { ClassicApi, JoinAnswer, JoinRequest, Leaving, MemberRef, SyncAnswer, SyncRequest } from "../types.ts";
import { assignedPartitions } from "./consumer-protocol.ts";
import { answerFor, checkJoin, join } from "./join.ts";
import { heartbeat, leave, rebalancing, sync } from "./sync.ts";

/** API Gateway ends a request after 30 s. */
const LONGEST_WAIT_MS = 25_000;
/** Who waits looks again after so long, for those that are silent and for deadlines. */
const LOOK_AGAIN_MS = 1_000;

const NO_IDS: ReadonlyMap<string, string> = new Map();

export interface ClassicSettings {
  /** `group.initial.rebalance.delay.ms` */
  readonly initialDelayMs: number;
  /** `group.max.size` */
  readonly maxSize: number;
}

export class ClassicGroups implements ClassicApi {
  readonly #parts: GroupParts;
  readonly #store: GroupStore;
  readonly #settings: ClassicSettings;

  constructor(parts: GroupParts, store: GroupStore, settings: ClassicSettings) {
    this.#parts = parts;
    this.#store = store;
    this.#settings = settings;
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    const { group, client } = request;
    checkGroupName(group);
    checkJoin(request);
    const newId = `${request.instanceId ?? client.clientId}-${this.#parts.ids.uuid()}`;
    const fresh = request.memberId === "";
    if (fresh && request.instanceId === undefined && request.requireMemberId) {
      await storageStep(`group "${group}"`, () => this.#store.heard(group, newId));
      throw new BrokerlessError("member_id_required", `join group "${group}" again with the member id "${newId}"`, {
        details: { memberId: newId },
      });
    }
    if (fresh) await storageStep(`group "${group}"`, () => this.#store.heard(group, newId));
    return this.#waitForGeneration(request, newId);
  }

  async #waitForGeneration(request: JoinRequest, newId: string): Promise<JoinAnswer> {
    const { clock } = this.#parts;
    const untilMs = clock.monotonicMs() + Math.min(LONGEST_WAIT_MS, request.maxWaitMs ?? LONGEST_WAIT_MS);
    // Where the request has joined: its id, and the generation that it waits to see the end of.
    let joined: { readonly memberId: string; readonly epoch: number } | undefined;
    for (;;) {
      const step = await this.#store.change(request.group, ({ state: found, heard, nowMs, firstEpoch }) => {
        const state = classicOr(found, request.group, firstEpoch, nowMs);
        const begun = joined !== undefined && state.epoch > joined.epoch && state.phase !== "PreparingRebalance";
        if (joined !== undefined && begun && state.members[joined.memberId] !== undefined) {
          return { result: { kind: "answer" as const, answer: answerFor(state, joined.memberId), state: undefined } };
        }
        const asked = joined === undefined ? request : { ...request, memberId: joined.memberId };
        const one = join(state, asked, newId, heard.has(asked.memberId), this.#settings, nowMs);
        // A wait that is over at once: this member was the last to join.
        const after = one.state ?? state;
        if (one.kind === "wait" && after.phase !== "PreparingRebalance" && after.members[one.memberId] !== undefined) {
          return {
            state: one.state,
            result: { kind: "answer" as const, answer: answerFor(after, one.memberId), state: undefined },
          };
        }
        return {
          state: one.state,
          result: one.kind === "wait" ? { ...one, epoch: after.epoch, wakeMs: wakeMs(after, nowMs) } : one,
        };
      });
      if (step.kind === "answer") return step.answer;
      joined ??= { memberId: step.memberId, epoch: step.epoch };
      const nowMs = clock.monotonicMs();
      if (nowMs >= untilMs || request.signal?.aborted === true) {
        throw new BrokerlessError("group_busy", `group "${request.group}" is still rebalancing; join again to go on waiting`);
      }
      await this.#store.wait(request.group, Math.min(untilMs, nowMs + step.wakeMs), request.signal);
    }
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    const { group, member, signal } = request;
    checkGroupName(group);
    const { clock } = this.#parts;
    const ids = await this.#topicIds(request);
    const untilMs = clock.monotonicMs() + Math.min(LONGEST_WAIT_MS, request.maxWaitMs ?? LONGEST_WAIT_MS);
    for (;;) {
      const step = await this.#store.change(group, ({ state, nowMs }) => {
        if (state?.type !== "classic") throw unknownMember(group, member.memberId);
        const one = sync(state, request, nowMs);
        if (one.kind !== "store") return { result: one };
        const answer = sync(one.state, request, nowMs);
        return { state: one.state, stamps: stampsOf(one.state, ids), result: answer };
      });
      if (step.kind === "answer") {
        await storageStep(`group "${group}"`, () => this.#store.heard(group, member.memberId));
        return step.answer;
      }
      const nowMs = clock.monotonicMs();
      if (nowMs >= untilMs || signal?.aborted === true) throw rebalancing(group);
      await this.#store.wait(group, Math.min(untilMs, nowMs + LOOK_AGAIN_MS), signal);
    }
  }

  /** Of the topics that a leader gives away, as they are now: a stamp in one that is gone guards nothing. */
  async #topicIds({ group, assignments }: SyncRequest): Promise<ReadonlyMap<string, string>> {
    const names = new Set(
      assignments.flatMap(({ assignment }) => (assignedPartitions(assignment) ?? []).map(({ topic }) => topic)),
    );
    if (names.size === 0) return NO_IDS;
    return storageStep(`group "${group}"`, () => idsByName(this.#parts, [...names]));
  }

  async heartbeat(group: string, member: MemberRef): Promise<void> {
    checkGroupName(group);
    const state = await this.#store.beat(group, member.memberId);
    if (state?.type !== "classic") throw unknownMember(group, member.memberId);
    heartbeat(state, group, member);
  }

  async leave(group: string, members: readonly Leaving[]): Promise<(Leaving & { readonly error?: BrokerlessError })[]> {
    checkGroupName(group);
    const { ids, errors } = await this.#store.change(group, ({ state, nowMs }) => {
      if (state?.type !== "classic") throw unknownMember(group, members[0]?.memberId ?? "");
      const left = leave(state, group, members, nowMs);
      return { state: left.state, result: left };
    });
    await storageStep(`group "${group}"`, () => this.#store.forget(group, ids));
    return members.map((one, i) => {
      const error = errors[i];
      return error === undefined ? one : { ...one, error };
    });
  }
}

/** A group that a classic member may join: a server-driven one only while it is empty. */
function classicOr(state: GroupState | undefined, group: string, firstEpoch: number, nowMs: number): ClassicState {
  if (state === undefined) return emptyGroup(firstEpoch, nowMs);
  if (state.type === "classic") return state;
  if (Object.keys(state.members).length > 0) {
    throw new BrokerlessError(
      "inconsistent_group_protocol",
      `the members of group "${group}" use the protocol of ${state.type} groups`,
    );
  }
  return emptyGroup(state.epoch, nowMs);
}

/** Only what is assigned to consumers is known by its partitions. */
function stampsOf(state: ClassicState, ids: ReadonlyMap<string, string>): Stamp[] {
  if (state.protocolType !== "consumer") return [];
  return Object.values(state.members).flatMap(({ assignment }) =>
    (assignedPartitions(assignment) ?? []).flatMap(({ topic, partitions }) => {
      const topicId = ids.get(topic);
      return topicId === undefined ? [] : partitions.map((partition) => ({ topicId, partition, epoch: state.epoch }));
    }),
  );
}

/** How long a wait for this state may sleep. */
function wakeMs(state: ClassicState, nowMs: number): number {
  const next = [state.notBeforeMs, state.deadlineMs].filter((ms) => ms > nowMs).map((ms) => ms - nowMs);
  return Math.min(LOOK_AGAIN_MS, ...next);
}
