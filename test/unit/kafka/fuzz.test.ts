/** Damage of every kind to batches that were good: an answer or a clear refusal, soon, and never anything else. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import {
  batchHeaders,
  COMPRESSION_NAMES,
  crc32c,
  decodeBatch,
  encodeBatch,
  forEachRecord,
  prepareBatches,
  trustedBatches,
} from "../../../lib/kafka/index.ts";
import { NOW_MS, records } from "./support.ts";

const OPTIONS = { maxBatchBytes: 1 << 20, codecs: nodeCodecs, nowMs: NOW_MS, maxDecompressedBytes: 1 << 22 };
const REFUSALS = [
  "corrupt_record",
  "record_too_large",
  "invalid_record",
  "invalid_timestamp",
  "unsupported_compression",
  "invalid_request",
];

/** Byte changes, a cut, a doubled piece; positions are parts of the length. */
const damage = fc.record({
  changes: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 5 }),
  headerChange: fc.option(fc.tuple(fc.nat(60), fc.nat(255))),
  cutTo: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  mendCrc: fc.boolean(),
});

type Damage = typeof damage extends fc.Arbitrary<infer D> ? D : never;

function damaged(batch: Uint8Array, { changes, headerChange, cutTo, mendCrc }: Damage): Uint8Array {
  let bytes = batch.slice();
  for (const [where, value] of changes) bytes[Math.floor(where * (bytes.length - 1))] = value;
  if (headerChange !== null) bytes[headerChange[0]] = headerChange[1];
  if (cutTo !== null) bytes = bytes.slice(0, Math.floor(cutTo * bytes.length));
  if (mendCrc && bytes.length > 61) new DataView(bytes.buffer).setUint32(17, crc32c(bytes, 21));
  return bytes;
}

/** True when it was taken. */
function taken(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerlessError);
    expect(REFUSALS).toContain((error as BrokerlessError).code);
    expect((error as BrokerlessError).message).not.toContain("\n");
    return false;
  }
}

describe.each(COMPRESSION_NAMES)("a damaged batch with compression %s", (compression) => {
  const batch = records.map((input) => encodeBatch(input, { timestampMs: NOW_MS, compression, codecs: nodeCodecs }));

  test("is refused or taken; what is taken is read without an error, and says the same twice", () => {
    let refused = 0;
    let accepted = 0;
    fc.assert(
      fc.property(batch, damage, (good, how) => {
        const bytes = damaged(good, how);
        if (!taken(() => prepareBatches(bytes, OPTIONS))) {
          refused++;
          return;
        }
        accepted++;
        const again = bytes.slice();
        const prepared = prepareBatches(again, OPTIONS);
        expect(again).toEqual(bytes);
        expect(trustedBatches(bytes)).toEqual({ ...prepared, bytes });
        for (const header of batchHeaders(bytes)) {
          expect(decodeBatch(bytes, header.at, nodeCodecs)).toHaveLength(header.recordCount);
        }
      }),
      { numRuns: 500 },
    );
    expect(refused).toBeGreaterThan(50);
    expect(accepted).toBeGreaterThan(20);
  });

  test("that is read without the check is read or refused", () => {
    fc.assert(
      fc.property(batch, damage, (good, how) => {
        const bytes = damaged(good, how);
        taken(() => decodeBatch(bytes, 0, nodeCodecs, OPTIONS));
        taken(() => forEachRecord(bytes, 0, nodeCodecs, (record) => void record.headers(), OPTIONS));
        taken(() => trustedBatches(bytes));
      }),
      { numRuns: 400 },
    );
  });

  test("with one bit changed that the CRC covers is always refused", () => {
    fc.assert(
      fc.property(batch, fc.nat(), fc.nat(7), (good, where, bit) => {
        const bytes = good.slice();
        bytes[17 + (where % (bytes.length - 17))]! ^= 1 << bit;
        expect(taken(() => prepareBatches(bytes, OPTIONS))).toBe(false);
      }),
    );
  });
});

test("bytes that never were a batch are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(taken(() => prepareBatches(bytes, OPTIONS))).toBe(false);
      bytes[16] = 2;
      expect(taken(() => prepareBatches(bytes, OPTIONS))).toBe(false);
      taken(() => decodeBatch(bytes, 0, nodeCodecs, OPTIONS));
    }),
    { numRuns: 3000 },
  );
});
