/**
 * Sealing: the first 16 refs of the tail go into a run, and producers that are idle leave the head.
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
import { type Clock, StorageError, type Table } from "../../ports/index.ts";
import type { Head } from "../items/head.ts";
import { encodeProducer, type ProducerState, packProducer, producerInHead, producerKey } from "../items/producer.ts";
import { refRecordCount } from "../items/ref.ts";
import { decodeRun, encodeRun, RUN_REFS, runKey, runRange } from "../items/run.ts";
import { markWork } from "../items/work.ts";
import { isRefusal } from "../storage-errors.ts";
import type { Lane } from "./lane.ts";

/** So many producers stay in the head whatever their age: with 16 refs they fit one write unit. */
const PRODUCERS_KEPT = 8;
/** Beyond this the oldest are moved out though they are active. */
const PRODUCERS_MOST = 64;
const PRODUCER_IDLE_MS = 600_000;
/** Kafka's `producer.id.expiration.ms`: how long an idle producer is known. */
export const PRODUCER_EXPIRATION_MS = 86_400_000;
const EVICTED_AT_ONCE = 16;
/** From here on whoever sees it seals, since the one whose turn it was has not. */
const OVERDUE_REFS = RUN_REFS + RUN_REFS / 2;

/** Is it for the writer of an append to seal, given how many refs there were before and after it? */
export function shouldSeal(refsBefore: number, refsAfter: number): boolean {
  return (refsBefore < RUN_REFS && refsAfter >= RUN_REFS) || refsAfter >= OVERDUE_REFS;
}

/** Seals until fewer than 16 refs are left. A storage that does not answer ends it: the next writer sees to it. */
export async function seal(table: Table, clock: Clock, lane: Lane, head: Head): Promise<void> {
  try {
    let left: Head | undefined = head;
    while (left !== undefined && left.tail.length >= RUN_REFS) left = await sealOnce(table, lane, left);
    if (left !== undefined) await evictProducers(table, clock, lane, left);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
  }
}

/** Answers the head after it, or undefined when it is gone. */
async function sealOnce(table: Table, lane: Lane, head: Head): Promise<Head | undefined> {
  const refs = head.tail.slice(0, RUN_REFS);
  const count = refs.reduce((sum, ref) => sum + refRecordCount(ref), 0);
  const settled = await table.inOrder([
    [markWork(lane.topicId, lane.partition)],
    [
      {
        op: "put",
        key: runKey(lane.topicId, lane.partition, head.tailBase + count - 1),
        item: encodeRun({ base: head.tailBase, refs }),
      },
    ],
    [
      {
        op: "update",
        key: lane.headKey,
        changes: [
          { dropFirst: "t", count: RUN_REFS },
          { add: "b", by: count },
        ],
        when: [{ item: "exists" }, { path: "b", is: "=", value: head.tailBase }],
      },
    ],
  ]);
  for (const [one] of settled) {
    if (one === undefined || one.ok) continue;
    if (!isRefusal(one.error)) throw one.error;
    return one.error.item && lane.saw(one.error.item);
  }
  const item = settled[2]?.[0]?.ok === true ? settled[2][0].item : undefined;
  return item && lane.saw(item);
}

async function evictProducers(table: Table, clock: Clock, lane: Lane, head: Head): Promise<void> {
  const oldest = Object.keys(head.producers)
    .map((id) => ({ id: Number(id), state: producerInHead(head, Number(id)) as ProducerState }))
    .sort((a, b) => a.state.baseOffset - b.state.baseOffset);
  const spare = oldest.slice(0, Math.max(0, oldest.length - PRODUCERS_KEPT)).slice(0, EVICTED_AT_ONCE);
  let left = oldest.length;
  for (const { id, state } of spare) {
    const lastMs = await batchTimeMs(table, lane, head, state.baseOffset);
    const idle = lastMs === undefined || clock.nowMs() - lastMs > PRODUCER_IDLE_MS;
    if (!idle && left <= PRODUCERS_MOST) return;
    if (await evict(table, clock, lane, id, state)) left--;
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
async function evict(table: Table, clock: Clock, lane: Lane, id: number, state: ProducerState): Promise<boolean> {
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
