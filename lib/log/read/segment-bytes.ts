/** Batches out of a segment object by ranged gets: from the sparse index to the batch wanted, and as much as is asked for. */
import { BrokerlessError } from "../../base/errors.ts";
import { BATCH_OVERHEAD_BYTES, batchSizeOf, readBatchHeader } from "../../kafka/index.ts";
import type { Bucket } from "../../ports/index.ts";
import type { Segment } from "../items/segment.ts";
import { positionsAround } from "../items/segment-index.ts";
import type { Assembled } from "./assemble.ts";

/**
 * Whole batches of a segment from the one that holds `offset`, or the first one after it where it was compacted away: the
 * first whatever its size and then as many as stay within `maxBytes`. Undefined when the object is not there. One get, or
 * two where the first batch is larger than asked for. Throws `corrupt_log` when the object does not hold what the index says.
 */
export async function segmentBytes(
  bucket: Bucket,
  key: string,
  segment: Segment,
  offset: number,
  maxBytes: number,
): Promise<Assembled | undefined> {
  const { from, to: before } = positionsAround(segment, offset);
  let to = Math.min(segment.sizeBytes, before + maxBytes);
  for (;;) {
    const bytes = await bucket.get(key, { from, to });
    if (bytes === undefined) return undefined;
    if (bytes.byteLength !== to - from) throw damagedSegment(key, segment, `has fewer than its ${segment.sizeBytes} bytes`);
    const found = cutBatches(key, segment, bytes, offset, maxBytes);
    if (typeof found !== "number") return found;
    // The batch that is wanted ends beyond what was read.
    if (to === segment.sizeBytes) throw damagedSegment(key, segment, `ends before offset ${offset}`);
    to = Math.min(segment.sizeBytes, from + found + maxBytes);
  }
}

/** The batches wanted, or how many bytes are needed at least to have the first of them. */
function cut(bytes: Uint8Array, offset: number, maxBytes: number): Assembled | number {
  let first = -1;
  let end = 0;
  let nextOffset = offset;
  for (let at = 0; at < bytes.byteLength; ) {
    if (at + BATCH_OVERHEAD_BYTES > bytes.byteLength)
      return first < 0 ? at + BATCH_OVERHEAD_BYTES : { bytes: bytes.subarray(first, end), nextOffset };
    const sizeBytes = batchSizeOf(bytes, at);
    if (at + sizeBytes > bytes.byteLength) return first < 0 ? at + sizeBytes : { bytes: bytes.subarray(first, end), nextOffset };
    const batch = readBatchHeader(bytes, at);
    const next = batch.baseOffset + batch.lastOffsetDelta + 1;
    at += sizeBytes;
    if (next <= offset) continue;
    if (first < 0) first = at - sizeBytes;
    else if (at - first > maxBytes) return { bytes: bytes.subarray(first, end), nextOffset };
    end = at;
    nextOffset = next;
  }
  if (first < 0) return bytes.byteLength + BATCH_OVERHEAD_BYTES;
  return { bytes: bytes.subarray(first, end), nextOffset };
}

function cutBatches(key: string, segment: Segment, bytes: Uint8Array, offset: number, maxBytes: number): Assembled | number {
  try {
    return cut(bytes, offset, maxBytes);
  } catch (error) {
    if (!(error instanceof BrokerlessError)) throw error;
    throw damagedSegment(key, segment, `has no batch where one should be: ${error.message}`, error);
  }
}

/** Names the object and what it covers, so that a reader can go on behind it. */
export function damagedSegment(key: string, { base, last }: Segment, what: string, cause?: unknown): BrokerlessError {
  return new BrokerlessError("corrupt_log", `segment ${key} (offsets ${base} to ${last}) ${what}`, {
    details: { object: key, nextOffset: last + 1 },
    cause,
  });
}
