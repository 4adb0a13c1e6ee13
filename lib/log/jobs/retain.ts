/**
 * Retention: moves the log start forward as the topic's policy says, and takes away what is below the log start, however it
 * got there (policy or DeleteRecords).
 *
 * Steps, and what a crash between them leaves:
 * 1. the log start, on condition that it has not moved; from here on nobody reads below it;
 * 2. aborted transactions with markers below it; then: items that nobody reads, for the next run;
 * 3. of each segment below it the object, then its item; then: an item without its object, which the next run deletes;
 * 4. of each run below it the blobs, then the run; then: a run without its bytes, which the next run deletes;
 * 5. refs of the tail below it, on condition that the tail base has not moved, then their blobs; then: blobs that nothing
 *    refers to, for the sweeper.
 *
 * R1  Runs and refs younger than the grace time stay: a writer whose answer was lost must find its ref.
 */
import { ulidTimeMs } from "../../base/ulid.ts";
import type { Clock, Storage } from "../../ports/index.ts";
import { configNumber, configOf } from "../config.ts";
import { abortedBelow, deleteAborted } from "../items/aborted.ts";
import { offsetKey } from "../items/format.ts";
import { decodeHead, type Head, headKey, partitionKey } from "../items/head.ts";
import { decodeSegment, isSegment, segmentObject } from "../items/segment.ts";
import { moveLogStart } from "../log-start.ts";
import { type Located, type LocatedRef, refsOfRun, refsOfTail } from "../read/locate.ts";
import { readPieces } from "../read/pieces.ts";
import { isRefusal } from "../storage-errors.ts";
import type { Topic } from "../types.ts";
import type { JobParts } from "./job.ts";
import { deleteBlobs, noteClaimed } from "./leaving.ts";
import { dueAfter, startAfterRetention } from "./plan-retention.ts";

/** One update drops at most so many refs; a tail that is longer is taken away in several runs of the job. */
const REFS_AT_ONCE = 100;
/** So much of the index is read at once where only its oldest part counts. */
const OLDEST = { segments: 32, runs: 64 };

export interface RetainParts extends JobParts {
  readonly graceMs: number;
}

export interface PartitionRetention {
  /** Records that are below the log start since this run. */
  readonly records: number;
  readonly segmentsDeleted: number;
  /** When there may be something to give up again; 0: there is now. */
  readonly dueMs: number;
  /** Nothing is left in the log, and something was. */
  readonly emptied: boolean;
}

/** Does one partition; with `dryRun` it only answers what it would. */
export async function retainPartition(
  parts: RetainParts,
  topic: Topic,
  partition: number,
  dryRun: boolean,
): Promise<PartitionRetention> {
  const { storage } = parts;
  const item = await storage.table.get(headKey(topic.id, partition));
  if (item === undefined) return { records: 0, segmentsDeleted: 0, dueMs: Number.POSITIVE_INFINITY, emptied: false };
  let head = decodeHead(item);
  const before = head.start;
  const { start, dueMs } = await decide(parts, topic, partition, head);
  const emptied = start > before && start === head.next;
  if (dryRun) return { records: start - before, segmentsDeleted: 0, dueMs, emptied };
  if (start > before) {
    const moved = await moveLogStart(storage.table, topic.id, partition, before, start);
    if (moved === undefined) return { records: 0, segmentsDeleted: 0, dueMs: 0, emptied: false };
    head = moved;
  }
  if (head.lastAbortOffset >= 0) await dropAborted(storage, topic, partition, head.start);
  const segmentsDeleted = await dropSegments(storage, topic, partition, head.start);
  const runsLeft = await dropRuns(parts, topic, partition, head.start);
  const refsLeft = await dropRefs(parts, topic, partition, head);
  return { records: head.start - before, segmentsDeleted, dueMs: runsLeft || refsLeft ? 0 : dueMs, emptied };
}

