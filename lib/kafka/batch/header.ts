/** The 61 bytes before the records: read, walk from batch to batch, overwrite what storage and broker decide. */
import { invariant } from "../../base/assert.ts";
import { COMPRESSION_NAMES } from "../codecs/types.ts";
import { crc32c } from "../crc32c.ts";
import { batchError, grouped } from "./errors.ts";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_OVERHEAD_BYTES,
  COMPRESSION_BITS,
  CONTROL_BIT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD_BYTES,
  LOG_APPEND_TIME_BIT,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  readInt16,
  readInt32,
  readInt64,
  TRANSACTIONAL_BIT,
  writeInt16,
  writeInt32,
  writeInt64,
} from "./layout.ts";
import type { BatchHeader } from "./types.ts";

/**
 * The header of the batch that begins at byte `at`. Checks that the whole batch is there and that its magic is 2, and
 * nothing else; throws `corrupt_record`, or `invalid_record` for the older formats (magic 0 and 1).
 */
export function readBatchHeader(bytes: Uint8Array, at: number): BatchHeader {
  const header = peekBatchHeader(bytes, at);
  const left = bytes.byteLength - at;
  if (header.sizeBytes > left) {
    throw batchError("corrupt_record", { at }, `is cut: ${grouped(left)} of its ${grouped(header.sizeBytes)} bytes are there`);
  }
  return header;
}

/** As {@link readBatchHeader}, of a batch whose first 61 bytes are there, whether or not the rest of it is. */
export function peekBatchHeader(bytes: Uint8Array, at: number): BatchHeader {
  const sizeBytes = statedSizeAt(bytes, at);
  const attributes = readInt16(bytes, at + ATTRIBUTES_AT);
  return {
    at,
    sizeBytes,
    baseOffset: readInt64(bytes, at + BASE_OFFSET_AT),
    partitionLeaderEpoch: readInt32(bytes, at + LEADER_EPOCH_AT),
    crc: readInt32(bytes, at + CRC_AT) >>> 0,
    attributes,
    compression: COMPRESSION_NAMES[attributes & COMPRESSION_BITS],
    timestampType: attributes & LOG_APPEND_TIME_BIT ? "LogAppendTime" : "CreateTime",
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: (attributes & CONTROL_BIT) !== 0,
    lastOffsetDelta: readInt32(bytes, at + LAST_OFFSET_DELTA_AT),
    baseTimestampMs: readInt64(bytes, at + BASE_TIMESTAMP_AT),
    maxTimestampMs: readInt64(bytes, at + MAX_TIMESTAMP_AT),
    producerId: readInt64(bytes, at + PRODUCER_ID_AT),
    producerEpoch: readInt16(bytes, at + PRODUCER_EPOCH_AT),
    baseSequence: readInt32(bytes, at + BASE_SEQUENCE_AT),
    recordCount: readInt32(bytes, at + RECORD_COUNT_AT),
  };
}

/** The size that the batch at byte `at` says it has; throws as {@link readBatchHeader}. */
function statedSizeAt(bytes: Uint8Array, at: number): number {
  const left = bytes.byteLength - at;
  // The magic is at the same place in every format there ever was.
  if (left > MAGIC_AT) {
    const magic = bytes[at + MAGIC_AT]!;
    if (magic < MAGIC)
      throw batchError("invalid_record", { at }, `has the old format ${magic}; only magic 2 (Kafka 0.11 and later) is taken`);
    if (magic > MAGIC) throw batchError("corrupt_record", { at }, `has magic ${magic}; it must be 2`);
  }
  if (left < BATCH_OVERHEAD_BYTES) {
    throw batchError(
      "corrupt_record",
      { at },
      `is cut: ${grouped(Math.max(left, 0))} of the ${BATCH_OVERHEAD_BYTES} bytes of its header are there`,
    );
  }
  const length = readInt32(bytes, at + LENGTH_AT);
  const sizeBytes = length + LENGTH_OVERHEAD_BYTES;
  if (sizeBytes < BATCH_OVERHEAD_BYTES) {
    const least = BATCH_OVERHEAD_BYTES - LENGTH_OVERHEAD_BYTES;
    throw batchError("corrupt_record", { at }, `says that its length is ${grouped(length)}; at least ${least} is possible`);
  }
  return sizeBytes;
}

