/**
 * Sealing: the first refs of the tail (16) go into a run, and producers that are idle leave the head.
 *
 * Steps, each durable before the next, and what a crash between them leaves:
 * 1. mark the partition in `WORK#`; then: a mark without a run, which the roller takes away;
 * 2. put the run; then: a void run, for its refs are still in the tail; the next sealer writes the very same;
 * 3. drop the refs from the head, on condition that the tail base has not moved.
 *
 * Evicting a producer: its item first (only over an older one), then out of the head on condition that its state has
 * not moved, counting `evictions`, so that an append that judged it absent is refused.
 */
import { ulidTimeMs } from "../../base/ulid.ts";
import { type Clock, type Ids, type Item, StorageError, type Table } from "../../ports/index.ts";
import { decodeHead, type Head, headKey, openTransactionOf } from "../items/head.ts";
import { encodeProducer, type ProducerState, packProducer, producerInHead, producerKey } from "../items/producer.ts";
import { refRecordCount } from "../items/ref.ts";
import { decodeRun, encodeRun, runKey, runRange } from "../items/run.ts";
import { markWork } from "../items/work.ts";
import { isRefusal } from "../storage-errors.ts";
import type { Lane } from "./lane.ts";

/** When the tail is sealed, and which producers stay in the head. One deployment has one policy (R1 of a run). */
export interface SealPolicy {
  /** How many refs make a run. */
  readonly runRefs: number;
  /** So many producers stay in the head whatever their age: with 16 refs they fit one write unit. */
  readonly producersKept: number;
  /** Beyond this the oldest are moved out though they are active. */
  readonly producersMost: number;
  readonly producerIdleMs: number;
}

export const SEAL_POLICY: SealPolicy = { runRefs: 16, producersKept: 8, producersMost: 64, producerIdleMs: 600_000 };

/** Kafka's `producer.id.expiration.ms`: how long an idle producer is known. */
const PRODUCER_EXPIRATION_MS = 86_400_000;
const EVICTED_AT_ONCE = 16;

/** Is it for the writer of an append to seal, given how many refs there were before and after it? */
function shouldSeal(refsBefore: number, refsAfter: number, { runRefs }: SealPolicy): boolean {
  // From one and a half runs on whoever sees it seals, since the one whose turn it was has not.
  return (refsBefore < runRefs && refsAfter >= runRefs) || refsAfter >= 1.5 * runRefs;
}

export interface Sealer {
  readonly table: Table;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly policy: SealPolicy;
}

/** Begins to seal, in the background, when it is for the writer who just appended so many refs. */
export function sealWhenDue(sealer: Sealer, lane: Lane, appendedRefs: number): void {
  const refs = lane.head?.tail.length ?? 0;
  if (lane.head === undefined || lane.sealing !== undefined || !shouldSeal(refs - appendedRefs, refs, sealer.policy)) return;
  lane.sealing = seal(sealer, lane, lane.head).finally(() => {
    lane.sealing = undefined;
  });
}

/** Seals until fewer refs are left than make a run. A storage that does not answer ends it: the next writer sees to it. */
async function seal(sealer: Sealer, lane: Lane, head: Head): Promise<void> {
  try {
    let left: Head | undefined = head;
    while (left !== undefined && left.tail.length >= sealer.policy.runRefs) {
      const item = await sealOnce(sealer, lane, left, sealer.policy.runRefs);
      left = item && lane.saw(item);
    }
    if (left !== undefined) await evictProducers(sealer, lane, left);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
  }
}

/**
 * Seals all that is in the tail, full runs or not; answers how many refs that were. Not for writers: only before rolling by
 * hand. A writer that seals meanwhile cuts differently; the run of the one that comes second is void (R2 of a run).
 */
export async function sealTail(table: Table, ids: Ids, topicId: string, partition: number): Promise<number> {
  const key = headKey(topicId, partition);
  let item = await table.get(key);
  let refs = 0;
  for (let left = item && decodeHead(item).next; item !== undefined && left !== undefined; ) {
    const head = decodeHead(item);
    const count = Math.min(head.tail.length, SEAL_POLICY.runRefs);
    // What is appended meanwhile stays.
    if (count === 0 || head.tailBase >= left) break;
    item = await sealOnce({ table, ids }, { topicId, partition, headKey: key }, head, count);
    if (item !== undefined && decodeHead(item).tailBase > head.tailBase) refs += count;
  }
  // So few refs as here do not keep a roller from taking the mark away while they are sealed.
  if (refs > 0) await table.write(markWork(topicId, partition, ids));
  return refs;
}

