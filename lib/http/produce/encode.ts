/** Records to record batches that the topic takes: none over `max.message.bytes`, none without a key where keys are needed. */
import { concatBytes } from "../../base/bytes.ts";
import { BrokerlessError } from "../../base/errors.ts";
import {
  BATCH_OVERHEAD_BYTES,
  type Codecs,
  encodeBatch,
  type PreparedBatches,
  type RecordInput,
  trustedBatches,
} from "../../kafka/index.ts";
import { formatCount } from "../limits.ts";
import type { ProduceSettings } from "./settings.ts";

/** An idempotent producer's place, from the request's headers. */
export interface ProducerPlace {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Of the first record. */
  readonly baseSequence: number;
}

export interface EncodeContext {
  readonly topic: string;
  readonly settings: ProduceSettings;
  readonly codecs: Codecs;
  readonly nowMs: number;
  readonly producer?: ProducerPlace | undefined;
  /** What a record is called in the request, by its index: `records[3]`. */
  readonly fieldOf: (index: number) => string;
}

/** The most that a record's length, attributes, deltas and field lengths take, as varints. */
const RECORD_OVERHEAD_BYTES = 5 + 1 + 10 + 5 + 5 + 5 + 5;
const HEADER_OVERHEAD_BYTES = 10;
const SEQUENCES = 2 ** 31;

/** Throws `record_too_large`, `invalid_record`. */
export function encodeRecords(records: readonly RecordInput[], context: EncodeContext): PreparedBatches {
  const roomBytes = context.settings.maxMessageBytes - BATCH_OVERHEAD_BYTES;
  const batches: Uint8Array[] = [];
  let from = 0;
  let sizeBytes = 0;
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as RecordInput;
    if (context.settings.compacted && record.key === null) throw keyNeeded(records, i, context);
    const recordBytes = recordSizeBytes(record);
    if (i > from && sizeBytes + recordBytes > roomBytes) {
      batches.push(encodeRange(records, from, i, context));
      from = i;
      sizeBytes = 0;
    }
    sizeBytes += recordBytes;
  }
  batches.push(encodeRange(records, from, records.length, context));
  return trustedBatches(concatBytes(batches));
}

function encodeRange(records: readonly RecordInput[], from: number, to: number, context: EncodeContext): Uint8Array {
  const { producer, settings, codecs, nowMs } = context;
  const batch = encodeBatch(from === 0 && to === records.length ? records : records.slice(from, to), {
    timestampMs: nowMs,
    compression: settings.compression,
    codecs,
    ...(producer === undefined ? {} : { ...producer, baseSequence: (producer.baseSequence + from) % SEQUENCES }),
  });
  if (batch.byteLength > settings.maxMessageBytes) throw recordTooLarge(records, from, batch.byteLength, context);
  return batch;
}

/** At most so many bytes in a batch, uncompressed. */
export function recordSizeBytes(record: RecordInput): number {
  let sizeBytes = RECORD_OVERHEAD_BYTES + (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
  if (record.headers !== undefined) {
    for (const { key, value } of record.headers) sizeBytes += HEADER_OVERHEAD_BYTES + key.length * 3 + (value?.byteLength ?? 0);
  }
  return sizeBytes;
}

function recordTooLarge(
  records: readonly RecordInput[],
  index: number,
  batchBytes: number,
  context: EncodeContext,
): BrokerlessError {
  const { topic, settings, fieldOf } = context;
  return new BrokerlessError(
    "record_too_large",
    `record ${index + 1} of ${records.length} makes a batch of ${formatCount(batchBytes)} bytes; topic "${topic}" takes at most ` +
      `${formatCount(settings.maxMessageBytes)} (max.message.bytes)`,
    { field: fieldOf(index) },
  );
}

function keyNeeded(records: readonly RecordInput[], index: number, context: EncodeContext): BrokerlessError {
  return new BrokerlessError(
    "invalid_record",
    `record ${index + 1} of ${records.length} has no key; topic "${context.topic}" is compacted and needs one`,
    { field: `${context.fieldOf(index)}.key` },
  );
}