/** Where the log is to start by the policy, and when to look again. */
async function decide(
  { storage, clock }: RetainParts,
  topic: Topic,
  partition: number,
  head: Head,
): Promise<{ readonly start: number; readonly dueMs: number }> {
  if (!configOf(topic.configs, "cleanup.policy").includes("delete"))
    return { start: head.start, dueMs: Number.POSITIVE_INFINITY };
  const policy = {
    retentionMs: configNumber(topic.configs, "retention.ms"),
    retentionBytes: configNumber(topic.configs, "retention.bytes"),
  };
  let start = head.start;
  for (;;) {
    // By time only the oldest count; by size all of them.
    const most = policy.retentionBytes < 0 ? OLDEST : undefined;
    const pieces = await readPieces(storage.table, topic.id, partition, head, start, most);
    // An index that moves meanwhile is looked at the next time.
    if ((pieces[0]?.base ?? 0) > start) return { start, dueMs: 0 };
    const kept = pieces.filter(({ end }) => end > start).map(asKept);
    const after = startAfterRetention(kept, start, policy, clock.nowMs());
    const oldest = kept.find(({ end }) => end > after);
    if (oldest === undefined && after < head.next && after > start) start = after;
    else return { start: after, dueMs: dueAfter(oldest, policy, clock.nowMs()) };
  }
}

function asKept(piece: Located): { end: number; maxTimestampMs: number; sizeBytes: number } {
  return {
    end: piece.end,
    maxTimestampMs: piece.maxTimestampMs,
    sizeBytes: piece.kind === "ref" ? piece.ref.sizeBytes : piece.segment.sizeBytes,
  };
}

/** Sort keys of what ends below this offset. */
function below(prefix: "S" | "R", offset: number): { readonly from: string; readonly to: string } | undefined {
  return offset === 0 ? undefined : { from: `${prefix}#`, to: `${prefix}#${offsetKey(offset - 1)}` };
}

/** Nobody reads below the log start, so nobody asks for them. */
async function dropAborted({ table }: Storage, topic: Topic, partition: number, start: number): Promise<void> {
  const range = abortedBelow(start);
  if (range === undefined) return;
  for (const one of await table.range(partitionKey(topic.id, partition), range)) await table.write(deleteAborted(one));
}

async function dropSegments(storage: Storage, topic: Topic, partition: number, start: number): Promise<number> {
  const range = below("S", start);
  const found = range === undefined ? [] : await storage.table.range(partitionKey(topic.id, partition), range);
  for (const { key, item } of found) {
    const segment = decodeSegment(key, item);
    await storage.bucket.delete([segmentObject(topic.id, partition, segment)]);
    try {
      await storage.table.write({ op: "delete", key, when: [isSegment(segment)] });
    } catch (error) {
      // Merged meanwhile: the whole is below the start too, and goes the next time.
      if (!isRefusal(error)) throw error;
    }
  }
  return found.length;
}

/** Answers whether some had to stay. */
async function dropRuns(
  { storage, clock, graceMs }: RetainParts,
  topic: Topic,
  partition: number,
  start: number,
): Promise<boolean> {
  const range = below("R", start);
  const found = range === undefined ? [] : await storage.table.range(partitionKey(topic.id, partition), range);
  for (const run of found) {
    const refs = refsOfRun(run);
    if (!refs.every((one) => isOld(one, clock, graceMs))) return true;
    await noteClaimed(storage.table, clock, topic.id, partition, refs);
    await deleteBlobs(storage, topic.id, partition, refs);
    await storage.table.write({ op: "delete", key: run.key });
  }
  return false;
}

/** Answers whether some had to stay. */
async function dropRefs({ storage, clock, graceMs }: RetainParts, topic: Topic, partition: number, head: Head): Promise<boolean> {
  const below = refsOfTail(head).filter((one) => one.end <= head.start);
  const young = below.findIndex((one) => !isOld(one, clock, graceMs));
  const refs = (young < 0 ? below : below.slice(0, young)).slice(0, REFS_AT_ONCE);
  const last = refs.at(-1);
  if (last === undefined) return below.length > 0;
  await noteClaimed(storage.table, clock, topic.id, partition, refs);
  try {
    await storage.table.write({
      op: "update",
      key: headKey(topic.id, partition),
      changes: [
        { dropFirst: "t", count: refs.length },
        { add: "b", by: last.end - head.tailBase },
      ],
      when: [{ item: "exists" }, { path: "b", is: "=", value: head.tailBase }],
    });
  } catch (error) {
    if (isRefusal(error)) return true;
    throw error;
  }
  await deleteBlobs(storage, topic.id, partition, refs);
  return refs.length < below.length;
}

function isOld({ ref }: LocatedRef, clock: Clock, graceMs: number): boolean {
  return clock.nowMs() - ulidTimeMs(ref.blobId) >= graceMs;
}
