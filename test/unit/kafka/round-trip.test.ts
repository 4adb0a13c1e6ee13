import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import {
  BATCH_OVERHEAD_BYTES,
  batchHeaders,
  COMPRESSION_NAMES,
  crcMatches,
  decodeBatch,
  encodeBatch,
  forEachRecord,
  prepareBatches,
  readBatchHeader,
  stampLogAppendTime,
  stampOffset,
  trustedBatches,
} from "../../../lib/kafka/index.ts";
import { copied, expectedRecords, fromHex, NOW_MS, records, timestamp, toHex, utf8 } from "./support.ts";

const prepare = { maxBatchBytes: 1 << 24, codecs: nodeCodecs, nowMs: NOW_MS };

/** Written by Kafka's own classes: offset 100, leader epoch 5, producer 9, epoch 3, sequence 7. */
const GOLDEN =
  "00000000000000640000005b000000050285365b340000000000020000018bcfe568000000018bcfe568020000000000000009000300000007" +
  "000000031c000000046b30047630020268027818000202046b310102026802781a000404046b3204763202026801";
const GOLDEN_RECORDS = [
  { key: utf8("k0"), value: utf8("v0"), headers: [{ key: "h", value: utf8("x") }], timestampMs: NOW_MS },
  { key: utf8("k1"), value: null, headers: [{ key: "h", value: utf8("x") }], timestampMs: NOW_MS + 1 },
  { key: utf8("k2"), value: utf8("v2"), headers: [{ key: "h", value: null }], timestampMs: NOW_MS + 2 },
];

describe("a batch that Kafka's own classes wrote", () => {
  test("is read", () => {
    expect(copied(decodeBatch(fromHex(GOLDEN), 0, {}))).toEqual(expectedRecords(GOLDEN_RECORDS, 0, 100));
    expect(crcMatches(fromHex(GOLDEN), 0)).toBe(true);
  });

  test("has its header read", () => {
    expect(readBatchHeader(fromHex(GOLDEN), 0)).toEqual({
      at: 0,
      sizeBytes: 103,
      baseOffset: 100,
      partitionLeaderEpoch: 5,
      crc: 0x85365b34,
      attributes: 0,
      compression: "none",
      timestampType: "CreateTime",
      isTransactional: false,
      isControl: false,
      lastOffsetDelta: 2,
      baseTimestampMs: NOW_MS,
      maxTimestampMs: NOW_MS + 2,
      producerId: 9,
      producerEpoch: 3,
      baseSequence: 7,
      recordCount: 3,
    });
  });

  test("is what the encoder writes for the same records, byte for byte", () => {
    const batch = encodeBatch(GOLDEN_RECORDS, {
      timestampMs: 0,
      producerId: 9,
      producerEpoch: 3,
      baseSequence: 7,
      baseOffset: 100,
    });
    stampOffset(batch, 0, 100, 5);
    expect(toHex(batch)).toBe(GOLDEN);
  });

  // Kafka 4.1, one batch a codec: null key, null value, headers, timestamps out of order.
  const letters = (letter: string) => utf8(letter.repeat(40));
  const codecRecords = [
    { key: utf8("key0"), value: letters("a"), timestampMs: NOW_MS },
    { key: utf8("key1"), value: letters("b"), timestampMs: NOW_MS - 3 },
    {
      key: utf8("key2"),
      value: letters("c"),
      timestampMs: NOW_MS + 2000,
      headers: [
        { key: "hé", value: new Uint8Array([1, 2]) },
        { key: "n", value: null },
      ],
    },
    { key: null, value: letters("d"), timestampMs: NOW_MS - 9 },
    { key: utf8("key4"), value: null, timestampMs: NOW_MS + 4000 },
  ];
  test.each([
    [
      "none",
      "000000000000000700000110ffffffff023f1428dd0000000000040000018bcfe568000000018bcfe577a0ffffffffffffffffffffffffffff0000000564000000086b65793050616161616161616161616161616161616161616161616161616161616161616161616161616161610064000502086b6579315062626262626262626262626262626262626262626262626262626262626262626262626262626262007a00a01f04086b6579325063636363636363636363636363636363636363636363636363636363636363636363636363636363040668c3a9040102026e015c001106015064646464646464646464646464646464646464646464646464646464646464646464646464646464001600c03e08086b6579340100",
    ],
    [
      "gzip",
      "00000000000000070000008affffffff0278238b820001000000040000018bcfe568000000018bcfe577a0ffffffffffffffffffffffffffff000000051f8b08000000000000ff4b616060e0c84ead340848241230a430b03281b4180624110918aa1816c8b380f4180524130958d8320eaf64616462ca638c611064630c4821123088311cb0e3005966c2c80000d07a682edf000000",
    ],
    [
      "snappy",
      "000000000000000700000099ffffffff0237f8afc80002000000040000018bcfe568000000018bcfe577a0ffffffffffffffffffffffffffff0000000582534e4150505900000000010000000100000054df012864000000086b65793050619a01001000640005020133083150629a010014007a00a01f040134083250639a010044040668c3a9040102026e015c0011060150649a010030001600c03e08086b6579340100",
    ],
    [
      "lz4",
      "000000000000000700000093ffffffff02aa30b8e20003000000040000018bcfe568000000018bcfe577a0ffffffffffffffffffffffffffff0000000504224d1860408253000000bf64000000086b657930506101001450006400050233003f31506201001460007a00a01f0434003f325063010014ff03040668c3a9040102026e015c001106015064010014d0001600c03e08086b657934010000000000",
    ],
    [
      "zstd",
      "00000000000000070000008affffffff0219f42ff90004000000040000018bcfe568000000018bcfe577a0ffffffffffffffffffffffffffff0000000528b52ffd00586c0200340464000000086b65793050610064000502086b6579315062007a00a01f04086b6579325063040668c3a9040102026e015c001106015064001600c03e08086b65793401000414002284bec40b010000",
    ],
  ])("with compression %s passes the check and is read", (compression, hex) => {
    const batch = fromHex(hex);
    const prepared = prepareBatches(batch, prepare);
    expect(prepared).toMatchObject({ recordCount: 5, maxTimestampMs: NOW_MS + 4000 });
    expect(prepared.batches[0]?.compression).toBe(compression);
    expect(toHex(batch)).toBe(hex);
    expect(copied(decodeBatch(batch, 0, nodeCodecs))).toEqual(expectedRecords(codecRecords, 0, 7));
  });
});

