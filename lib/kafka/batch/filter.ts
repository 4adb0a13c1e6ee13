/**
 * A batch with some of its records taken out, as Kafka's log cleaner writes it (`MemoryRecords.filterTo`): base offset, last
 * offset, producer and sequence stay, so do the offsets of the records that are left, and it has the same codec.
 *
 * The delete horizon (KIP-534): the time from which on tombstones of the batch may go. It stands in the place of the base
 * timestamp, marked by attribute bit 6; the records' timestamps are then told from it.
 */
import { codecOf } from "../codecs/choose.ts";
import type { Codecs } from "../codecs/types.ts";
import { walkRecords } from "./decode.ts";
import { computeCrc } from "./header.ts";
import {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  BATCH_OVERHEAD_BYTES,
  COMPRESSION_BITS,
  CRC_AT,
  DELETE_HORIZON_BIT,
  LENGTH_AT,
  LENGTH_OVERHEAD_BYTES,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
  writeInt16,
  writeInt32,
  writeInt64,
} from "./layout.ts";
import type { RecordView, RecordWalker } from "./record-view.ts";
import type { BatchHeader } from "./types.ts";
import { sizeOfVarint, writeVarint } from "./varint.ts";

/** The time from which on the batch's tombstones may go; undefined where none was set. */
export function deleteHorizonOf({ attributes, baseTimestampMs }: BatchHeader): number | undefined {
  return (attributes & DELETE_HORIZON_BIT) === 0 ? undefined : baseTimestampMs;
}

/**
 * The batch with the records that `retain` keeps: the same bytes where it keeps all, undefined where it keeps none. A batch
 * without a delete horizon that keeps a tombstone (null value) gets `deleteHorizonMs`. Throws as `forEachRecord`.
 */
export function filterBatch(
  bytes: Uint8Array,
  header: BatchHeader,
  codecs: Codecs,
  retain: (record: RecordView) => boolean,
  deleteHorizonMs: number,
): Uint8Array | undefined {
  const walker = walkRecords(bytes, header, header, codecs);
  /** First and last byte of stretches that are kept, and where nothing is rewritten they are copied as they are. */
  const stretches: number[] = [];
  let count = 0;
  let tombstones = false;
  let maxTimestampMs = -1;
  while (walker.next()) {
    if (!retain(walker)) continue;
    count++;
    if (walker.valueBytes < 0) tombstones = true;
    if (walker.timestampMs > maxTimestampMs) maxTimestampMs = walker.timestampMs;
    if (stretches.at(-1) === walker.from) stretches[stretches.length - 1] = walker.to;
    else stretches.push(walker.from, walker.to);
  }
  if (count === 0) return undefined;
  const horizon = tombstones && deleteHorizonOf(header) === undefined ? deleteHorizonMs : undefined;
  if (count === header.recordCount && horizon === undefined) return bytes.subarray(header.at, header.at + header.sizeBytes);
  const plain = horizon === undefined ? copied(walker.source, stretches) : rebased(bytes, header, codecs, retain, horizon);
  const records = header.compression === "none" ? plain : codecOf(header.compression ?? "none", codecs).compress(plain);
  const out = new Uint8Array(BATCH_OVERHEAD_BYTES + records.byteLength);
  out.set(bytes.subarray(header.at, header.at + BATCH_OVERHEAD_BYTES));
  out.set(records, BATCH_OVERHEAD_BYTES);
  if (horizon !== undefined) {
    writeInt16(out, ATTRIBUTES_AT, header.attributes | DELETE_HORIZON_BIT);
    writeInt64(out, BASE_TIMESTAMP_AT, horizon);
  }
  if (header.timestampType === "CreateTime") writeInt64(out, MAX_TIMESTAMP_AT, maxTimestampMs);
  return sealed(out, count);
}

/** The batch without a record: it keeps the place of its offsets and its producer's sequence. */
export function emptyBatch(bytes: Uint8Array, header: BatchHeader): Uint8Array {
  const out = bytes.slice(header.at, header.at + BATCH_OVERHEAD_BYTES);
  writeInt16(out, ATTRIBUTES_AT, header.attributes & ~(COMPRESSION_BITS | DELETE_HORIZON_BIT));
  writeInt64(out, BASE_TIMESTAMP_AT, -1);
  return sealed(out, 0);
}

function sealed(out: Uint8Array, count: number): Uint8Array {
  writeInt32(out, LENGTH_AT, out.byteLength - LENGTH_OVERHEAD_BYTES);
  writeInt32(out, RECORD_COUNT_AT, count);
  writeInt32(out, CRC_AT, computeCrc(out, 0, out.byteLength));
  return out;
}

function copied(source: Uint8Array, stretches: readonly number[]): Uint8Array {
  let sizeBytes = 0;
  for (let i = 0; i < stretches.length; i += 2) sizeBytes += stretches[i + 1]! - stretches[i]!;
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (let i = 0; i < stretches.length; i += 2) {
    out.set(source.subarray(stretches[i], stretches[i + 1]), at);
    at += stretches[i + 1]! - stretches[i]!;
  }
  return out;
}

/** The records that are kept, their timestamps told from another base. */
function rebased(
  bytes: Uint8Array,
  header: BatchHeader,
  codecs: Codecs,
  retain: (record: RecordView) => boolean,
  baseTimestampMs: number,
): Uint8Array {
  const walker = walkRecords(bytes, header, header, codecs);
  // A timestamp takes ten bytes at most, and the size before it grows by less than that.
  const out = new Uint8Array(walker.sizeBytes + header.recordCount * 16);
  let at = 0;
  while (walker.next()) if (retain(walker)) at = writeRebased(out, at, walker, walker.timestampMs - baseTimestampMs);
  return out.subarray(0, at);
}

function writeRebased(out: Uint8Array, at: number, { source, afterTimestamp, to }: RecordWalker, deltaMs: number): number {
  const restBytes = to - afterTimestamp;
  at = writeVarint(out, at, 1 + sizeOfVarint(deltaMs) + restBytes);
  out[at++] = 0; // attributes: unused by Kafka
  at = writeVarint(out, at, deltaMs);
  out.set(source.subarray(afterTimestamp, to), at);
  return at + restBytes;
}
