/**
 * The check of batches from outside, whole, before anything is written: what Kafka's `LogValidator` refuses is refused
 * here, and what it would let through but a reader could not take.
 */

import { BrokerlessError } from "../../base/errors.ts";
import { codecOf } from "../codecs/choose.ts";
import { DEFAULT_LIMITS, MAX_DECOMPRESSION_RATIO, MAX_TIMESTAMP_MS } from "../limits.ts";
import { walkRecords } from "./decode.ts";
import { type BatchPlace, batchError, grouped, recordError } from "./errors.ts";
import { batchHeaders, computeCrc, stampMaxTimestamp } from "./header.ts";
import { COMPRESSION_BITS, CONTROL_BIT, LOG_APPEND_TIME_BIT, MAX_INT32, TRANSACTIONAL_BIT } from "./layout.ts";
import type { RecordWalker } from "./record-view.ts";
import type { BatchHeader, BatchSummary, PreparedBatches, PrepareOptions } from "./types.ts";

const KNOWN_BITS = COMPRESSION_BITS | LOG_APPEND_TIME_BIT | TRANSACTIONAL_BIT | CONTROL_BIT;

/**
 * Checks one or more batches, one after the other, that a client sent: structure, magic, CRC, codec and attributes,
 * counts, sizes, timestamps, sequence fields, and every record, decompressed within the limits.
 *
 * Where only the batch's largest timestamp is wrong (some clients leave it out) it is set and the CRC made again, in
 * `bytes`, as Kafka's brokers do; this happens when all else was found right, and never otherwise.
 *
 * Throws, with `not_applied`: `corrupt_record`, `record_too_large`, `invalid_record`, `invalid_timestamp`,
 * `unsupported_compression`, and `invalid_request` where there is no batch at all.
 */
export function prepareBatches(bytes: Uint8Array, options: PrepareOptions): PreparedBatches {
  const headers = [...batchHeaders(bytes)];
  if (headers.length === 0) throw new BrokerlessError("invalid_request", "there is no record batch in the request");
  const total = headers.length;
  const perBatchBytes = options.maxDecompressedBytes ?? DEFAULT_LIMITS.maxDecompressedBytes;
  let leftBytes = Math.max(perBatchBytes, bytes.byteLength * MAX_DECOMPRESSION_RATIO);
  const batches: BatchSummary[] = [];
  let recordCount = 0;
  let maxTimestampMs = -1;
  for (let index = 0; index < total; index++) {
    const header = headers[index]!;
    const place = { at: header.at, index, total };
    checkHeader(bytes, header, place, options);
    const walker = walkRecords(bytes, header, place, options.codecs, Math.min(perBatchBytes, leftBytes));
    if (header.compression !== "none") leftBytes -= walker.sizeBytes;
    const max = checkRecords(walker, header, place, options);
    batches.push(summaryOf(header, max));
    recordCount += header.recordCount;
    if (max > maxTimestampMs) maxTimestampMs = max;
  }
  for (let i = 0; i < total; i++) {
    const { at, maxTimestampMs } = batches[i]!;
    if (headers[i]!.maxTimestampMs !== maxTimestampMs) stampMaxTimestamp(bytes, at, maxTimestampMs);
  }
  return { bytes, batches, recordCount, maxTimestampMs };
}

/** The same for what `encodeBatch` has just made, or the log has stored: from the headers alone, nothing is checked. */
export function trustedBatches(bytes: Uint8Array): PreparedBatches {
  const batches: BatchSummary[] = [];
  let recordCount = 0;
  let maxTimestampMs = -1;
  for (const header of batchHeaders(bytes)) {
    batches.push(summaryOf(header, header.maxTimestampMs));
    recordCount += header.recordCount;
    if (header.maxTimestampMs > maxTimestampMs) maxTimestampMs = header.maxTimestampMs;
  }
  return { bytes, batches, recordCount, maxTimestampMs };
}

/** The sequence of the last of `count` records: 0 follows 2^31-1 (KIP-98). */
export function lastSequenceOf(baseSequence: number, count: number): number {
  return (baseSequence + count - 1) % (MAX_INT32 + 1);
}

function summaryOf(header: BatchHeader, maxTimestampMs: number): BatchSummary {
  const idempotent = header.producerId >= 0;
  return {
    at: header.at,
    sizeBytes: header.sizeBytes,
    recordCount: header.recordCount,
    maxTimestampMs,
    producerId: header.producerId,
    producerEpoch: idempotent ? header.producerEpoch : -1,
    baseSequence: idempotent ? header.baseSequence : -1,
    lastSequence: idempotent ? lastSequenceOf(header.baseSequence, header.recordCount) : -1,
    compression: header.compression ?? "none",
    attributes: header.attributes,
  };
}