describe("any records", () => {
  test.each(COMPRESSION_NAMES)("encoded with compression %s are read back and pass the check", (compression) => {
    fc.assert(
      fc.property(records, timestamp, fc.maxSafeInteger().map(Math.abs), (input, timestampMs, baseOffset) => {
        const offset = Math.min(baseOffset, Number.MAX_SAFE_INTEGER - 100);
        const batch = encodeBatch(input, { timestampMs, compression, codecs: nodeCodecs, baseOffset: offset });
        const before = toHex(batch);
        const prepared = prepareBatches(batch, prepare);
        expect(toHex(batch)).toBe(before);
        expect(prepared).toEqual(trustedBatches(batch));
        const expected = expectedRecords(input, timestampMs, offset);
        expect(prepared.maxTimestampMs).toBe(Math.max(...expected.map((record) => record.timestampMs)));
        expect(copied(decodeBatch(batch, 0, nodeCodecs))).toEqual(expected);
      }),
      { numRuns: 80 },
    );
  });

  test("are given one by one to forEachRecord as decodeBatch gives them, until it is told to stop", () => {
    fc.assert(
      fc.property(records, fc.nat(25), (input, stopAfter) => {
        const batch = encodeBatch(input, { timestampMs: NOW_MS });
        const seen: unknown[] = [];
        forEachRecord(batch, 0, {}, (view) => {
          expect(view.keyBytes).toBe(view.key()?.byteLength ?? -1);
          expect(view.valueBytes).toBe(view.value()?.byteLength ?? -1);
          expect(view.headerCount).toBe(view.headers().length);
          seen.push({
            offset: view.offset,
            timestampMs: view.timestampMs,
            timestampType: "CreateTime",
            key: view.key(),
            value: view.value(),
            headers: view.headers(),
          });
          return seen.length <= stopAfter;
        });
        expect(seen).toEqual(decodeBatch(batch, 0, {}).slice(0, stopAfter + 1));
      }),
    );
  });

  test("in several batches, one after the other, are walked batch by batch", () => {
    const one = encodeBatch([{ key: null, value: utf8("one") }], { timestampMs: 1 });
    const two = encodeBatch(
      [
        { key: null, value: null },
        { key: null, value: utf8("two") },
      ],
      { timestampMs: 2 },
    );
    const both = new Uint8Array([...one, ...two]);
    const headers = [...batchHeaders(both)];
    expect(headers.map(({ at, sizeBytes, recordCount }) => [at, sizeBytes, recordCount])).toEqual([
      [0, one.length, 1],
      [one.length, two.length, 2],
    ]);
    expect(prepareBatches(both, prepare)).toMatchObject({
      recordCount: 3,
      maxTimestampMs: 2,
      batches: [{ at: 0 }, { at: one.length }],
    });
    expect(decodeBatch(both, one.length, {}).map((record) => record.value)).toEqual([null, utf8("two")]);
  });
});

