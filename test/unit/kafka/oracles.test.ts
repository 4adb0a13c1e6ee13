import { createRecordsBatch, Reader, readRecordsBatch } from "@platformatic/kafka";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { COMPRESSION_NAMES, decodeBatch, encodeBatch, prepareBatches, type RecordInput } from "../../../lib/kafka/index.ts";
import { copied, expectedRecords, kafkaJsDecode, kafkaJsEncode, NOW_MS, plain, records } from "./support.ts";

const prepare = { maxBatchBytes: 1 << 24, codecs: nodeCodecs, nowMs: NOW_MS };

/** Header keys once each, values not null, nothing that an object has already: KafkaJS keeps headers in a bare object. */
function objectHeaders(input: readonly RecordInput[]): RecordInput[] {
  return input.map((record) => {
    const byKey = new Map((record.headers ?? []).map((header) => [`h-${header.key}`, header.value ?? new Uint8Array(0)]));
    return { ...record, headers: [...byKey].map(([key, value]) => ({ key, value })) };
  });
}

/** Its writer takes the sign of a delta from bit 31: farther back than 24 days its own reader does not read it either. */
function nearTimestamps(input: readonly RecordInput[]): RecordInput[] {
  return input.map((record) => ({ ...record, timestampMs: NOW_MS + ((record.timestampMs ?? 0) % 1_000_000_000) }));
}

describe("kafkajs", () => {
  test.each(["none", "gzip"] as const)("reads what we write with compression %s", async (compression) => {
    await fc.assert(
      fc.asyncProperty(records.map(objectHeaders), async (input) => {
        const batch = encodeBatch(input, { timestampMs: NOW_MS, compression, codecs: nodeCodecs });
        expect(await kafkaJsDecode(batch)).toEqual(expectedRecords(input, NOW_MS));
      }),
    );
  });

  test.each([0, 1] as const)("writes what we check and read, compression id %d", async (compression) => {
    await fc.assert(
      fc.asyncProperty(records.map(objectHeaders), async (input) => {
        const batch = await kafkaJsEncode(input, compression);
        expect(prepareBatches(batch, prepare)).toMatchObject({ recordCount: input.length, batches: [{ producerId: -1 }] });
        expect(copied(decodeBatch(batch, 0, nodeCodecs))).toEqual(expectedRecords(input, NOW_MS));
      }),
    );
  });

  test("writes the same bytes as we do for records without compression", async () => {
    await fc.assert(
      fc.asyncProperty(records.map(objectHeaders), async (input) => {
        // It has no way to say that there is no producer epoch and sequence.
        const ours = encodeBatch(input, { timestampMs: NOW_MS, producerEpoch: 0, baseSequence: 0 });
        expect(await kafkaJsEncode(input, 0)).toEqual(ours);
      }),
    );
  });
});

describe("@platformatic/kafka", () => {
  test.each(COMPRESSION_NAMES)("reads what we write with compression %s", (compression) => {
    fc.assert(
      fc.property(records, (input) => {
        const batch = encodeBatch(input, { timestampMs: NOW_MS, compression, codecs: nodeCodecs });
        const { firstTimestamp, records: read } = readRecordsBatch(Reader.from(Buffer.from(batch)));
        const found = read.map((record) => ({
          offset: record.offsetDelta,
          timestampMs: Number(firstTimestamp + record.timestampDelta),
          timestampType: "CreateTime",
          key: plain(record.key),
          value: plain(record.value),
          headers: record.headers.map(([key, value]) => ({ key: String(key), value: plain(value) })),
        }));
        expect(found).toEqual(expectedRecords(input, NOW_MS));
      }),
    );
  });

  test.each(COMPRESSION_NAMES)("writes what we check and read with compression %s", (compression) => {
    fc.assert(
      fc.property(records.map(nearTimestamps), (input) => {
        const messages = input.map((record) => ({
          topic: "t",
          key: record.key && Buffer.from(record.key),
          value: record.value && Buffer.from(record.value),
          headers: new Map(
            (record.headers ?? []).map(({ key, value }) => [Buffer.from(key), value === null ? null : Buffer.from(value)]),
          ),
          timestamp: BigInt(record.timestampMs ?? NOW_MS),
        }));
        const written = createRecordsBatch(messages as Parameters<typeof createRecordsBatch>[0], { compression });
        const batch = new Uint8Array(written.buffer);
        expect(prepareBatches(batch, prepare)).toMatchObject({ recordCount: input.length, batches: [{ compression }] });
        expect(copied(decodeBatch(batch, 0, nodeCodecs))).toEqual(expectedRecords(input, NOW_MS));
      }),
    );
  });
});
