/**
 * Compaction of one partition: of each key the latest record stays, offsets and order as they are.
 *
 * A pass, and what a crash between its steps leaves:
 * 1. map: the latest offset of each key in the dirty part [o, e), as much as the map holds; in memory;
 * 2. note the pass (`CLEAN`: o, e, n); then: a pass that the next run goes on with;
 * 3. clean the segments below e from the oldest on, some at a time (a group): write them as one under an id of its own, swap it
 *    in (`swap.ts`), delete theirs, note how far the pass is; then: an object that no index names, or objects that no index names
 *    any more, for the sweeper; or a group that is cleaned and not noted, which is cleaned again and stays as it is;
 * 4. note that all below e is clean.
 *
 * M1  A record is taken out only when the map has a later one of its key, which is in the log, or when it is a tombstone past its
 *     delete horizon. So the latest value of a key always stays, whatever was done of a pass.
 * M2  A tombstone gets its horizon when its segment is cleaned, so after every older one was by the same pass, with the tombstone
 *     in its map: when it goes, no older record of its key is left that could come to light.
 * M3  A swap holds only for the very objects that were read: so two compactions, or a merger, never bring back what was taken out.
 * M4  Records of aborted transactions go, and are in no map. A commit's marker goes as a tombstone does, an abort's stays: Kafka's
 *     consumers take everything of its producer as aborted until they see it.
 */
import { BATCH_OVERHEAD_BYTES, type Codecs, peekBatchHeader } from "../../../kafka/index.ts";
import { configNumber } from "../../config.ts";
import { type Clean, cleanKey, decodeClean, putClean } from "../../items/clean.ts";
import { decodeHead, type Head, headKey, lastStableOffset, partitionKey } from "../../items/head.ts";
import { decodeSegment, type Segment, segmentObject, segmentRange } from "../../items/segment.ts";
import { positionsAround } from "../../items/segment-index.ts";
import { abortedAmong } from "../../markers/aborted.ts";
import { readAborted } from "../../read/aborted.ts";
import { isRefusal } from "../../storage-errors.ts";
import type { Topic } from "../../types.ts";
import { type JobParts, type JobReport, type JobRun, mayGoOn } from "../job.ts";
import { cleanGroup } from "./clean.ts";
import { lastBatchesOf } from "./last-batches.ts";
import { type Mapped, mapKeys } from "./map-keys.ts";
import { type CompactionPlan, nextGroup, planCompaction } from "./plan.ts";
import { ObjectGone } from "./read-batches.ts";

export interface CompactParts extends JobParts {
  readonly codecs: Codecs;
  /** A hash of which nobody can make two keys with the same first 15 bytes. */
  readonly digest: (key: Uint8Array) => Uint8Array;
  /** Memory for the map of keys: 24 bytes a place, three of four used. One request's records must fit. */
  readonly mapBytes: number;
  /** So many segments are written as one at most: a transaction takes no more than `SWAPPED_MOST`. */
  readonly groupSegments: number;
}

export interface Place {
  readonly topic: Topic;
  readonly partition: number;
}

export interface CompactReport extends JobReport {
  readonly passes: number;
  readonly recordsRemoved: number;
  readonly bytesRemoved: number;
}

export interface PartitionCompaction {
  readonly passes: number;
  readonly recordsRemoved: number;
  readonly bytesRemoved: number;
  readonly left: boolean;
  /** When to look again though nothing comes in, milliseconds since 1970. */
  readonly lookAtMs: number | undefined;
}

interface State {
  readonly head: Head;
  readonly clean: Clean | undefined;
  /** From the log start on. */
  readonly segments: readonly Segment[];
}

/** Compacts what is due; by hand whatever is dirty. */
export async function compactPartition(
  parts: CompactParts,
  topic: Topic,
  partition: number,
  run: JobRun,
): Promise<PartitionCompaction> {
  const place = { topic, partition };
  const report = { passes: 0, recordsRemoved: 0, bytesRemoved: 0 };
  for (;;) {
    const state = await readState(parts, place);
    if (state === undefined) return { ...report, left: false, lookAtMs: undefined };
    const begun = state.clean?.pass !== undefined;
    const plan = await planOf(parts, place, state);
    const due = begun || plan.due || (run.byHand === true && plan.dirtyBytes > 0);
    if (!due) return { ...report, left: false, lookAtMs: plan.lookAtMs };
    if (run.dryRun === true) {
      run.say?.(
        `${topic.name}-${partition}: ${plan.dirtyBytes} of ${plan.cleanBytes + plan.dirtyBytes} bytes are dirty, offsets ${firstDirtyOf(state)} to ${plan.uncleanable - 1}, and would be compacted`,
      );
      return { ...report, left: false, lookAtMs: undefined };
    }
    if (!mayGoOn(run, parts.clock)) return { ...report, left: true, lookAtMs: undefined };
    const done = await onePass(parts, place, state, plan, run);
    report.recordsRemoved += done.recordsRemoved;
    report.bytesRemoved += done.bytesRemoved;
    if (!done.whole) return { ...report, left: true, lookAtMs: undefined };
    report.passes++;
  }
}

async function readState({ storage: { table } }: CompactParts, { topic, partition }: Place): Promise<State | undefined> {
  const item = await table.get(headKey(topic.id, partition));
  if (item === undefined) return undefined;
  const head = decodeHead(item);
  const clean = await table.get(cleanKey(topic.id, partition));
  const found = await table.range(partitionKey(topic.id, partition), segmentRange(head.start));
  return { head, clean: clean && decodeClean(clean), segments: found.map((one) => decodeSegment(one.key, one.item)) };
}

