/** The batches of a segment's object as a stream: whole ones, some megabytes at a time. */
import { concatBytes } from "../../../base/bytes.ts";
import { BrokerlessError } from "../../../base/errors.ts";
import { BATCH_OVERHEAD_BYTES, type BatchHeader, crcMatches, peekBatchHeader } from "../../../kafka/index.ts";
import type { Bucket } from "../../../ports/index.ts";
import { ahead } from "../ahead.ts";

const CHUNK_BYTES = 8 * 2 ** 20;
const NOTHING = new Uint8Array(0);

/** The object is not there: somebody else has replaced the segment. */
export class ObjectGone extends Error {}

/**
 * Whole batches, one after the other, from a byte at which one begins to one at which one ends. Each array is the caller's; two
 * of 8 MiB, or of the largest batch, are there at a time. Throws {@link ObjectGone}, `corrupt_log`, `StorageError`.
 */
export function readBatches(bucket: Bucket, object: string, from: number, to: number): AsyncGenerator<Uint8Array> {
  return ahead(read(bucket, object, from, to));
}

async function* read(bucket: Bucket, object: string, from: number, to: number): AsyncGenerator<Uint8Array> {
  let cut: Uint8Array = NOTHING;
  let missingBytes = 0;
  for (let at = from; at < to; ) {
    const end = Math.min(to, at + Math.max(CHUNK_BYTES, missingBytes));
    const got = await bucket.get(object, { from: at, to: end });
    if (got === undefined) throw new ObjectGone();
    if (got.byteLength !== end - at) throw new BrokerlessError("corrupt_log", `object ${object} has fewer than its ${to} bytes`);
    at = end;
    const bytes = cut.byteLength === 0 ? got : concatBytes([cut, got]);
    const wholeBytes = wholeUpTo(bytes);
    cut = bytes.subarray(wholeBytes);
    missingBytes = cut.byteLength < BATCH_OVERHEAD_BYTES ? 0 : peekBatchHeader(cut, 0).sizeBytes - cut.byteLength;
    if (wholeBytes > 0) yield bytes.subarray(0, wholeBytes);
  }
  if (cut.byteLength > 0) throw new BrokerlessError("corrupt_log", `object ${object} ends within a batch`);
}

/**
 * Throws `corrupt_log` for a batch that does not match its CRC: it must neither decide which records go, nor be written again
 * with a CRC that makes it look right.
 */
export function checkBatch(bytes: Uint8Array, { at, baseOffset, lastOffsetDelta }: BatchHeader, object: string): void {
  if (crcMatches(bytes, at)) return;
  const last = baseOffset + lastOffsetDelta;
  throw new BrokerlessError(
    "corrupt_log",
    `object ${object}: the batch of offsets ${baseOffset} to ${last} does not match its CRC`,
  );
}

/** Where the last whole batch ends. */
function wholeUpTo(bytes: Uint8Array): number {
  let at = 0;
  while (at + BATCH_OVERHEAD_BYTES <= bytes.byteLength) {
    const { sizeBytes } = peekBatchHeader(bytes, at);
    if (at + sizeBytes > bytes.byteLength) return at;
    at += sizeBytes;
  }
  return at;
}
