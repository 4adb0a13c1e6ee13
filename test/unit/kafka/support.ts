/** Records for the tests of the formats: arbitraries, goldens, and the two oracles behind one shape. */
import { createRequire } from "node:module";
import fc from "fast-check";
import type { KafkaRecord, RecordHeader, RecordInput } from "../../../lib/kafka/index.ts";

export const NOW_MS = 1_700_000_000_000;

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** Without the byte pool below it: what a Buffer holds, as a Uint8Array of its own. */
export function plain(bytes: Uint8Array | null | undefined): Uint8Array | null {
  return bytes == null ? null : new Uint8Array(bytes);
}

/** Bytes that look random but are the same each time. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let x = seed >>> 0 || 1;
  for (let i = 0; i < size; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

/** What a record is when it was read, from what was written. */
export function expectedRecords(records: readonly RecordInput[], defaultMs: number, baseOffset = 0): KafkaRecord[] {
  return records.map((record, i) => ({
    offset: baseOffset + i,
    timestampMs: record.timestampMs ?? defaultMs,
    timestampType: "CreateTime",
    key: record.key,
    value: record.value,
    headers: record.headers ?? [],
  }));
}

/** Copies out of views, so that `toEqual` compares bytes and not kinds of arrays. */
export function copied(records: readonly KafkaRecord[]): KafkaRecord[] {
  return records.map((record) => ({
    ...record,
    key: plain(record.key),
    value: plain(record.value),
    headers: record.headers.map(({ key, value }) => ({ key, value: plain(value) })),
  }));
}

const bytes = fc.oneof(
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 0, max: 9000 })).map(repeated),
  },
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.integer()).map(([size, seed]) => noise(size, seed)) },
);

/** Long and compressible. */
function repeated([piece, size]: [Uint8Array, number]): Uint8Array {
  const out = new Uint8Array(size);
  for (let i = 0; i < size; i++) out[i] = piece[i % piece.length]!;
  return out;
}

const header: fc.Arbitrary<RecordHeader> = fc.record({
  key: fc.string({ unit: "grapheme", maxLength: 30 }),
  value: fc.option(bytes),
});

export const timestamp = fc.oneof(
  fc.integer({ min: NOW_MS - 100_000, max: NOW_MS + 100_000 }),
  fc.integer({ min: 0, max: 8.64e15 }),
  fc.constant(-1),
);

const record: fc.Arbitrary<RecordInput> = fc.record(
  {
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.array(header, { maxLength: 4 }),
    timestampMs: timestamp,
  },
  { requiredKeys: ["key", "value"] },
);

export const records = fc.array(record, { minLength: 1, maxLength: 20 });

const require = createRequire(import.meta.url);
const kafkaJsBatch = require("kafkajs/src/protocol/recordBatch/v0");
const kafkaJsRecord = require("kafkajs/src/protocol/recordBatch/record/v0");
const kafkaJsDecoder = require("kafkajs/src/protocol/recordBatch/v0/decoder");
const KafkaJsBytes = require("kafkajs/src/protocol/decoder");
const Long = require("kafkajs/src/utils/long");

/** KafkaJS's own encoder. Its headers are an object, so here every key comes once and no value is null. */
export async function kafkaJsEncode(records: readonly RecordInput[], compression: 0 | 1): Promise<Uint8Array> {
  const times = records.map((record) => record.timestampMs ?? NOW_MS);
  const { buffer } = await kafkaJsBatch.RecordBatch({
    compression,
    firstTimestamp: times[0],
    maxTimestamp: Math.max(...times),
    lastOffsetDelta: records.length - 1,
    producerId: Long.fromValue(-1),
    records: records.map(({ key, value, headers }, offsetDelta) =>
      kafkaJsRecord({
        offsetDelta,
        timestampDelta: Long.fromValue(times[offsetDelta]).subtract(Long.fromValue(times[0])),
        key: key && Buffer.from(key),
        value: value && Buffer.from(value),
        headers: Object.fromEntries((headers ?? []).map((h) => [h.key, Buffer.from(h.value as Uint8Array)])),
      }),
    ),
  });
  return new Uint8Array(buffer);
}

/** KafkaJS's own decoder; header values of one key are gathered in a list. */
export async function kafkaJsDecode(batch: Uint8Array): Promise<KafkaRecord[]> {
  const decoded = await kafkaJsDecoder(new KafkaJsBytes(Buffer.from(batch)));
  return decoded.records.map(
    (record: { offset: string; timestamp: string; key: Buffer; value: Buffer; headers: Record<string, Buffer | Buffer[]> }) => ({
      offset: Number(record.offset),
      timestampMs: Number(record.timestamp),
      timestampType: "CreateTime",
      key: plain(record.key),
      value: plain(record.value),
      headers: Object.entries(record.headers).flatMap(([key, values]) =>
        (Array.isArray(values) ? values : [values]).map((value) => ({ key, value: plain(value) })),
      ),
    }),
  );
}