/** Seals the first refs; answers the head as it is then, or undefined when it is gone. */
async function sealOnce(
  { table, ids }: Pick<Sealer, "table" | "ids">,
  { topicId, partition, headKey: key }: Pick<Lane, "topicId" | "partition" | "headKey">,
  head: Head,
  refCount: number,
): Promise<Item | undefined> {
  const refs = head.tail.slice(0, refCount);
  const count = refs.reduce((sum, ref) => sum + refRecordCount(ref), 0);
  const settled = await table.inOrder([
    [markWork(topicId, partition, ids)],
    [{ op: "put", key: runKey(topicId, partition, head.tailBase + count - 1), item: encodeRun({ base: head.tailBase, refs }) }],
    [
      {
        op: "update",
        key,
        changes: [
          { dropFirst: "t", count: refCount },
          { add: "b", by: count },
        ],
        when: [{ item: "exists" }, { path: "b", is: "=", value: head.tailBase }],
      },
    ],
  ]);
  for (const [one] of settled) {
    if (one === undefined || one.ok) continue;
    if (!isRefusal(one.error)) throw one.error;
    return one.error.item;
  }
  return settled[2]?.[0]?.ok === true ? settled[2][0].item : undefined;
}

async function evictProducers(sealer: Sealer, lane: Lane, head: Head): Promise<void> {
  const { table, clock, policy } = sealer;
  const oldest = Object.keys(head.producers)
    // What a producer with an open transaction did last decides how that ends.
    .filter((id) => openTransactionOf(head, Number(id)) === undefined)
    .map((id) => ({ id: Number(id), state: producerInHead(head, Number(id)) as ProducerState }))
    .sort((a, b) => a.state.baseOffset - b.state.baseOffset);
  const spare = oldest.slice(0, Math.max(0, oldest.length - policy.producersKept)).slice(0, EVICTED_AT_ONCE);
  let left = oldest.length;
  for (const { id, state } of spare) {
    const lastMs = await batchTimeMs(table, lane, head, state.baseOffset);
    const idle = lastMs === undefined || clock.nowMs() - lastMs > policy.producerIdleMs;
    if (!idle && left <= policy.producersMost) return;
    if (await evict(sealer, lane, id, state)) left--;
  }
}

/** When the record at this offset was written, about; undefined when it is older than all runs. */
async function batchTimeMs(table: Table, lane: Lane, head: Head, offset: number): Promise<number | undefined> {
  let base = head.tailBase;
  let refs = head.tail;
  if (offset < base) {
    const [found] = await table.range(lane.pk, { ...runRange(offset), limit: 1 });
    if (found === undefined) return undefined;
    const run = decodeRun(found.item);
    base = run.base;
    refs = run.refs;
    if (offset < base) return undefined;
  }
  for (const ref of refs) {
    base += refRecordCount(ref);
    if (offset < base) return ulidTimeMs(ref);
  }
  return undefined;
}

/** Moves one producer out of the head; false when it has moved on meanwhile. */
async function evict({ table, clock }: Sealer, lane: Lane, id: number, state: ProducerState): Promise<boolean> {
  const key = producerKey(lane.topicId, lane.partition, id);
  const put = { op: "put", key, item: encodeProducer(state), expiresAtMs: clock.nowMs() + PRODUCER_EXPIRATION_MS } as const;
  try {
    await table.write({ ...put, when: [{ item: "absent" }] });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    try {
      await table.write({ ...put, when: [{ path: "o", is: "<", value: state.baseOffset }] });
    } catch (again) {
      if (!isRefusal(again)) throw again;
    }
  }
  try {
    const item = await table.write({
      op: "update",
      key: lane.headKey,
      changes: [{ remove: ["q", String(id)] }, { remove: ["o", String(id)] }, { add: "e", by: 1 }],
      when: [
        { path: ["x", String(id)], is: "absent" },
        { path: ["q", String(id)], is: "=", value: packProducer(state.epoch, state.lastSequence) },
        { path: ["o", String(id)], is: "=", value: state.baseOffset },
      ],
    });
    if (item !== undefined) lane.saw(item);
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  }
}
