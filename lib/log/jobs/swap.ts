/**
 * Putting a segment into the index in the place of what it was made of: one transaction, on condition that all of that is
 * still there as it was read, and that the fence is below the segment's object. So of two jobs that work on the same, one is
 * refused; and an object that the sweeper has judged is not referred to afterwards.
 */
import type { Check, Condition, Write } from "../../ports/index.ts";
import { StorageError } from "../../ports/index.ts";
import { belowFence, readFence, rollPastFence } from "../items/fence.ts";
import { encodeSegment, isSegment, type Segment, segmentKey, segmentObject } from "../items/segment.ts";
import { isRefusal } from "../storage-errors.ts";
import type { JobParts } from "./job.ts";

/** The most that one transaction takes beside the segment, a mark and the fence. */
export const SWAPPED_MOST = 96;

/** An id for a new object, above the fence whatever the clock says. The fence is there afterwards. */
export async function objectId({ storage: { table }, ids }: JobParts, topicId: string, partition: number): Promise<Uint8Array> {
  return ids.ulid(await readFence(table, topicId, partition));
}

export interface Swap {
  readonly segment: Segment;
  /** Of the item that the segment's key has by now. */
  readonly when: Condition;
  /** It is made of runs: offsets that were rolled before are refused (F2 of `items/fence.ts`). */
  readonly rolls: boolean;
  /** Takes the rest of what it was made of out of the index. */
  readonly others: readonly (Write | Check)[];
}

/** False when it was refused: nothing will ever name the object then, so it is deleted. Throws `StorageError`. */
export async function swapIn({ storage }: JobParts, topicId: string, partition: number, swap: Swap): Promise<boolean> {
  const { segment, when, rolls, others } = swap;
  const { id, base, last } = segment;
  const put: Write = { op: "put", key: segmentKey(topicId, partition, segment.last), item: encodeSegment(segment), when: [when] };
  const fence = rolls ? rollPastFence(topicId, partition, id, base, last) : belowFence(topicId, partition, id);
  try {
    await storage.table.atomically([put, ...others, fence]);
    return true;
  } catch (error) {
    // Where the outcome is unknown the object stays: the index may name it, and the sweeper looks.
    if (!(error instanceof StorageError) || error.outcome === "unknown") throw error;
    await storage.bucket.delete([segmentObject(topicId, partition, segment)]);
    if (!isRefusal(error)) throw error;
    return false;
  }
}

/**
 * Puts a segment in the place of those that it was made of, on condition that each is still the one that was read, and then
 * deletes their objects. False when it was refused. A crash in between leaves objects that no index names.
 */
export async function replaceSegments(
  parts: JobParts,
  topicId: string,
  partition: number,
  sources: readonly Segment[],
  segment: Segment,
): Promise<boolean> {
  const others = sources
    .slice(0, -1)
    .map((source): Write => ({ op: "delete", key: segmentKey(topicId, partition, source.last), when: [isSegment(source)] }));
  const swap = { segment, when: isSegment(sources.at(-1) as Segment), rolls: false, others };
  if (!(await swapIn(parts, topicId, partition, swap))) return false;
  await parts.storage.bucket.delete(sources.map((source) => segmentObject(topicId, partition, source)));
  return true;
}
