/**
 * Commits: state, blocks and the proofs that the topics are there (N1 of `topics.ts`) are read together, the pure rules say what
 * may be written, and one update for each block writes it on the conditions of `items/offsets.ts`. Two trips.
 *
 * C1  A commit that was answered is durable, and a later one that was answered is never undone by it.
 * C2  An update whose answer was lost is looked for: a guard at or above its own says that it was applied before the commit
 *     that is there now, or is the one that is there, or may count as overtaken by it. A guard below says that it was not
 *     applied; it is written again with a larger guard, after which the lost one is refused.
 * C3  A block that is not there is made only while the group is what it was (one transaction), so that a late commit does
 *     not bring back offsets of a group that was deleted.
 *
 * A crash leaves some blocks written and others not: offsets of partitions are independent.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { fromStorage, storageStep } from "../../log/storage-errors.ts";
import type { Companion } from "../../log/types.ts";
import { type Check, type Item, type Key, type Settled, StorageError, type Update } from "../../ports/index.ts";
import { checkGroupName } from "../items/group.ts";
import { blockKey, blockOf, type EntryWrite, guardOf, stampOf, writeEntries } from "../items/offsets.ts";
import { decodeState, type GroupState, stateKey } from "../items/state.ts";
import { emptyGroup, firstEpoch, makeGroup } from "../new-group.ts";
import type { AppliedCommit } from "../offsets-topic/mirror.ts";
import type { GroupParts } from "../parts.ts";
import type { CommitRequest, OffsetToCommit, PartitionAnswer } from "../types.ts";
import { admitCommit, admitTransactional, type CommitTicket, nextGuard, refusedBy, wrongOffset } from "./plan-commit.ts";
import { type Place, readPlaced } from "./topics.ts";

const GIVE_UP_MS = 20_000;

interface Wanted extends OffsetToCommit {
  readonly index: number;
  /** Of an update whose answer was lost: the topic that it was for, and the guard that it wrote. */
  readonly lost?: { readonly topicId: string; readonly guard: number };
}

/** Of the topic that has the name now. */
interface Placed extends Wanted {
  readonly topicId: string;
}

interface Block {
  readonly key: Key;
  readonly wanted: readonly Placed[];
}

export async function commitOffsets(parts: GroupParts, request: CommitRequest): Promise<PartitionAnswer[]> {
  checkGroupName(request.group);
  const { clock, ids } = parts;
  const commit = new Commit(parts, request);
  let left = commit.all();
  const untilMs = clock.monotonicMs() + GIVE_UP_MS;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    left = await commit.once(left, clock.monotonicMs() >= untilMs);
    if (left.length === 0) break;
    await clock.sleep(Math.ceil(pauseMs * ids.random()));
  }
  return answersOf(request, commit);
}

/** A commit as part of an atomic append: all offsets or none. `prepare` throws what `commitOffsets` throws or answers. */
export function commitCompanion(parts: GroupParts, request: CommitRequest): Companion {
  checkGroupName(request.group);
  let prepared: readonly AppliedCommit[] = [];
  return {
    applied: () => parts.mirror?.committed(request.group, prepared),
    async prepare() {
      const commit = new Commit(parts, request);
      const read = (await commit.plan(commit.all())) ?? (await commit.plan(commit.all()));
      if (read === undefined) throw new BrokerlessError("group_busy", `group "${request.group}" was deleted meanwhile`);
      const refused = commit.errors.find((error) => error !== undefined);
      if (refused !== undefined) throw refused;
      prepared = read.planned.flatMap(({ commits }) => commits);
      const made = read.planned.filter(({ item }) => item === undefined);
      return [
        ...(made.length === 0 ? [] : [isStill(request.group, read.state)]),
        ...read.planned.flatMap(({ update }) => (update === undefined ? [] : [update])),
      ];
    },
  };
}

