/**
 * Records to one batch. The size is computed first, so that there is one allocation and every byte is written once;
 * values are copied and never looked into.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { codecOf } from "../codecs/choose.ts";
import { COMPRESSION_NAMES, type CompressionName } from "../codecs/types.ts";
import { MAX_TIMESTAMP_MS } from "../limits.ts";
import { grouped } from "./errors.ts";
import { computeCrc } from "./header.ts";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_OVERHEAD_BYTES,
  CONTROL_BIT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD_BYTES,
  MAGIC,
  MAGIC_AT,
  MAX_INT32,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  TRANSACTIONAL_BIT,
  writeInt16,
  writeInt32,
  writeInt64,
} from "./layout.ts";
import type { EncodeOptions, RecordHeader, RecordInput } from "./types.ts";
import { utf8Bytes, writeUtf8 } from "./utf8.ts";
import { sizeOfVarint, writeVarint } from "./varint.ts";

/** Copying this few bytes one by one is faster than `set`. */
const SMALL_COPY_BYTES = 24;

// Body sizes of the records between the two passes. Encoding is synchronous, so one is enough; it stays small.
const MAX_KEPT_SIZES = 16_384;
let bodySizes = new Int32Array(64);

/**
 * One record batch (magic 2) with these records, in order, offset deltas 0 to n-1. The base timestamp is the first
 * record's. Throws `invalid_request` for no records, `invalid_timestamp`, `unsupported_compression`, and
 * `record_too_large` from 2 GiB on.
 */
export function encodeBatch(records: readonly RecordInput[], options: EncodeOptions): Uint8Array {
  const count = records.length;
  if (count === 0) throw new BrokerlessError("invalid_request", "a record batch needs at least one record");
  const baseTimestampMs = timestampOf(records[0]!, 0, options.timestampMs);
  if (bodySizes.length < count) bodySizes = new Int32Array(count);

  let maxTimestampMs = baseTimestampMs;
  let recordsBytes = 0;
  for (let i = 0; i < count; i++) {
    const record = records[i]!;
    const timestampMs = timestampOf(record, i, options.timestampMs);
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs;
    const size = bodySize(record, i, timestampMs - baseTimestampMs);
    bodySizes[i] = size;
    recordsBytes += sizeOfVarint(size) + size;
    if (recordsBytes > MAX_INT32 - BATCH_OVERHEAD_BYTES) throw tooLarge(i, count);
  }

  const compression = options.compression ?? "none";
  let batch: Uint8Array;
  if (compression === "none") {
    batch = new Uint8Array(BATCH_OVERHEAD_BYTES + recordsBytes);
    writeRecords(batch, BATCH_OVERHEAD_BYTES, records, baseTimestampMs, options.timestampMs);
  } else {
    const codec = codecOf(compression, options.codecs);
    const plain = new Uint8Array(recordsBytes);
    writeRecords(plain, 0, records, baseTimestampMs, options.timestampMs);
    const packed = codec.compress(plain);
    batch = new Uint8Array(BATCH_OVERHEAD_BYTES + packed.byteLength);
    batch.set(packed, BATCH_OVERHEAD_BYTES);
  }
  if (bodySizes.length > MAX_KEPT_SIZES) bodySizes = new Int32Array(64);

  writeHeader(batch, count, compression, baseTimestampMs, maxTimestampMs, options);
  return batch;
}

function timestampOf(record: RecordInput, index: number, defaultMs: number): number {
  const timestampMs = record.timestampMs ?? defaultMs;
  if (Number.isInteger(timestampMs) && timestampMs >= -1 && timestampMs <= MAX_TIMESTAMP_MS) return timestampMs;
  throw new BrokerlessError(
    "invalid_timestamp",
    `record ${index + 1}: timestampMs is ${timestampMs}; it must be a whole number of milliseconds from 0 to ${MAX_TIMESTAMP_MS}, or -1 for none`,
    { field: `records[${index}].timestampMs` },
  );
}