describe("the encoder", () => {
  test("takes a record's size from what it writes: header keys beyond ASCII and lone surrogates too", () => {
    for (const key of ["", "ascii", "\ufeffmark", "é", "日本", "😀", "a\ud800b", "\udc00", "x".repeat(200), "ü".repeat(70)]) {
      const batch = encodeBatch([{ key: null, value: null, headers: [{ key, value: null }] }], { timestampMs: 0 });
      expect(decodeBatch(batch, 0, {})[0]?.headers).toEqual([{ key: key.toWellFormed(), value: null }]);
    }
  });

  test("refuses no records, impossible timestamps and a codec that is not there", () => {
    const record = { key: null, value: null };
    expect(() => encodeBatch([], { timestampMs: 0 })).toThrow("a record batch needs at least one record");
    expect(() => encodeBatch([record, { ...record, timestampMs: 1.5 }], { timestampMs: 0 })).toThrow(
      "record 2: timestampMs is 1.5",
    );
    expect(() => encodeBatch([record], { timestampMs: Number.NaN })).toThrow("timestampMs is NaN");
    expect(() => encodeBatch([record], { timestampMs: -2 })).toThrow("timestampMs is -2");
    expect(() => encodeBatch([record], { timestampMs: 0, compression: "zstd" })).toThrow(
      expect.objectContaining({
        code: "unsupported_compression",
        message: "compression zstd is not at hand here; there is: none",
      }),
    );
  });

  test("is not confused by a batch of many records between small ones", () => {
    const many = Array.from({ length: 40_000 }, (_, i) => ({ key: null, value: utf8(String(i)) }));
    const few = [{ key: utf8("k"), value: utf8("v") }];
    const small = toHex(encodeBatch(few, { timestampMs: 3 }));
    expect(decodeBatch(encodeBatch(many, { timestampMs: 3 }), 0, {})).toHaveLength(40_000);
    expect(toHex(encodeBatch(few, { timestampMs: 3 }))).toBe(small);
  });
});

describe("stamping", () => {
  const batch = () => encodeBatch(GOLDEN_RECORDS, { timestampMs: 0 });

  test("an offset changes the first offset and the leader epoch, and leaves the CRC right", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger().map(Math.abs), fc.integer({ min: -1, max: 2 ** 31 - 1 }), (offset, epoch) => {
        const bytes = batch();
        stampOffset(bytes, 0, offset, epoch);
        expect(readBatchHeader(bytes, 0)).toMatchObject({ baseOffset: offset, partitionLeaderEpoch: epoch });
        expect(crcMatches(bytes, 0)).toBe(true);
      }),
    );
  });

  test("the append time gives it to every record, keeps the base timestamp, and makes the CRC again", () => {
    const bytes = new Uint8Array([...batch(), ...batch()]);
    const second = bytes.length / 2;
    const first = toHex(bytes.subarray(0, second));
    stampLogAppendTime(bytes, second, NOW_MS + 77);
    expect(readBatchHeader(bytes, second)).toMatchObject({
      timestampType: "LogAppendTime",
      baseTimestampMs: NOW_MS,
      maxTimestampMs: NOW_MS + 77,
      attributes: 8,
    });
    expect(crcMatches(bytes, second)).toBe(true);
    expect(decodeBatch(bytes, second, {}).map(({ timestampMs, timestampType }) => [timestampMs, timestampType])).toEqual(
      Array(3).fill([NOW_MS + 77, "LogAppendTime"]),
    );
    expect(toHex(bytes.subarray(0, second))).toBe(first);
  });

  test("needs a whole batch", () => {
    expect(() => stampOffset(batch().subarray(0, BATCH_OVERHEAD_BYTES - 1), 0, 1, 0)).toThrow("is whole");
    expect(() => stampLogAppendTime(batch().subarray(0, 80), 0, 1)).toThrow("is cut");
  });
});
