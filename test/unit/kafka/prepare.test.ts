import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { BrokerlessError } from "../../../lib/base/errors.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import {
  BATCH_OVERHEAD_BYTES,
  crc32c,
  crcMatches,
  encodeBatch,
  lastSequenceOf,
  type PrepareOptions,
  prepareBatches,
  type RecordInput,
  readBatchHeader,
  trustedBatches,
} from "../../../lib/kafka/index.ts";
import { NOW_MS, noise, toHex, utf8 } from "./support.ts";

const OPTIONS: PrepareOptions = { maxBatchBytes: 1_048_588, codecs: nodeCodecs, nowMs: NOW_MS };
const TWO: RecordInput[] = [
  { key: utf8("a"), value: utf8("1"), timestampMs: NOW_MS },
  { key: null, value: utf8("2"), timestampMs: NOW_MS + 5 },
];

/** A good batch after a change, with the CRC made right again. */
function changed(change: (bytes: Uint8Array, view: DataView) => void, records = TWO): Uint8Array {
  const bytes = encodeBatch(records, { timestampMs: NOW_MS });
  const view = new DataView(bytes.buffer);
  change(bytes, view);
  view.setUint32(17, crc32c(bytes, 21));
  return bytes;
}

/** A batch of these bytes as its records. */
function withRecords(recordBytes: number[] | Uint8Array, recordCount: number, compression = 0): Uint8Array {
  const bytes = new Uint8Array(BATCH_OVERHEAD_BYTES + recordBytes.length);
  bytes.set(encodeBatch([TWO[0]!], { timestampMs: NOW_MS }).subarray(0, BATCH_OVERHEAD_BYTES));
  bytes.set(recordBytes, BATCH_OVERHEAD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(8, bytes.length - 12);
  view.setInt16(21, compression);
  view.setInt32(23, recordCount - 1);
  view.setInt32(57, recordCount);
  view.setUint32(17, crc32c(bytes, 21));
  return bytes;
}

function refusal(bytes: Uint8Array, options: Partial<PrepareOptions> = {}): { code: string; message: string; outcome: string } {
  const before = toHex(bytes);
  try {
    prepareBatches(bytes, { ...OPTIONS, ...options });
  } catch (error) {
    expect(toHex(bytes)).toBe(before);
    const { code, message, outcome } = error as BrokerlessError;
    expect(outcome).toBe("not_applied");
    expect(message).not.toContain("\n");
    return { code, message, outcome };
  }
  throw new Error("it was not refused");
}

function joined(...batches: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(batches));
}

const good = () => encodeBatch(TWO, { timestampMs: NOW_MS });

describe("prepareBatches says what is in the batches", () => {
  test("with the fields of an idempotent producer", () => {
    const bytes = joined(good(), encodeBatch(TWO, { timestampMs: NOW_MS, producerId: 7, producerEpoch: 3, baseSequence: 40 }));
    expect(prepareBatches(bytes, OPTIONS)).toEqual({
      bytes,
      recordCount: 4,
      maxTimestampMs: NOW_MS + 5,
      batches: [
        {
          at: 0,
          sizeBytes: good().length,
          recordCount: 2,
          maxTimestampMs: NOW_MS + 5,
          producerId: -1,
          producerEpoch: -1,
          baseSequence: -1,
          lastSequence: -1,
          compression: "none",
          attributes: 0,
        },
        expect.objectContaining({ at: good().length, producerId: 7, producerEpoch: 3, baseSequence: 40, lastSequence: 41 }),
      ],
    });
  });

  test("with a sequence that wraps from 2^31-1 to 0", () => {
    expect(lastSequenceOf(0, 1)).toBe(0);
    expect(lastSequenceOf(2 ** 31 - 1, 1)).toBe(2 ** 31 - 1);
    expect(lastSequenceOf(2 ** 31 - 1, 2)).toBe(0);
    expect(lastSequenceOf(2 ** 31 - 2, 5)).toBe(2);
  });

  test("and forgets epoch and sequence where there is no producer id, as KafkaJS sends them", () => {
    const bytes = encodeBatch(TWO, { timestampMs: NOW_MS, producerEpoch: 0, baseSequence: 0 });
    expect(prepareBatches(bytes, OPTIONS).batches[0]).toMatchObject({
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
      lastSequence: -1,
    });
  });

  test("when the largest timestamp is wrong it is set right, as Kafka's brokers do, with the CRC", () => {
    for (const wrong of [-1n, 0n, BigInt(NOW_MS + 6), -(2n ** 63n)]) {
      const bytes = joined(
        good(),
        changed((_, view) => view.setBigInt64(35, wrong)),
      );
      const prepared = prepareBatches(bytes, OPTIONS);
      expect(prepared.maxTimestampMs).toBe(NOW_MS + 5);
      expect(toHex(bytes)).toBe(toHex(joined(good(), good())));
      expect(crcMatches(bytes, good().length)).toBe(true);
      expect(prepared).toEqual(trustedBatches(bytes));
    }
  });

  test("and takes any base offset and leader epoch: the reader writes them", () => {
    const bytes = changed((_, view) => view.setBigInt64(0, 2n ** 62n));
    bytes[12] = 255;
    expect(prepareBatches(bytes, OPTIONS).recordCount).toBe(2);
  });

  test("and takes records without a timestamp, which is -1", () => {
    expect(prepareBatches(encodeBatch([{ key: null, value: null }], { timestampMs: -1 }), OPTIONS).maxTimestampMs).toBe(-1);
  });
});