/** An offset that may be committed now. */
export interface Admitted extends OffsetToCommit {
  readonly topicId: string;
}

/** Judges a commit of a transaction, and writes nothing: which offsets may be committed, and the answer for each. */
export async function admitOffsets(
  parts: GroupParts,
  request: CommitRequest,
): Promise<{ readonly admitted: readonly Admitted[]; readonly answers: PartitionAnswer[] }> {
  checkGroupName(request.group);
  const commit = new Commit(parts, request);
  const read = (await commit.plan(commit.all(), admitTransactional)) ?? (await commit.plan(commit.all(), admitTransactional));
  if (read === undefined) throw new BrokerlessError("group_busy", `group "${request.group}" was deleted meanwhile`);
  const admitted = read.planned.flatMap(({ block }) => block.wanted.filter(({ index }) => commit.errors[index] === undefined));
  return { admitted, answers: answersOf(request, commit) };
}

function answersOf({ offsets }: CommitRequest, { errors }: Commit): PartitionAnswer[] {
  return offsets.map(({ topic, partition }, i) => {
    const error = errors[i];
    return error === undefined ? { topic, partition } : { topic, partition, error };
  });
}

/** C3: a block that is not there is made on condition that the group is what it was. */
function isStill(group: string, state: GroupState): Check {
  return { op: "check", key: stateKey(group), when: [{ path: "e", is: "=", value: state.epoch }] };
}

class Commit {
  readonly #parts: GroupParts;
  readonly #request: CommitRequest;
  readonly errors: (BrokerlessError | undefined)[] = [];

  constructor(parts: GroupParts, request: CommitRequest) {
    this.#parts = parts;
    this.#request = request;
  }

  all(): Wanted[] {
    return this.#request.offsets.map((one, index) => ({ ...one, index }));
  }

  /** The offsets by the items that hold them; what is wrong with one by itself is its error. */
  #blocks(wanted: readonly Wanted[], places: readonly Place[]): Block[] {
    const blocks = new Map<string, { key: Key; wanted: Placed[] }>();
    for (const [i, one] of wanted.entries()) {
      const place = places[i] as Place;
      const error = place instanceof BrokerlessError ? place : wrongOffset(one);
      this.errors[one.index] = error;
      if (place instanceof BrokerlessError || error !== undefined) continue;
      const key = blockKey(this.#request.group, place, blockOf(one.partition));
      const block = blocks.get(key.sk) ?? { key, wanted: [] };
      blocks.set(key.sk, block);
      block.wanted.push({ ...one, topicId: place });
    }
    return [...blocks.values()];
  }

