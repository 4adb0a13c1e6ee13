import { beforeEach, describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { type Bench, batchOf, logOverMemory, readAll, record, texts } from "./support.ts";

let bench: Bench;

beforeEach(async () => {
  bench = logOverMemory();
  await bench.log.createTopic({ name: "t" });
});

const append = (values: readonly string[]) => bench.log.append({ topic: "t", partition: 0, batches: batchOf(values) });

describe("reading", () => {
  test("begins at any offset, in the middle of batches, runs and the tail", async () => {
    for (let i = 0; i < 50; i++) await append([`${i}a`, `${i}b`, `${i}c`]);
    for (let offset = 0; offset < 150; offset += 7) {
      const records = await readAll(bench.log, "t", 0, offset);
      expect(records.map((one) => one.offset)).toEqual(Array.from({ length: 150 - offset }, (_, i) => offset + i));
    }
  });

  test("returns at least one batch, and about as much as was asked for", async () => {
    for (let i = 0; i < 20; i++) await append(["x".repeat(1000)]);
    expect(await bench.log.read({ topic: "t", partition: 0, offset: 3, maxBytes: 1 })).toMatchObject({ nextOffset: 4 });
    const some = await bench.log.read({ topic: "t", partition: 0, offset: 3, maxBytes: 5000 });
    expect(some.sizeBytes).toBeGreaterThan(3000);
    expect(some.sizeBytes).toBeLessThanOrEqual(5000);
  });

  test("outside the log is refused, with where it begins and ends", async () => {
    await append(["a", "b", "c"]);
    await bench.log.deleteRecords("t", 0, 2);
    for (const offset of [0, 1, 4]) {
      await expect(bench.log.read({ topic: "t", partition: 0, offset })).rejects.toMatchObject({
        code: "offset_out_of_range",
        details: { logStartOffset: 2, logEndOffset: 3 },
      });
    }
    expect(texts(await readAll(bench.log, "t", 0, 2))).toEqual(["c"]);
    await expect(bench.log.read({ topic: "t", partition: 0, offset: -1 })).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("at the end waits for what is appended, or for the time that it was given", async () => {
    const waiting = bench.log.read({ topic: "t", partition: 0, offset: 0, maxWaitMs: 10_000 });
    await systemClock.sleep(5);
    await append(["late"]);
    expect((await waiting).nextOffset).toBe(1);
    const nothing = await bench.log.read({ topic: "t", partition: 0, offset: 1, maxWaitMs: 30 });
    expect(nothing).toMatchObject({ sizeBytes: 0, nextOffset: 1, logEndOffset: 1 });
  });

  test("stops waiting when its caller goes", async () => {
    const stop = new AbortController();
    const waiting = bench.log.read({ topic: "t", partition: 0, offset: 0, maxWaitMs: 60_000, signal: stop.signal });
    stop.abort();
    expect(await waiting).toMatchObject({ sizeBytes: 0 });
  });
});

describe("offsets", () => {
  test("by time are exact to the record, in every codec, and by the largest timestamp", async () => {
    for (const [n, compression] of (["none", "gzip", "snappy", "lz4", "zstd"] as const).entries()) {
      const records = Array.from({ length: 5 }, (_, i) => record("v", null, 1010 + (n * 5 + i) * 10));
      await bench.log.append({
        topic: "t",
        partition: 0,
        batches: encodeBatch(records, { timestampMs: 0, compression, codecs: nodeCodecs }),
      });
    }
    await bench.log.append({ topic: "t", partition: 0, batches: encodeBatch([record("old", null, 5)], { timestampMs: 0 }) });
    for (let i = 0; i < 25; i++) {
      expect(await bench.log.listOffset("t", 0, { timestampMs: 1005 + i * 10 })).toEqual({
        offset: i,
        timestampMs: 1010 + i * 10,
      });
    }
    expect(await bench.log.listOffset("t", 0, { timestampMs: 1251 })).toEqual({ offset: -1, timestampMs: -1 });
    expect(await bench.log.listOffset("t", 0, { at: "max_timestamp" })).toEqual({ offset: 24, timestampMs: 1250 });
    expect(await bench.log.listOffset("t", 0, { at: "earliest" })).toEqual({ offset: 0, timestampMs: -1 });
    expect(await bench.log.listOffset("t", 0, { at: "latest" })).toEqual({ offset: 26, timestampMs: -1 });
    await bench.log.deleteRecords("t", 0, 25);
    expect(await bench.log.listOffset("t", 0, { at: "max_timestamp" })).toEqual({ offset: 25, timestampMs: 5 });
  });

  test("of an empty partition by time: none", async () => {
    expect(await bench.log.listOffset("t", 0, { timestampMs: 0 })).toEqual({ offset: -1, timestampMs: -1 });
    expect(await bench.log.listOffset("t", 0, { at: "max_timestamp" })).toEqual({ offset: -1, timestampMs: -1 });
  });

  test("are deleted up to the end with -1, never beyond it, and never come back", async () => {
    await append(["a", "b"]);
    await expect(bench.log.deleteRecords("t", 0, 3)).rejects.toMatchObject({ code: "offset_out_of_range" });
    expect(await bench.log.deleteRecords("t", 0, -1)).toBe(2);
    expect(await bench.log.deleteRecords("t", 0, 1)).toBe(2);
  });
});