describe("prepareBatches refuses bytes that are not whole batches", () => {
  test("nothing at all", () => {
    expect(refusal(new Uint8Array(0))).toMatchObject({
      code: "invalid_request",
      message: "there is no record batch in the request",
    });
  });

  test("a batch cut at any byte, with the position", () => {
    const bytes = joined(good(), good());
    const size = good().length;
    for (let cut = 1; cut < bytes.length; cut++) {
      if (cut === size) continue;
      const at = cut < size ? 0 : size;
      const { code, message } = refusal(bytes.subarray(0, cut));
      expect(code).toBe("corrupt_record");
      expect(message).toContain(`record batch at byte ${at} is cut`);
    }
    expect(refusal(bytes.subarray(0, size + 70)).message).toBe(
      `record batch at byte ${size} is cut: 70 of its ${size} bytes are there`,
    );
    expect(refusal(bytes.subarray(0, size + 5)).message).toBe(
      `record batch at byte ${size} is cut: 5 of the 61 bytes of its header are there`,
    );
  });

  test.each([
    [-1, "at least 49"],
    [0, "at least 49"],
    [48, "at least 49"],
    [-(2 ** 31), "at least 49"],
    [2 ** 31 - 1, "is cut"],
  ])("a length of %d", (length, message) => {
    const bytes = good();
    new DataView(bytes.buffer).setInt32(8, length);
    expect(refusal(bytes)).toMatchObject({ code: "corrupt_record", message: expect.stringContaining(message) });
  });

  test("the old formats, clearly", () => {
    for (const magic of [0, 1]) {
      const bytes = changed((b) => b.fill(magic, 16, 17));
      expect(refusal(bytes)).toMatchObject({
        code: "invalid_record",
        message: `record batch at byte 0 has the old format ${magic}; only magic 2 (Kafka 0.11 and later) is taken`,
      });
      // A lone message of these formats is shorter than the header of a batch.
      expect(refusal(bytes.subarray(0, 34)).code).toBe("invalid_record");
    }
    expect(refusal(changed((b) => b.fill(3, 16, 17)))).toMatchObject({
      code: "corrupt_record",
      message: expect.stringContaining("magic 3"),
    });
  });

  test("a wrong CRC, naming both", () => {
    const bytes = joined(good(), good());
    bytes[good().length + 70]! ^= 1;
    const { code, message } = refusal(bytes);
    expect(code).toBe("corrupt_record");
    expect(message).toMatch(/^record batch 2 of 2 has CRC 0x[0-9a-f]{8}; its bytes give 0x[0-9a-f]{8}$/);
  });
});

