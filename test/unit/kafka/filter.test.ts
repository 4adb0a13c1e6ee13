import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import {
  COMPRESSION_NAMES,
  crcMatches,
  decodeBatch,
  deleteHorizonOf,
  emptyBatch,
  encodeBatch,
  filterBatch,
  type RecordInput,
  readBatchHeader,
  stampLogAppendTime,
} from "../../../lib/kafka/index.ts";

const record: fc.Arbitrary<RecordInput> = fc.record({
  key: fc.uint8Array({ maxLength: 20 }),
  value: fc.option(fc.uint8Array({ maxLength: 300 }), { freq: 3 }),
  timestampMs: fc.integer({ min: 1_600_000_000_000, max: 1_700_000_000_000 }),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: fc.option(fc.uint8Array({ maxLength: 5 })) }), {
    maxLength: 2,
  }),
});

const HORIZON_MS = 1_800_000_000_000;
const PRODUCER = { producerId: 7, producerEpoch: 2, baseSequence: 40 };

describe("a batch that records are taken out of", () => {
  test("keeps the others as they were, with its offsets, producer and codec", () => {
    const cases = fc.record({
      records: fc.array(record, { minLength: 1, maxLength: 30 }),
      keep: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
      compression: fc.constantFrom(...COMPRESSION_NAMES),
      appendTime: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ records, keep, compression, appendTime }) => {
        const batch = encodeBatch(records, { timestampMs: 0, compression, codecs: nodeCodecs, baseOffset: 1000, ...PRODUCER });
        if (appendTime) stampLogAppendTime(batch, 0, 1_650_000_000_000);
        const bytes = new Uint8Array(batch.byteLength + 20);
        bytes.set(batch, 10);
        const header = readBatchHeader(bytes, 10);
        const before = decodeBatch(bytes, 10, nodeCodecs);
        const wanted = before.filter((_, i) => keep[i]);
        const after = filterBatch(bytes, header, nodeCodecs, ({ offset }) => keep[offset - 1000] === true, HORIZON_MS);
        if (wanted.length === 0) {
          expect(after).toBeUndefined();
          return;
        }
        expect(crcMatches(after!, 0)).toBe(true);
        expect(decodeBatch(after!, 0, nodeCodecs)).toEqual(wanted);
        const now = readBatchHeader(after!, 0);
        expect(now).toMatchObject({
          baseOffset: 1000,
          lastOffsetDelta: records.length - 1,
          recordCount: wanted.length,
          compression,
          ...PRODUCER,
        });
        expect(now.sizeBytes).toBe(after!.byteLength);
        expect(now.timestampType).toBe(header.timestampType);
        expect(now.maxTimestampMs).toBe(Math.max(...wanted.map(({ timestampMs }) => timestampMs)));
        const tombstones = wanted.some(({ value }) => value === null);
        expect(deleteHorizonOf(now)).toBe(tombstones ? HORIZON_MS : undefined);
        // A second time: the horizon stays.
        const again = filterBatch(after!, now, nodeCodecs, () => true, HORIZON_MS + 5);
        expect(again).toEqual(after);
      }),
      { numRuns: 300 },
    );
  });

  test("is the very bytes where nothing is to be changed", () => {
    const bytes = encodeBatch([{ key: new Uint8Array(1), value: new Uint8Array(5) }], { timestampMs: 1 });
    expect(filterBatch(bytes, readBatchHeader(bytes, 0), nodeCodecs, () => true, 0)?.buffer).toBe(bytes.buffer);
  });

  test("is 61 bytes when it is empty, and still has its offsets and sequence", () => {
    const records = [1, 2, 3].map((timestampMs) => ({ key: null, value: new Uint8Array(100), timestampMs }));
    const bytes = encodeBatch(records, { timestampMs: 0, compression: "gzip", codecs: nodeCodecs, baseOffset: 70, ...PRODUCER });
    const empty = emptyBatch(bytes, readBatchHeader(bytes, 0));
    expect(empty.byteLength).toBe(61);
    expect(crcMatches(empty, 0)).toBe(true);
    expect(readBatchHeader(empty, 0)).toMatchObject({
      baseOffset: 70,
      lastOffsetDelta: 2,
      recordCount: 0,
      compression: "none",
      maxTimestampMs: 3,
      ...PRODUCER,
    });
    expect(decodeBatch(empty, 0, {})).toEqual([]);
  });
});