  /** State and blocks of these offsets, of the topics that have their names now. */
  #read(wanted: readonly Wanted[]) {
    const { group } = this.#request;
    const { log, storage } = this.#parts;
    return readPlaced(log, wanted, async (places, proofs) => {
      const blocks = this.#blocks(wanted, places);
      const keys = [stateKey(group), ...blocks.map(({ key }) => key)];
      const found = await storageStep(`read group "${group}"`, () => storage.table.getMany([...keys, ...proofs]));
      const [stateItem, ...items] = found.slice(0, keys.length);
      return { result: { blocks, stateItem, items }, proofs: found.slice(keys.length) };
    });
  }

  /** Reads and judges; undefined where the group was not there and has been made. */
  async plan(wanted: readonly Wanted[], admit = admitCommit) {
    const { group, member } = this.#request;
    const { blocks, stateItem, items } = await this.#read(wanted);
    const state = decodeState(stateItem)?.state;
    const ticket = admit(group, state, member);
    if (state === undefined) {
      await storageStep(`make group "${group}"`, async () =>
        makeGroup(this.#parts, group, emptyGroup(await firstEpoch(this.#parts, group), this.#parts.clock.nowMs())),
      );
      return undefined;
    }
    return { state, planned: blocks.map((block, i) => ({ block, item: items[i], ...this.#plan(block, items[i], ticket) })) };
  }

  /** Reads, judges and writes once; the offsets that are to be tried again. At the last try none is. */
  async once(tried: readonly Wanted[], last: boolean): Promise<Wanted[]> {
    const { group } = this.#request;
    const read = await this.plan(tried);
    if (read === undefined) return [...tried];
    const { state, planned } = read;
    const writing = planned.filter(({ update }) => update !== undefined);
    const settled = await this.#write(state, writing as { item: Item | undefined; update: Update }[]);
    this.#parts.mirror?.committed(
      group,
      writing.flatMap(({ commits }, i) => (settled[i]?.ok ? commits : [])),
    );
    return writing.flatMap(({ block, guards }, i) => {
      const one = settled[i] as Settled;
      if (one.ok) return [];
      const wanted = block.wanted.filter(({ partition }) => guards.has(partition));
      const again = one.error.kind === "condition_failed" || one.error.kind === "contended" || one.error.kind === "unknown";
      if (again && !last) {
        return wanted.map(({ topicId, index, partition, lost: before }) => {
          const lost = one.error.kind === "unknown" ? { topicId, guard: guards.get(partition) as number } : before;
          return { ...(this.#request.offsets[index] as OffsetToCommit), index, ...(lost && { lost }) };
        });
      }
      const error = fromStorage(one.error, `commit offsets of group "${group}"`) as BrokerlessError;
      for (const { index } of wanted) this.errors[index] = error;
      return [];
    });
  }

  /** One update for what may be written of a block. */
  #plan({ key, wanted }: Block, item: Item | undefined, ticket: CommitTicket) {
    const nowMs = this.#parts.clock.nowMs();
    const writes: EntryWrite[] = [];
    const guards = new Map<number, number>();
    const commits: AppliedCommit[] = [];
    for (const one of wanted) {
      const { topic, partition, index, topicId, lost } = one;
      const guard = guardOf(item, partition);
      const lostGuard = lost?.topicId === topicId ? lost.guard : undefined;
      if (lostGuard !== undefined && guard !== undefined && guard >= lostGuard) {
        this.#parts.mirror?.stale(this.#request.group);
        continue;
      }
      const refusal = refusedBy(ticket, this.#request.group, topicId, partition, stampOf(item, partition));
      if (refusal !== undefined) {
        this.errors[index] = refusal;
        continue;
      }
      const next = nextGuard(Math.max(guard ?? 0, lostGuard ?? 0), nowMs);
      guards.set(partition, next);
      const entry = entryFor(one, nowMs);
      writes.push({ partition, epoch: ticket.epoch, guard: next, entry });
      commits.push({ topic, partition, entry, guard: next });
    }
    return { guards, commits, update: writes.length === 0 ? undefined : writeEntries(key, writes, item) };
  }

  async #write(state: GroupState, writing: readonly { readonly item: Item | undefined; readonly update: Update }[]) {
    const { table } = this.#parts.storage;
    const settled: Settled[] = [];
    const known = writing.filter(({ item }) => item !== undefined);
    const [answers] = known.length === 0 ? [[]] : await table.inOrder([known.map(({ update }) => update)]);
    let at = 0;
    for (const { item, update } of writing) {
      if (item !== undefined) {
        settled.push(answers?.[at++] as Settled);
        continue;
      }
      try {
        await table.atomically([isStill(this.#request.group, state), update]);
        settled.push({ ok: true, item: undefined });
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        settled.push({ ok: false, error });
      }
    }
    return settled;
  }
}

function entryFor({ offset, leaderEpoch, metadata, retentionMs }: OffsetToCommit, nowMs: number) {
  return {
    offset,
    leaderEpoch: leaderEpoch ?? -1,
    committedAtMs: nowMs,
    metadata: metadata ?? "",
    expiresAtMs: retentionMs === undefined ? -1 : nowMs + retentionMs,
  };
}