function checkHeader(bytes: Uint8Array, header: BatchHeader, place: BatchPlace, options: PrepareOptions): void {
  const { at, sizeBytes, attributes, recordCount, producerId } = header;
  if (sizeBytes > options.maxBatchBytes) {
    const limit = `${grouped(options.maxBatchBytes)} (max.message.bytes)`;
    throw batchError("record_too_large", place, `is ${grouped(sizeBytes)} bytes; topic takes at most ${limit}`);
  }
  const crc = computeCrc(bytes, at, sizeBytes);
  if (crc !== header.crc) {
    throw batchError("corrupt_record", place, `has CRC ${hex(header.crc)}; its bytes give ${hex(crc)}`);
  }
  if (header.compression === undefined) {
    throw batchError("unsupported_compression", place, `has compression id ${attributes & COMPRESSION_BITS}; 0 to 4 are known`);
  }
  if (header.compression !== "none") codecOf(header.compression, options.codecs);
  if (attributes & ~KNOWN_BITS) {
    throw batchError("invalid_record", place, `has unknown attribute bits: ${hex(attributes & 0xffff, 4)}`);
  }
  if (header.isControl) throw batchError("invalid_record", place, "is a control batch; clients may not write those");
  if (header.isTransactional && options.allowTransactional !== true) {
    throw batchError("invalid_record", place, "belongs to a transaction; none is open here");
  }
  if (header.timestampType === "LogAppendTime" && options.timestampType !== "LogAppendTime") {
    throw batchError(
      "invalid_timestamp",
      place,
      "has timestamp type LogAppendTime, which only the log itself may set; topic has CreateTime",
    );
  }
  if (!Number.isSafeInteger(header.baseTimestampMs)) {
    throw batchError(
      "invalid_timestamp",
      place,
      `has base timestamp ${header.baseTimestampMs}; milliseconds since 1970, or -1 for none`,
    );
  }
  if (recordCount < 1) throw batchError("invalid_record", place, `has a record count of ${grouped(recordCount)}; at least 1`);
  if (header.lastOffsetDelta !== recordCount - 1) {
    const expected = `${grouped(recordCount)} records need ${grouped(recordCount - 1)}`;
    throw batchError("invalid_record", place, `has a last offset delta of ${grouped(header.lastOffsetDelta)}; ${expected}`);
  }
  if (producerId < -1 || !Number.isSafeInteger(producerId)) {
    throw batchError("invalid_record", place, `has producer id ${producerId}; -1 or 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  if (producerId >= 0 && header.producerEpoch < 0) {
    throw batchError("invalid_record", place, `has producer id ${producerId} with epoch ${header.producerEpoch}; at least 0`);
  }
  if (producerId >= 0 && header.baseSequence < 0) {
    throw batchError(
      "invalid_record",
      place,
      `has producer id ${producerId} with base sequence ${header.baseSequence}; at least 0`,
    );
  }
  if (header.isTransactional && producerId < 0) {
    throw batchError("invalid_record", place, "belongs to a transaction but has no producer id");
  }
}

/** Walks every record; answers the largest timestamp. */
function checkRecords(walker: RecordWalker, header: BatchHeader, place: BatchPlace, options: PrepareOptions): number {
  const { recordCount } = header;
  const maxHeaders = options.maxHeaders ?? DEFAULT_LIMITS.maxHeaders;
  const { earliestMs, latestMs } = timestampRange(options);
  let maxTimestampMs = -1;
  while (walker.next()) {
    const { index, timestampMs } = walker;
    if (walker.offsetDelta !== index) {
      throw recordError(
        "invalid_record",
        place,
        index,
        recordCount,
        `has offset delta ${walker.offsetDelta}; it must be ${index}`,
      );
    }
    if (!(timestampMs >= earliestMs && timestampMs <= latestMs)) {
      throw recordError("invalid_timestamp", place, index, recordCount, outOfRange(timestampMs, options));
    }
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs;
    if (walker.keyBytes < 0 && options.requireKeys === true) {
      throw recordError("invalid_record", place, index, recordCount, "has no key; a compacted topic needs one (cleanup.policy)");
    }
    if (walker.headerCount > maxHeaders) {
      const what = `has ${grouped(walker.headerCount)} headers; at most ${grouped(maxHeaders)}`;
      throw recordError("invalid_record", place, index, recordCount, what);
    }
  }
  return maxTimestampMs;
}

/** KIP-937: how far a producer's timestamps may be from now. With LogAppendTime they are not kept, so not judged. */
function timestampRange(options: PrepareOptions): { earliestMs: number; latestMs: number } {
  const judged = options.timestampType !== "LogAppendTime";
  const before = judged ? (options.timestampBeforeMaxMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  const after = judged ? (options.timestampAfterMaxMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  return {
    earliestMs: Math.max(-1, options.nowMs - before),
    latestMs: Math.min(MAX_TIMESTAMP_MS, options.nowMs + after),
  };
}

function outOfRange(timestampMs: number, options: PrepareOptions): string {
  const has = `has timestamp ${timestampMs}`;
  if (timestampMs < -1 || timestampMs > MAX_TIMESTAMP_MS) return `${has}; 0 to ${MAX_TIMESTAMP_MS}, or -1 for none`;
  return timestampMs < options.nowMs
    ? `${has}, more than ${grouped(options.timestampBeforeMaxMs ?? 0)} ms in the past (message.timestamp.before.max.ms)`
    : `${has}, more than ${grouped(options.timestampAfterMaxMs ?? 0)} ms in the future (message.timestamp.after.max.ms)`;
}

function hex(n: number, digits = 8): string {
  return `0x${n.toString(16).padStart(digits, "0")}`;
}
