/**
 * Retention: moves the log start forward as the topic's policy says, and takes away what is below the log start, however it
 * got there (policy or DeleteRecords).
 *
 * Steps, and what a crash between them leaves:
 * 1. the log start, on condition that it has not moved; from here on nobody reads below it;
 * 2. of each segment below it the object, then its item; then: an item without its object, which the next run deletes;
 * 3. of each run below it the blobs, then the run; then: a run without its bytes, which the next run deletes;
 * 4. refs of the tail below it, on condition that the tail base has not moved, then their blobs; then: blobs that nothing
 *    refers to, for the sweeper.
 *
 * R1  Runs and refs younger than the grace time stay: a writer whose answer was lost must find its ref.
 */
import { ulidTimeMs } from "../../base/ulid.ts";
import type { Clock, Storage } from "../../ports/index.ts";
import { configNumber, configOf } from "../config.ts";
import { offsetKey } from "../items/format.ts";
import { decodeHead, type Head, headKey, partitionKey } from "../items/head.ts";
import { decodeSegment, segmentObject } from "../items/segment.ts";
import { moveLogStart } from "../log-start.ts";
import { type Located, type LocatedRef, refsOfRun, refsOfTail } from "../read/locate.ts";
import { readPieces } from "../read/pieces.ts";
import { isRefusal } from "../storage-errors.ts";
import type { Topic } from "../types.ts";
import { deleteBlobs, noteClaimed } from "./leaving.ts";
import { startAfterRetention } from "./plan-retention.ts";

/** One update drops at most so many refs; a tail that is longer is taken away in several runs of the job. */
const REFS_AT_ONCE = 100;

export interface RetainParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly graceMs: number;
}

export interface RetainReport {
  /** Records that are below the log start since this run. */
  readonly records: number;
  readonly segmentsDeleted: number;
}

/** Does one partition. */
export async function retainPartition(parts: RetainParts, topic: Topic, partition: number): Promise<RetainReport> {
  const { storage, clock } = parts;
  const item = await storage.table.get(headKey(topic.id, partition));
  if (item === undefined) return { records: 0, segmentsDeleted: 0 };
  let head = decodeHead(item);
  const before = head.start;
  if (configOf(topic.configs, "cleanup.policy").includes("delete")) {
    const pieces = (await piecesFrom(storage, topic, partition, head)).map(kept);
    const policy = {
      retentionMs: configNumber(topic.configs, "retention.ms"),
      retentionBytes: configNumber(topic.configs, "retention.bytes"),
    };
    const start = startAfterRetention(pieces, head.start, policy, clock.nowMs());
    if (start > head.start) {
      const moved = await moveLogStart(storage.table, topic.id, partition, head.start, start);
      if (moved === undefined) return { records: 0, segmentsDeleted: 0 };
      head = moved;
    }
  }
  const segmentsDeleted = await dropSegments(storage, topic, partition, head.start);
  await dropRuns(parts, topic, partition, head.start);
  await dropRefs(parts, topic, partition, head);
  return { records: head.start - before, segmentsDeleted };
}

function kept(piece: Located): { end: number; maxTimestampMs: number; sizeBytes: number } {
  return {
    end: piece.end,
    maxTimestampMs: piece.maxTimestampMs,
    sizeBytes: piece.kind === "ref" ? piece.ref.sizeBytes : piece.segment.sizeBytes,
  };
}

async function piecesFrom(storage: Storage, topic: Topic, partition: number, head: Head): Promise<Located[]> {
  const pieces = await readPieces(storage.table, topic.id, partition, head, head.start);
  // An index that moves meanwhile is looked at the next time.
  return (pieces[0]?.base ?? 0) <= head.start ? pieces.filter(({ end }) => end > head.start) : [];
}

/** Sort keys of what ends below this offset. */
function below(prefix: "S" | "R", offset: number): { readonly from: string; readonly to: string } | undefined {
  return offset === 0 ? undefined : { from: `${prefix}#`, to: `${prefix}#${offsetKey(offset - 1)}` };
}

async function dropSegments(storage: Storage, topic: Topic, partition: number, start: number): Promise<number> {
  const range = below("S", start);
  const found = range === undefined ? [] : await storage.table.range(partitionKey(topic.id, partition), range);
  for (const { key, item } of found) {
    await storage.bucket.delete([segmentObject(topic.id, partition, decodeSegment(key, item))]);
    await storage.table.write({ op: "delete", key });
  }
  return found.length;
}

async function dropRuns({ storage, clock, graceMs }: RetainParts, topic: Topic, partition: number, start: number): Promise<void> {
  const range = below("R", start);
  const found = range === undefined ? [] : await storage.table.range(partitionKey(topic.id, partition), range);
  for (const run of found) {
    const refs = refsOfRun(run);
    if (!refs.every((one) => isOld(one, clock, graceMs))) return;
    await noteClaimed(storage.table, clock, topic.id, partition, refs);
    await deleteBlobs(storage, topic.id, partition, refs);
    await storage.table.write({ op: "delete", key: run.key });
  }
}

async function dropRefs({ storage, clock, graceMs }: RetainParts, topic: Topic, partition: number, head: Head): Promise<void> {
  const tail = refsOfTail(head);
  const upTo = tail.findIndex((one) => one.end > head.start || !isOld(one, clock, graceMs));
  const refs = (upTo < 0 ? tail : tail.slice(0, upTo)).slice(0, REFS_AT_ONCE);
  const last = refs.at(-1);
  if (last === undefined) return;
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
    if (isRefusal(error)) return;
    throw error;
  }
  await deleteBlobs(storage, topic.id, partition, refs);
}

function isOld({ ref }: LocatedRef, clock: Clock, graceMs: number): boolean {
  return clock.nowMs() - ulidTimeMs(ref.blobId) >= graceMs;
}