/** The size of the batch that begins at byte `at`, all of which is there; throws as {@link readBatchHeader}. */
function batchSizeAt(bytes: Uint8Array, at: number): number {
  return readBatchHeader(bytes, at).sizeBytes;
}

/** The size of the batch whose first 61 bytes are there, whether or not the rest of it is. */
export function batchSizeOf(bytes: Uint8Array, at: number): number {
  invariant(at + BATCH_OVERHEAD_BYTES <= bytes.byteLength, "the header of the batch is whole");
  return readInt32(bytes, at + LENGTH_AT) + LENGTH_OVERHEAD_BYTES;
}

/** The headers of batches that follow each other. Throws where {@link readBatchHeader} does, so for a cut one at the end. */
export function* batchHeaders(bytes: Uint8Array): Generator<BatchHeader> {
  for (let at = 0; at < bytes.byteLength; ) {
    const header = readBatchHeader(bytes, at);
    yield header;
    at += header.sizeBytes;
  }
}

/** The attributes of batches that follow each other, and nothing else of them. */
export function* peekAttributes(bytes: Uint8Array): Generator<number> {
  for (let at = 0; at + BATCH_OVERHEAD_BYTES <= bytes.byteLength; at += batchSizeOf(bytes, at)) {
    yield readInt16(bytes, at + ATTRIBUTES_AT);
  }
}

/** The CRC-32C that the batch at byte `at` should have. */
export function computeCrc(bytes: Uint8Array, at: number, sizeBytes: number): number {
  return crc32c(bytes, at + ATTRIBUTES_AT, at + sizeBytes);
}

/** Is the CRC of the batch at byte `at` right? Throws as {@link readBatchHeader}. */
export function crcMatches(bytes: Uint8Array, at: number): boolean {
  const sizeBytes = batchSizeAt(bytes, at);
  return readInt32(bytes, at + CRC_AT) >>> 0 === computeCrc(bytes, at, sizeBytes);
}

/** Sets base offset and leader epoch of the batch at byte `at`: 12 bytes that the CRC does not cover. */
export function stampOffset(bytes: Uint8Array, at: number, baseOffset: number, leaderEpoch: number): void {
  invariant(at + BATCH_OVERHEAD_BYTES <= bytes.byteLength, "the batch that is stamped is whole");
  writeInt64(bytes, at + BASE_OFFSET_AT, baseOffset);
  writeInt32(bytes, at + LEADER_EPOCH_AT, leaderEpoch);
}

/**
 * Gives the batch at byte `at` the time of its append, as Kafka's brokers do for `message.timestamp.type=LogAppendTime`:
 * sets attribute bit 3 and the largest timestamp, which readers then take for every record, and makes the CRC again.
 * The base timestamp and the deltas stay.
 */
export function stampLogAppendTime(bytes: Uint8Array, at: number, timestampMs: number): void {
  const sizeBytes = batchSizeAt(bytes, at);
  writeInt16(bytes, at + ATTRIBUTES_AT, readInt16(bytes, at + ATTRIBUTES_AT) | LOG_APPEND_TIME_BIT);
  writeInt64(bytes, at + MAX_TIMESTAMP_AT, timestampMs);
  writeInt32(bytes, at + CRC_AT, computeCrc(bytes, at, sizeBytes));
}

/** Sets the largest timestamp of the batch at byte `at`, and makes the CRC again. */
export function stampMaxTimestamp(bytes: Uint8Array, at: number, timestampMs: number): void {
  const sizeBytes = batchSizeAt(bytes, at);
  writeInt64(bytes, at + MAX_TIMESTAMP_AT, timestampMs);
  writeInt32(bytes, at + CRC_AT, computeCrc(bytes, at, sizeBytes));
}