describe("prepareBatches refuses headers that do not fit", () => {
  test("a batch over max.message.bytes, exactly", () => {
    const large = encodeBatch([{ key: null, value: noise(1_204_039) }], { timestampMs: NOW_MS });
    const bytes = joined(good(), large, good());
    expect(refusal(bytes)).toMatchObject({
      code: "record_too_large",
      message: "record batch 2 of 3 is 1,204,113 bytes; topic takes at most 1,048,588 (max.message.bytes)",
    });
    expect(prepareBatches(large, { ...OPTIONS, maxBatchBytes: large.length }).recordCount).toBe(1);
    expect(refusal(large, { maxBatchBytes: large.length - 1 }).code).toBe("record_too_large");
  });

  const setAttributes = (bits: number) => changed((_, view) => view.setInt16(21, bits));
  const at = (position: number, value: number) => changed((_, view) => view.setInt32(position, value));
  const producer = (id: bigint, epoch: number, sequence: number) =>
    changed((_, view) => {
      view.setBigInt64(43, id);
      view.setInt16(51, epoch);
      view.setInt32(53, sequence);
    });
  test.each([
    ["a codec that does not exist", setAttributes(5), "unsupported_compression", "has compression id 5; 0 to 4 are known"],
    ["a control batch", setAttributes(32), "invalid_record", "is a control batch; clients may not write those"],
    ["a batch of a transaction", setAttributes(16), "invalid_record", "belongs to a transaction; none is open here"],
    ["a delete horizon", setAttributes(64), "invalid_record", "has unknown attribute bits: 0x0040"],
    ["unknown attributes", setAttributes(-32768), "invalid_record", "has unknown attribute bits: 0x8000"],
    ["LogAppendTime from a client", setAttributes(8), "invalid_timestamp", "has timestamp type LogAppendTime"],
    ["a record count of 0", at(57, 0), "invalid_record", "has a record count of 0; at least 1"],
    ["a negative record count", at(57, -5), "invalid_record", "has a record count of -5; at least 1"],
    ["too small a last offset delta", at(23, 0), "invalid_record", "has a last offset delta of 0; 2 records need 1"],
    ["too large a last offset delta", at(23, 9), "invalid_record", "has a last offset delta of 9; 2 records need 1"],
    ["an impossible producer id", producer(-2n, 0, 0), "invalid_record", "has producer id -2; -1 or 0 to 9007199254740991"],
    ["a producer id beyond 2^53", producer(2n ** 60n, 0, 0), "invalid_record", "has producer id 1152921504606847000; -1 or 0"],
    ["a producer id without an epoch", producer(3n, -1, 0), "invalid_record", "has producer id 3 with epoch -1; at least 0"],
    [
      "a producer id without a sequence",
      producer(3n, 0, -1),
      "invalid_record",
      "has producer id 3 with base sequence -1; at least 0",
    ],
    [
      "a base timestamp beyond 2^53",
      changed((_, v) => v.setBigInt64(27, 2n ** 60n)),
      "invalid_timestamp",
      "has base timestamp 1152921504606847000",
    ],
  ])("%s", (_, bytes, code, message) => {
    expect(refusal(bytes)).toMatchObject({ code, message: expect.stringContaining(`record batch 1 of 1 ${message}`) });
  });

  test("a codec that is not at hand", () => {
    const packed = encodeBatch(TWO, { timestampMs: NOW_MS, compression: "zstd", codecs: nodeCodecs });
    const { gzip } = nodeCodecs;
    expect(refusal(packed, { codecs: { gzip } })).toMatchObject({
      code: "unsupported_compression",
      message: "compression zstd is not at hand here; there is: none, gzip",
    });
  });

  test("but a transaction where it is allowed, with a producer id alone", () => {
    const options = { ...OPTIONS, allowTransactional: true };
    const transactional = encodeBatch(TWO, { timestampMs: NOW_MS, producerId: 1, producerEpoch: 0, baseSequence: 0 });
    transactional[22]! |= 16;
    new DataView(transactional.buffer).setUint32(17, crc32c(transactional, 21));
    expect(prepareBatches(transactional, options).batches[0]?.attributes).toBe(16);
    expect(refusal(setAttributes(16), options).message).toContain("belongs to a transaction but has no producer id");
  });

  test("and LogAppendTime where the topic has it", () => {
    const prepared = prepareBatches(setAttributes(8), { ...OPTIONS, timestampType: "LogAppendTime", timestampAfterMaxMs: 1 });
    expect(prepared.maxTimestampMs).toBe(NOW_MS + 5);
  });
});

