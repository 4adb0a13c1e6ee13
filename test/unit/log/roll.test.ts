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

  test("carries requests and batches over that are larger than what it reads at once", async () => {
    await bench.log.createTopic({ name: "large", configs: { "max.message.bytes": String(2 ** 25) } });
    // Two of these end 30 bytes before the first 8 MiB do: the third one's header is cut by their end.
    const batch = (sizeBytes: number, fill: number): Uint8Array => {
      const overhead = 61 + 13;
      const bytes = encodeBatch([{ key: null, value: new Uint8Array(sizeBytes - overhead).fill(fill) }], {
        timestampMs: START_MS,
      });
      expect(bytes.byteLength).toBe(sizeBytes);
      return bytes;
    };
    const third = batch(4_194_289, 3);
    const requests = [
      Buffer.concat([batch(4_194_289, 1), batch(4_194_289, 2), third]),
      batch(20_000_000, 4),
      batch(2_000_000, 5),
    ];
    for (const batches of requests) await bench.log.append({ topic: "large", partition: 0, batches: new Uint8Array(batches) });
    for (let i = 0; i < 13; i++) await bench.log.append({ topic: "large", partition: 0, batches: batchOf([`small ${i}`]) });
    bench.clock.ms += 100;
    expect(await rollNow()).toMatchObject({ segments: 1, records: 18, left: false });
    const records = await readAll(bench.log, "large");
    expect(records.map(({ offset, value }) => [offset, value?.byteLength])).toEqual(
      [4_194_215, 4_194_215, 4_194_215, 19_999_926, 1_999_926, ...Array(10).fill(7), 8, 8, 8].map((size, i) => [i, size]),
    );
    expect(records.slice(0, 5).map(({ value }) => [value?.[0], value?.at(-1)])).toEqual([1, 2, 3, 4, 5].map((i) => [i, i]));
    for (const from of [1, 2, 3, 4, 9]) expect((await readAll(bench.log, "large", 0, from))[0]?.offset).toBe(from);
    const [key = ""] = await objects();
    const bytes = (await bench.storage.bucket.get(key)) as Uint8Array;
    for (const { at } of batchHeaders(bytes)) expect(crcMatches(bytes, at)).toBe(true);
  });

  test("of a partition with damaged bytes names it, and goes on with the others", async () => {
    await bench.log.createTopic({ name: "good" });
    await filled(16);
    for (let i = 0; i < 16; i++) await bench.log.append({ topic: "good", partition: 0, batches: batchOf(["x"]) });
    const { storage, clock } = bench;
    const { id } = await bench.log.topic("t");
    const oneRecord = batchOf(["x"]).byteLength;
    const damaged = {
      ...storage,
      blobs: {
        ...storage.blobs,
        read: async (slices: Parameters<typeof storage.blobs.read>[0]) => {
          const found = await storage.blobs.read(slices);
          return found[0]?.byteLength !== oneRecord ? found.map((one) => one?.subarray(0, 60)) : found;
        },
        place: (sizeBytes: number) => storage.blobs.place(sizeBytes),
        delete: (names: Parameters<typeof storage.blobs.delete>[0]) => storage.blobs.delete(names),
        list: (upTo: Uint8Array) => storage.blobs.list(upTo),
      },
    };
    bench.clock.ms += 100;
    const warned: string[] = [];
    const report = await roll(
      { storage: damaged, clock, ids: systemIds(clock), policy: { ...ROLL_POLICY, graceMs: 0 } },
      { untilMs: Number.POSITIVE_INFINITY, warn: (line) => warned.push(line) },
    );
    expect(report).toMatchObject({ segments: 1, left: true });
    expect(warned).toEqual([expect.stringContaining(`${id}#0: stored bytes at offset 0`)]);
    expect(texts(await readAll(bench.log, "good"))).toEqual(Array(16).fill("x"));
  });

  test("keeps the mark of a partition that is being sealed, and finds its run the next time", async () => {
    await filled(15);
    const { table } = bench.storage;
    const inOrder = table.inOrder.bind(table);
    const marked = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const sealed = Promise.withResolvers<void>();
    table.inOrder = async (stages) => {
      if (stages.length !== 3) return inOrder(stages);
      const [mark, ...rest] = stages;
      const first = await inOrder([mark ?? []]);
      marked.resolve();
      await goOn.promise;
      const others = await inOrder(rest);
      sealed.resolve();
      return [...first, ...others];
    };
    await append(["16"]);
    await marked.promise;
    bench.clock.ms += 100;
    expect(await rollNow()).toMatchObject({ segments: 0 });
    goOn.resolve();
    await sealed.promise;
    expect(await rollNow()).toMatchObject({ segments: 1, records: 31 });
  });

  test("does not take a mark that was made anew for the one that it has read", async () => {
    await filled(16);
    const { table } = bench.storage;
    const write = table.write.bind(table);
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    await rollNow();
    for (let i = 0; i < 16; i++) await append(["again"]);
    bench.clock.ms += 100;
    let held = false;
    table.write = async (op) => {
      if (op.op !== "delete" || !op.key.pk.startsWith("WORK#") || held) return write(op);
      held = true;
      reached.resolve();
      await goOn.promise;
      return write(op);
    };
    const slow = rollNow();
    await reached.promise;
    await rollNow();
    for (let i = 0; i < 16; i++) await append(["third"]);
    bench.clock.ms += 100;
    goOn.resolve();
    await slow;
    expect(await rollNow()).toMatchObject({ segments: 1, records: 16 });
  });
});