function tooLarge(index: number, count: number): BrokerlessError {
  return new BrokerlessError(
    "record_too_large",
    `record ${index + 1} of ${count} makes the batch larger than ${grouped(MAX_INT32)} bytes, the most the format can hold`,
  );
}

/** Everything of a record after its length: attributes (1 byte, unused), deltas, key, value, headers. */
function bodySize(record: RecordInput, index: number, timestampDeltaMs: number): number {
  const { key, value, headers } = record;
  let size = 1 + sizeOfVarint(timestampDeltaMs) + sizeOfVarint(index);
  size += key === null ? 1 : sizeOfVarint(key.byteLength) + key.byteLength;
  size += value === null ? 1 : sizeOfVarint(value.byteLength) + value.byteLength;
  if (headers === undefined) return size + 1;
  size += sizeOfVarint(headers.length);
  for (const header of headers) size += headerSize(header);
  return size;
}

function headerSize({ key, value }: RecordHeader): number {
  const keyBytes = utf8Bytes(key);
  return sizeOfVarint(keyBytes) + keyBytes + (value === null ? 1 : sizeOfVarint(value.byteLength) + value.byteLength);
}

function writeRecords(
  out: Uint8Array,
  at: number,
  records: readonly RecordInput[],
  baseTimestampMs: number,
  defaultMs: number,
): void {
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!;
    at = writeVarint(out, at, bodySizes[i]!);
    out[at++] = 0;
    at = writeVarint(out, at, (record.timestampMs ?? defaultMs) - baseTimestampMs);
    at = writeVarint(out, at, i);
    at = writeBytes(out, at, record.key);
    at = writeBytes(out, at, record.value);
    const headers = record.headers;
    if (headers === undefined || headers.length === 0) {
      out[at++] = 0;
      continue;
    }
    at = writeVarint(out, at, headers.length);
    for (const header of headers) {
      const keyBytes = utf8Bytes(header.key);
      at = writeVarint(out, at, keyBytes);
      at = writeUtf8(out, at, header.key, keyBytes);
      at = writeBytes(out, at, header.value);
    }
  }
}

/** Length and bytes; null is length -1. */
function writeBytes(out: Uint8Array, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) {
    out[at] = 1;
    return at + 1;
  }
  const size = bytes.byteLength;
  at = writeVarint(out, at, size);
  if (size > SMALL_COPY_BYTES) out.set(bytes, at);
  else for (let i = 0; i < size; i++) out[at + i] = bytes[i]!;
  return at + size;
}

function writeHeader(
  batch: Uint8Array,
  count: number,
  compression: CompressionName,
  baseTimestampMs: number,
  maxTimestampMs: number,
  options: EncodeOptions,
): void {
  writeInt64(batch, BASE_OFFSET_AT, options.baseOffset ?? 0);
  writeInt32(batch, LENGTH_AT, batch.byteLength - LENGTH_OVERHEAD_BYTES);
  batch[MAGIC_AT] = MAGIC; // the leader epoch before it stays 0
  const bits = (options.transactional === true ? TRANSACTIONAL_BIT : 0) | (options.control === true ? CONTROL_BIT : 0);
  writeInt16(batch, ATTRIBUTES_AT, COMPRESSION_NAMES.indexOf(compression) | bits);
  writeInt32(batch, LAST_OFFSET_DELTA_AT, count - 1);
  writeInt64(batch, BASE_TIMESTAMP_AT, baseTimestampMs);
  writeInt64(batch, MAX_TIMESTAMP_AT, maxTimestampMs);
  writeInt64(batch, PRODUCER_ID_AT, options.producerId ?? -1);
  writeInt16(batch, PRODUCER_EPOCH_AT, options.producerEpoch ?? -1);
  writeInt32(batch, BASE_SEQUENCE_AT, options.baseSequence ?? -1);
  writeInt32(batch, RECORD_COUNT_AT, count);
  writeInt32(batch, CRC_AT, computeCrc(batch, 0, batch.byteLength));
}
