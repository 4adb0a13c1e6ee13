/** A record as the caller gives it, checked and as bytes. */
import { BrokerlessError } from "../../base/errors.ts";
import type { RecordHeader } from "../../kafka/index.ts";
import { invalid } from "../options.ts";
import { toBytes } from "../text.ts";
import type { Completion, PendingRecord, ProducerRecord } from "./types.ts";

/** More than the varints of one record can take: lengths, deltas, attributes. */
const RECORD_OVERHEAD_BYTES = 36;
const HEADER_OVERHEAD_BYTES = 10;
const MAX_PARTITION = 2 ** 31 - 1;

/** Throws `invalid_request` naming the field. */
export function pendingRecord(record: ProducerRecord, nowMs: number, completion: Completion, index: number): PendingRecord {
  const { topic, partition, timestampMs = nowMs } = record;
  if (typeof topic !== "string" || topic === "") throw invalid("topic", "must be the name of a topic", topic);
  if (partition !== undefined && !(Number.isSafeInteger(partition) && partition >= 0 && partition <= MAX_PARTITION)) {
    throw invalid("partition", "must be a whole number from 0", partition);
  }
  if (!Number.isSafeInteger(timestampMs) || timestampMs < 0) {
    throw invalid("timestampMs", "must be whole milliseconds since 1970", timestampMs);
  }
  const key = bytesOf("key", record.key);
  const value = bytesOf("value", record.value);
  const headers = record.headers === undefined ? undefined : headersOf(record.headers);
  let sizeBytes = RECORD_OVERHEAD_BYTES + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  // A character takes at most 3 bytes for each of its UTF-16 units.
  for (const header of headers ?? []) {
    sizeBytes += HEADER_OVERHEAD_BYTES + header.key.length * 3 + (header.value?.byteLength ?? 0);
  }
  return { topic, key, value, headers, partition, timestampMs, sizeBytes, completion, index };
}

function bytesOf(field: string, value: unknown): Uint8Array | null {
  if (value === undefined || value === null || typeof value === "string" || value instanceof Uint8Array) {
    return toBytes(value as string | Uint8Array | null | undefined);
  }
  throw new BrokerlessError(
    "invalid_request",
    `${field} must be text, bytes (Uint8Array) or null; it is ${typeof value} (json(value) makes JSON text)`,
    { field },
  );
}

function headersOf(headers: NonNullable<ProducerRecord["headers"]>): RecordHeader[] {
  const entries = isList(headers) ? headers.map((header) => [header.key, header.value] as const) : Object.entries(headers);
  return entries.map(([key, value], i) => {
    if (typeof key !== "string") throw invalid(`headers[${i}].key`, "must be text", key);
    return { key, value: bytesOf(`headers[${i}].value`, value) };
  });
}

function isList(headers: NonNullable<ProducerRecord["headers"]>): headers is Extract<typeof headers, readonly unknown[]> {
  return Array.isArray(headers);
}
