import { beforeEach, describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, crcMatches, encodeBatch } from "../../../lib/kafka/index.ts";
import { roll } from "../../../lib/log/jobs/index.ts";
import { ROLL_POLICY } from "../../../lib/log/jobs/plan-roll.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { type Bench, batchOf, logOverMemory, readAll, record, START_MS, texts } from "./support.ts";

let bench: Bench;

beforeEach(async () => {
  bench = logOverMemory();
  await bench.log.createTopic({ name: "t" });
});

const append = (values: readonly string[], from?: Parameters<typeof batchOf>[1]) =>
  bench.log.append({ topic: "t", partition: 0, batches: batchOf(values, from) });

function rollNow(policy = { ...ROLL_POLICY, graceMs: 0 }) {
  const { storage, clock } = bench;
  return roll({ storage, clock, ids: systemIds(clock), policy }, { untilMs: Number.POSITIVE_INFINITY });
}

async function filled(appends: number): Promise<void> {
  for (let i = 0; i < appends; i++) await append([`${i}a`, `${i}b`]);
  bench.clock.ms += 100;
}

async function objects(): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of bench.storage.bucket.list("segments/")) keys.push(...page.map(({ key }) => key));
  return keys;
}

describe("rolling", () => {
  test("turns runs into one segment; every offset reads as before, across segment, runs and tail", async () => {
    await filled(100);
    expect(await rollNow()).toMatchObject({ segments: 1, records: 192, left: false });
    for (let i = 0; i < 40; i++) await append([`n${i}`]);
    for (let offset = 0; offset < 240; offset += 11) {
      const records = await readAll(bench.log, "t", 0, offset, 500);
      expect(records.map((one) => one.offset)).toEqual(Array.from({ length: 240 - offset }, (_, i) => offset + i));
    }
    expect(texts(await readAll(bench.log, "t")).slice(198, 202)).toEqual(["99a", "99b", "n0", "n1"]);
    expect(await rollNow()).toMatchObject({ segments: 1, records: 8 + 28 });
  });

  test("leaves runs alone that are younger than a lost answer may be", async () => {
    await filled(40);
    expect(await rollNow({ ...ROLL_POLICY, graceMs: 60_000 })).toMatchObject({ segments: 0, left: true });
    bench.clock.ms += 61_000;
    expect(await rollNow({ ...ROLL_POLICY, graceMs: 60_000 })).toMatchObject({ segments: 1, left: false });
    expect(await rollNow()).toMatchObject({ segments: 0, left: false });
  });

  test("makes objects of the size it was told to, each a Kafka log file with its offsets in it", async () => {
    await filled(160);
    const report = await rollNow({ ...ROLL_POLICY, graceMs: 0, segmentBytes: 3000 });
    expect(report.segments).toBeGreaterThan(3);
    const keys = await objects();
    expect(keys).toHaveLength(report.segments);
    let next = 0;
    for (const key of keys.toSorted((a, b) => (a.split("/").at(-1) as string).localeCompare(b.split("/").at(-1) as string))) {
      expect(Number((key.split("/").at(-1) as string).replace(".log", ""))).toBe(next);
      const bytes = (await bench.storage.bucket.get(key)) as Uint8Array;
      for (const batch of batchHeaders(bytes)) {
        expect(batch.baseOffset).toBe(next);
        expect(crcMatches(bytes, batch.at)).toBe(true);
        next += batch.recordCount;
      }
    }
    expect(next).toBe(320);
  });

  test("takes the blobs away that it has carried over", async () => {
    await filled(32);
    await rollNow();
    let left = 0;
    for await (const page of bench.storage.blobs.list(new Uint8Array(16).fill(255))) left += page.length;
    expect(left).toBe(0);
    expect(await readAll(bench.log, "t")).toHaveLength(64);
  });

  test("takes the blobs away too that the log start has passed within a run", async () => {
    await filled(32);
    await bench.log.deleteRecords("t", 0, 10);
    await rollNow();
    let left = 0;
    for await (const page of bench.storage.blobs.list(new Uint8Array(16).fill(255))) left += page.length;
    expect(left).toBe(0);
    expect(await readAll(bench.log, "t", 0, 10)).toHaveLength(54);
  });

  test("keeps offsets by time exact", async () => {
    for (let i = 0; i < 64; i++) {
      const records = Array.from({ length: 3 }, (_, k) => record("v", null, START_MS + i * 30 + k * 10));
      const compression = (["none", "zstd"] as const)[i % 2] ?? "none";
      await bench.log.append({
        topic: "t",
        partition: 0,
        batches: encodeBatch(records, { timestampMs: 0, compression, codecs: nodeCodecs }),
      });
    }
    bench.clock.ms += 100;
    await rollNow();
    for (let offset = 0; offset < 192; offset += 5) {
      expect(await bench.log.listOffset("t", 0, { timestampMs: START_MS + offset * 10 - 3 })).toEqual({
        offset,
        timestampMs: START_MS + offset * 10,
      });
    }
    expect(await bench.log.listOffset("t", 0, { at: "max_timestamp" })).toEqual({ offset: 191, timestampMs: START_MS + 1910 });
  });

  test("keeps an idempotent producer from doubling its last batch", async () => {
    for (let i = 0; i < 32; i++) await append([`p${i}`], { id: 7, sequence: i });
    bench.clock.ms += 100;
    await rollNow();
    expect(await append(["p31"], { id: 7, sequence: 31 })).toMatchObject({ duplicate: true, baseOffset: 31 });
    expect(await append(["p32"], { id: 7, sequence: 32 })).toMatchObject({ duplicate: false, baseOffset: 32 });
  });

  test("by two at once makes no segment twice", async () => {
    await filled(100);
    await Promise.all([rollNow(), rollNow()]);
    expect(await objects()).toHaveLength(1);
    expect(await readAll(bench.log, "t")).toHaveLength(200);
  });
});
