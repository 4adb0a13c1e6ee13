/**
 * Commits: state and blocks are read together, the pure rules say what may be written, and one update for each block
 * writes it on the conditions of `items/offsets.ts`. Two trips.
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
import {
  admitCommit,
  admitTransactional,
  type CommitTicket,
  nextGuard,
  refusedBy,
  wrongOffset,
  wrongTopic,
} from "./plan-commit.ts";
import { partitionsByName } from "./topics.ts";

const GIVE_UP_MS = 20_000;

interface Wanted extends OffsetToCommit {
  readonly index: number;
  /** Of the topic that has the name now. */
  readonly topicId: string;
}

interface Block {
  readonly key: Key;
  readonly wanted: readonly Wanted[];
  /** Of an update of it whose answer was lost: the guards that it wrote, by partition. */
  readonly lost?: ReadonlyMap<number, number>;
}

export async function commitOffsets(parts: GroupParts, request: CommitRequest): Promise<PartitionAnswer[]> {
  checkGroupName(request.group);
  const { clock, ids } = parts;
  const commit = new Commit(parts, request);
  let blocks = await commit.blocks();
  const untilMs = clock.monotonicMs() + GIVE_UP_MS;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    blocks = await commit.once(blocks, clock.monotonicMs() >= untilMs);
    if (blocks.length === 0) break;
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
      const blocks = await commit.blocks();
      const read = (await commit.plan(blocks)) ?? (await commit.plan(blocks));
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
  const blocks = await commit.blocks();
  const read = (await commit.plan(blocks, admitTransactional)) ?? (await commit.plan(blocks, admitTransactional));
  if (read === undefined) throw new BrokerlessError("group_busy", `group "${request.group}" was deleted meanwhile`);
  const admitted = blocks.flatMap(({ wanted }) => wanted.filter(({ index }) => commit.errors[index] === undefined));
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

  /** The offsets by the items that hold them; what is wrong with one by itself is its error. */
  async blocks(): Promise<Block[]> {
    const { group, offsets } = this.#request;
    const blocks = new Map<string, { key: Key; wanted: Wanted[] }>();
    const found = await partitionsByName(this.#parts.log, offsets);
    for (const [index, one] of offsets.entries()) {
      const topicId = found[index] as string | BrokerlessError;
      const error = topicId instanceof BrokerlessError ? topicId : (wrongOffset(one) ?? wrongTopic(one, topicId));
      if (topicId instanceof BrokerlessError || error !== undefined) {
        this.errors[index] = error;
        continue;
      }
      const key = blockKey(group, topicId, blockOf(one.partition));
      const block = blocks.get(key.sk) ?? { key, wanted: [] };
      blocks.set(key.sk, block);
      block.wanted.push({ ...one, index, topicId });
    }
    return [...blocks.values()];
  }

  /** Reads and judges; undefined where the group was not there and has been made. */
  async plan(blocks: readonly Block[], admit = admitCommit) {
    const { group, member } = this.#request;
    const { table } = this.#parts.storage;
    const keys = [stateKey(group), ...blocks.map(({ key }) => key)];
    const [stateItem, ...items] = await storageStep(`read group "${group}"`, () => table.getMany(keys));
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

  /** Reads, judges and writes once; the blocks that are to be tried again. At the last try none is. */
  async once(blocks: readonly Block[], last: boolean): Promise<Block[]> {
    const { group } = this.#request;
    const read = await this.plan(blocks);
    if (read === undefined) return [...blocks];
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
      if (again && !last)
        return [one.error.kind === "unknown" ? { key: block.key, wanted, lost: guards } : { key: block.key, wanted }];
      const error = fromStorage(one.error, `commit offsets of group "${group}"`) as BrokerlessError;
      for (const { index } of wanted) this.errors[index] = error;
      return [];
    });
  }

  /** One update for what may be written of a block. */
  #plan({ key, wanted, lost }: Block, item: Item | undefined, ticket: CommitTicket) {
    const nowMs = this.#parts.clock.nowMs();
    const writes: EntryWrite[] = [];
    const guards = new Map<number, number>();
    const commits: AppliedCommit[] = [];
    for (const one of wanted) {
      const { topic, partition, index, topicId } = one;
      const guard = guardOf(item, partition);
      const lostGuard = lost?.get(partition);
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