function firstDirtyOf({ head, clean }: State): number {
  return Math.max(clean?.firstDirty ?? 0, head.start);
}

async function planOf(parts: CompactParts, { topic, partition }: Place, state: State): Promise<CompactionPlan> {
  const { configs } = topic;
  const maxLagMs = configNumber(configs, "max.compaction.lag.ms");
  const policy = {
    dirtyRatio: configNumber(configs, "min.cleanable.dirty.ratio"),
    minLagMs: configNumber(configs, "min.compaction.lag.ms"),
    maxLagMs,
  };
  const firstDirty = firstDirtyOf(state);
  const first = state.segments.find(({ last }) => last >= firstDirty);
  let firstDirtyMs: number | undefined;
  if (first !== undefined && maxLagMs <= Number.MAX_SAFE_INTEGER) {
    const { from } = positionsAround(first, firstDirty);
    const object = segmentObject(topic.id, partition, first);
    const bytes = await parts.storage.bucket.get(object, { from, to: from + BATCH_OVERHEAD_BYTES });
    firstDirtyMs = bytes && peekBatchHeader(bytes, 0).baseTimestampMs;
  }
  return planCompaction(state.segments, lastStableOffset(state.head), firstDirty, firstDirtyMs, policy, parts.clock.nowMs());
}

/** Begins a pass, or goes on with the one that was begun. `whole`: it came to its end. */
async function onePass(
  parts: CompactParts,
  place: Place,
  state: State,
  plan: CompactionPlan,
  run: JobRun,
): Promise<{ readonly whole: boolean; readonly recordsRemoved: number; readonly bytesRemoved: number }> {
  const { clock } = parts;
  const { topic, partition } = place;
  const removed = { recordsRemoved: 0, bytesRemoved: 0 };
  const begun = state.clean?.pass;
  const from = firstDirtyOf(state);
  // A new pass takes half of the time for its map; what was mapped once is mapped again whole.
  const mapUntilMs = clock.monotonicMs() + (run.untilMs - clock.monotonicMs()) / 2;
  const goOn = (): boolean => run.signal?.aborted !== true && (begun !== undefined || clock.monotonicMs() < mapUntilMs);
  const to = begun?.end ?? plan.uncleanable;
  const isAborted = await abortedBelow(parts, place, state, to);
  const mapped = await unlessGone(() => mapKeys(parts, place, state.segments, from, to, isAborted, goOn));
  if (mapped === undefined) return { ...removed, whole: false };
  let clean = state.clean;
  const note = async (next: Clean): Promise<boolean> => {
    if (!(await noteClean(parts, place, next, clean))) return false;
    clean = next;
    return true;
  };
  if (begun === undefined || mapped.end < begun.end) {
    if (begun !== undefined && run.signal?.aborted === true) return { ...removed, whole: false };
    const next = state.segments[0]?.base ?? 0;
    if (!(await note({ firstDirty: clean?.firstDirty ?? 0, pass: { end: mapped.end, next } })))
      return { ...removed, whole: false };
  }
  const rules = { ...(await rulesOf(parts, place, state, mapped)), isAborted, nowMs: clock.nowMs() };
  const segmentBytes = configNumber(topic.configs, "segment.bytes");
  let left = state.segments.filter(({ base, last }) => last >= (clean?.pass?.next ?? 0) && base < mapped.end);
  for (let first = true; left.length > 0; first = false) {
    if (!first && !mayGoOn(run, clock)) return { ...removed, whole: false };
    const group = nextGroup(left, segmentBytes, parts.groupSegments);
    const done = await cleanGroup(parts, place, group, rules);
    if (done === undefined) return { ...removed, whole: false };
    removed.recordsRemoved += done.recordsRemoved;
    removed.bytesRemoved += done.bytesRemoved;
    const { base, last, sizeBytes } = done.segment;
    run.say?.(
      `${topic.name}-${partition}: offsets ${base} to ${last} compacted: ${done.recordsRemoved} records and ${done.bytesRemoved} bytes less, ${sizeBytes} bytes left`,
    );
    left = left.slice(group.length);
    if (!(await note({ firstDirty: clean?.firstDirty ?? 0, pass: { end: mapped.end, next: last + 1 } })))
      return { ...removed, whole: false };
  }
  return { ...removed, whole: await note({ firstDirty: mapped.end, pass: undefined }) };
}

/** Which batches below an offset are of aborted transactions; the head was read before. */
async function abortedBelow({ storage }: CompactParts, { topic, partition }: Place, { head }: State, to: number) {
  if (head.lastAbortOffset < head.start) return abortedAmong([]);
  return abortedAmong(await readAborted(storage.table, topic.id, partition, head.start, to));
}

async function rulesOf({ storage }: CompactParts, { topic, partition }: Place, { head }: State, mapped: Mapped) {
  return {
    ...mapped,
    start: head.start,
    deleteRetentionMs: configNumber(topic.configs, "delete.retention.ms"),
    lastBatches: await lastBatchesOf(storage.table, topic.id, partition, head),
  };
}

/** False when somebody else has gone on with the pass. */
async function noteClean(
  { storage }: CompactParts,
  { topic, partition }: Place,
  clean: Clean,
  before: Clean | undefined,
): Promise<boolean> {
  try {
    await storage.table.write(putClean(topic.id, partition, clean, before));
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

async function unlessGone<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ObjectGone) return undefined;
    throw error;
  }
}