describe("prepareBatches walks every record and refuses", () => {
  test.each([
    ["fewer records than it says", [12, 0, 0, 0, 1, 1, 0], 2, "corrupt_record", "record 2 of 2 in record batch 1 of 1 is cut"],
    [
      "bytes after the last record",
      [12, 0, 0, 0, 1, 1, 0, 9],
      1,
      "corrupt_record",
      "record batch 1 of 1 has 1 bytes left after its 1 records",
    ],
    [
      "a record that ends after the batch",
      [14, 0, 0, 0, 1, 1, 0],
      1,
      "corrupt_record",
      "size is 7 bytes; 6 are left in the batch",
    ],
    ["a record with a negative size", [1, 0, 0, 0, 1, 1, 0], 1, "corrupt_record", "size is -1 bytes"],
    ["a record of 0 bytes", [0, 0, 0, 0, 1, 1, 0], 1, "corrupt_record", "says that it has 0 bytes"],
    ["a key that ends after its record", [12, 0, 0, 0, 8, 1, 0], 1, "corrupt_record", "key size is 4 bytes"],
    ["a key with a size of -2", [12, 0, 0, 0, 3, 1, 0], 1, "corrupt_record", "key size is -2 bytes"],
    ["a value that ends after its record", [12, 0, 0, 0, 1, 4, 0], 1, "corrupt_record", "value size is 2 bytes"],
    [
      "fields shorter than the record",
      [14, 0, 0, 0, 1, 1, 0, 0],
      1,
      "corrupt_record",
      "says that it has 7 bytes; its fields take 6",
    ],
    ["headers without bytes", [12, 0, 0, 0, 1, 1, 2], 1, "corrupt_record", "says that it has 1 headers"],
    ["a negative header count", [12, 0, 0, 0, 1, 1, 1], 1, "corrupt_record", "says that it has -1 headers"],
    ["a null header key", [16, 0, 0, 0, 1, 1, 2, 1, 1], 1, "corrupt_record", "header key size is -1 bytes"],
    [
      "a header value that ends after its record",
      [16, 0, 0, 0, 1, 1, 2, 0, 2],
      1,
      "corrupt_record",
      "header value size is 1 bytes",
    ],
    ["a varint without an end", [...Array(12).fill(255), 0], 1, "corrupt_record", "has a varint that is too long"],
    ["an offset delta that leaves a gap", [12, 0, 0, 2, 1, 1, 0], 1, "invalid_record", "has offset delta 1; it must be 0"],
    [
      "an offset delta twice",
      [12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0],
      2,
      "invalid_record",
      "record 2 of 2 in record batch 1 of 1 has offset delta 0",
    ],
  ])("%s", (_, recordBytes, count, code, message) => {
    expect(refusal(withRecords(recordBytes, count))).toMatchObject({ code, message: expect.stringContaining(message) });
    if (recordBytes.length > 13) return;
    const packed = new Uint8Array(zstdCompressSync(new Uint8Array(recordBytes)));
    expect(refusal(withRecords(packed, count, 4))).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test("a record without a key where keys are required, compressed or not", () => {
    for (const compression of ["none", "lz4"] as const) {
      const bytes = encodeBatch(TWO, { timestampMs: NOW_MS, compression, codecs: nodeCodecs });
      expect(refusal(bytes, { requireKeys: true })).toMatchObject({
        code: "invalid_record",
        message: "record 2 of 2 in record batch 1 of 1 has no key; a compacted topic needs one (cleanup.policy)",
      });
    }
    const empty = encodeBatch([{ key: utf8(""), value: null }], { timestampMs: NOW_MS });
    expect(prepareBatches(empty, { ...OPTIONS, requireKeys: true }).recordCount).toBe(1);
  });

  test("more headers than the limit", () => {
    const headers = Array.from({ length: 4 }, () => ({ key: "h", value: null }));
    const bytes = encodeBatch([{ key: null, value: null, headers }], { timestampMs: NOW_MS });
    expect(prepareBatches(bytes, { ...OPTIONS, maxHeaders: 4 }).recordCount).toBe(1);
    expect(refusal(bytes, { maxHeaders: 3 })).toMatchObject({
      code: "invalid_record",
      message: expect.stringContaining("has 4 headers; at most 3"),
    });
  });

  test("timestamps too far from now, before or after, to the millisecond", () => {
    const limits = { timestampBeforeMaxMs: 1000, timestampAfterMaxMs: 3_600_000 };
    const batch = (timestampMs: number) => encodeBatch([{ key: null, value: null, timestampMs }], { timestampMs: 0 });
    for (const timestampMs of [NOW_MS - 1000, NOW_MS, NOW_MS + 3_600_000]) {
      expect(prepareBatches(batch(timestampMs), { ...OPTIONS, ...limits }).maxTimestampMs).toBe(timestampMs);
    }
    expect(refusal(batch(NOW_MS - 1001), limits)).toMatchObject({
      code: "invalid_timestamp",
      message: expect.stringContaining("more than 1,000 ms in the past (message.timestamp.before.max.ms)"),
    });
    expect(refusal(batch(NOW_MS + 3_600_001), limits)).toMatchObject({
      code: "invalid_timestamp",
      message: expect.stringContaining("more than 3,600,000 ms in the future (message.timestamp.after.max.ms)"),
    });
    expect(refusal(batch(NOW_MS + 1), { timestampAfterMaxMs: 0 }).code).toBe("invalid_timestamp");
    const appendTime = { ...OPTIONS, ...limits, timestampType: "LogAppendTime" as const };
    expect(prepareBatches(batch(5), appendTime).recordCount).toBe(1);
  });

  test("timestamps that no clock shows", () => {
    // Deltas of -NOW-2 and of far beyond the year 275760, as varints.
    const base = changed((_, view) => view.setBigInt64(27, -2n), [{ key: null, value: null }]);
    expect(refusal(base)).toMatchObject({
      code: "invalid_timestamp",
      message: expect.stringContaining("has timestamp -2; 0 to 8640000000000000"),
    });
    const far = changed((_, view) => view.setBigInt64(27, 8_640_000_000_000_001n), [{ key: null, value: null }]);
    expect(refusal(far).code).toBe("invalid_timestamp");
  });
});

describe("prepareBatches and decompression", () => {
  const bomb = new Uint8Array(32 * 1024 * 1024);
  test.each(["gzip", "snappy", "lz4", "zstd"] as const)("a %s bomb is refused", (compression) => {
    const bytes = encodeBatch([{ key: null, value: bomb }], { timestampMs: NOW_MS, compression, codecs: nodeCodecs });
    expect(refusal(bytes, { maxBatchBytes: 1 << 24, maxDecompressedBytes: 1 << 24 })).toMatchObject({
      code: "record_too_large",
      message: "record batch 1 of 1 decompresses to more than 16,777,216 bytes, the most that is taken",
    });
  });

  test("many small bombs in one request are refused together", () => {
    const one = encodeBatch([{ key: null, value: bomb }], { timestampMs: NOW_MS, compression: "zstd", codecs: nodeCodecs });
    expect(prepareBatches(one, OPTIONS).recordCount).toBe(1);
    expect(refusal(joined(one, one, one))).toMatchObject({
      code: "record_too_large",
      message: expect.stringContaining("record batch 2 of 3"),
    });
  });

  test.each(["gzip", "snappy", "lz4", "zstd"] as const)(
    "%s data that is damaged is corrupt, though the CRC is right",
    (compression) => {
      const bytes = encodeBatch([{ key: null, value: utf8("text ".repeat(100)) }], {
        timestampMs: NOW_MS,
        compression,
        codecs: nodeCodecs,
      });
      const cut = withRecords(bytes.subarray(BATCH_OVERHEAD_BYTES, bytes.length - 3), 1, readBatchHeader(bytes, 0).attributes);
      expect(refusal(cut)).toMatchObject({
        code: "corrupt_record",
        message: expect.stringContaining("record batch 1 of 1 cannot be decompressed"),
      });
    },
  );
});
