import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decodeSegment, segmentObject } from "../../../lib/log/items/segment.ts";
import { merge, roll } from "../../../lib/log/jobs/index.ts";
import type { JobRun } from "../../../lib/log/jobs/job.ts";
import { mergePolicy } from "../../../lib/log/jobs/merge.ts";
import { ROLL_POLICY } from "../../../lib/log/jobs/plan-roll.ts";
import type { Storage } from "../../../lib/ports/index.ts";
import { openEmbedded } from "../../../lib/storage/embedded/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { Died, dyingStorage } from "./crashing-storage.ts";
import { type Bench, batchOf, logOverMemory, readAll, TestClock, texts } from "./support.ts";

const FOREVER: JobRun = { untilMs: Number.POSITIVE_INFINITY };

/** Rolls after each sixteen appends, so that there are many small segments. */
async function rolled(bench: Bench, segments: number, name = "t"): Promise<string[]> {
  const { storage, clock } = bench;
  const ids = systemIds(clock);
  const { id } = await bench.log.topic(name);
  const values: string[] = [];
  for (let s = 0; s < segments; s++) {
    for (let i = 0; i < 16; i++) {
      values.push(`${s}-${i}`);
      await bench.log.append({ topic: name, partition: 0, batches: batchOf([`${s}-${i}`]) });
    }
    // The seal is done behind the answer.
    while ((await storage.table.range(`P#${id}#0`, { from: "R#", to: "R#~" })).length === 0) await clock.sleep(1);
    clock.ms += 100;
    await roll({ storage, clock, ids, policy: { ...ROLL_POLICY, graceMs: 0 } }, FOREVER);
  }
  return values;
}

async function segmentsOf({ log, storage }: Bench, name = "t") {
  const { id } = await log.topic(name);
  const found = await storage.table.range(`P#${id}#0`, { from: "S#", to: "S#~" });
  return found.map(({ key, item }) => ({ ...decodeSegment(key, item), topicId: id }));
}

async function objects(storage: Storage): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of storage.bucket.list("segments/")) keys.push(...page.map(({ key }) => key));
  return keys.toSorted();
}

async function marks(storage: Storage): Promise<number> {
  const all = await Promise.all(Array.from({ length: 8 }, (_, shard) => storage.table.range(`TIDY#${shard}`)));
  return all.flat().length;
}

const folder = mkdtempSync(join(tmpdir(), "brokerless-merge-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const backends: Readonly<Record<string, (clock: TestClock) => Promise<Storage>>> = {
  memory: async (clock) => memoryStorage({ clock }),
  embedded: (clock) => openEmbedded({ folder: mkdtempSync(join(folder, "d-")), clock }),
};

describe.each(Object.keys(backends))("merging over %s", (kind) => {
  test("makes one segment of small ones; every offset reads as before, and nothing else is left behind", async () => {
    const clock = new TestClock();
    const storage = await backends[kind]!(clock);
    const bench = logOverMemory({ clock, storage });
    await bench.log.createTopic({ name: "t" });
    const values = await rolled(bench, 20);
    expect(await segmentsOf(bench)).toHaveLength(20);
    const ids = systemIds(clock);
    expect(await merge({ storage, clock, ids }, FOREVER)).toMatchObject({ merged: 1, sources: 20, left: false });
    const [whole, ...rest] = await segmentsOf(bench);
    expect(rest).toEqual([]);
    expect(whole).toMatchObject({ base: 0, last: 319 });
    expect(await objects(storage)).toEqual([segmentObject(whole!.topicId, 0, whole!)]);
    for (let offset = 0; offset < 320; offset += 37)
      expect(texts(await readAll(bench.log, "t", 0, offset, 300))).toEqual(values.slice(offset));
    expect(await bench.log.listOffset("t", 0, { at: "max_timestamp" })).toMatchObject({ timestampMs: 1_700_000_000_000 });
    await storage.close();
  });
});

describe("merging", () => {
  const start = async (configs: Record<string, string> = {}) => {
    const bench = logOverMemory();
    await bench.log.createTopic({ name: "t", configs });
    const { storage, clock } = bench;
    return { bench, storage, parts: { storage, clock, ids: systemIds(clock) } };
  };

  test("looks only where something was rolled since, and at everything when it is asked to by hand", async () => {
    const { bench, storage, parts } = await start();
    await rolled(bench, 9);
    expect(await marks(storage)).toBe(1);
    await merge(parts, FOREVER);
    expect(await marks(storage)).toBe(0);
    expect(await merge(parts, FOREVER)).toMatchObject({ merged: 0 });
    await bench.log.alterConfigs("t", { "segment.bytes": String(2 ** 20) });
    expect(await merge(parts, { ...FOREVER, byHand: true })).toMatchObject({ merged: 0, left: false });
  });

  test("says in a dry run what it would do, and changes nothing", async () => {
    const { bench, storage, parts } = await start();
    await rolled(bench, 9);
    const before = await objects(storage);
    const said: string[] = [];
    expect(await merge(parts, { ...FOREVER, dryRun: true, say: (line) => said.push(line) })).toMatchObject({ merged: 0 });
    expect(said).toEqual([expect.stringMatching(/^t-0: 9 segments would become one of \d+ bytes, offsets 0 to 143$/)]);
    expect(await objects(storage)).toEqual(before);
    expect(await marks(storage)).toBe(1);
  });

  test("ends when its time is over, and goes on in the next run", async () => {
    const { bench, parts } = await start();
    await rolled(bench, 9);
    expect(await merge(parts, { untilMs: parts.clock.monotonicMs() })).toMatchObject({ merged: 0, left: true });
    expect(await merge(parts, FOREVER)).toMatchObject({ merged: 1, left: false });
  });

  test("keeps retention fine: segments span an eighth at most of what is kept, in time and in size", async () => {
    const { bench } = await start({ "retention.ms": "8000", "retention.bytes": String(2 ** 30) });
    expect(mergePolicy(await bench.log.topic("t"), 0)).toMatchObject({ spanMs: 1000, segmentBytes: 2 ** 27 });
    await bench.log.alterConfigs("t", { "cleanup.policy": "compact" });
    expect(mergePolicy(await bench.log.topic("t"), 0)).toMatchObject({ spanMs: 604_800_000, segmentBytes: 2 ** 30 });
    await bench.log.alterConfigs("t", { "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "10" });
    expect(mergePolicy(await bench.log.topic("t"), 0)).toMatchObject({ spanMs: 604_800_000, segmentBytes: 2 ** 20 });
  });

  test("leaves segments that are not as large as their items say as they are, and names them", async () => {
    const { bench, storage, parts } = await start();
    await rolled(bench, 9);
    const [first] = await segmentsOf(bench);
    const key = segmentObject(first!.topicId, 0, first!);
    const bytes = (await storage.bucket.get(key)) as Uint8Array;
    await storage.bucket.put(key, bytes.subarray(0, bytes.byteLength - 1));
    const before = await objects(storage);
    const warned: string[] = [];
    expect(await merge(parts, { ...FOREVER, warn: (line) => warned.push(line) })).toMatchObject({ merged: 0, left: true });
    expect(warned).toEqual(["t-0: segments from offset 0 to 143 are not as large as their items say: not merged"]);
    expect(await objects(storage)).toEqual(before);
  });

  test("by two at once makes one segment, and no object that nothing refers to", async () => {
    const { bench, storage, parts } = await start();
    const values = await rolled(bench, 16);
    await Promise.all([merge(parts, FOREVER), merge({ ...parts, ids: systemIds(bench.clock) }, FOREVER)]);
    expect(await segmentsOf(bench)).toHaveLength(1);
    expect(await objects(storage)).toHaveLength(1);
    expect(texts(await readAll(bench.log, "t"))).toEqual(values);
  });

  test("may die at any call: the log reads the same, and the next run does what is left", async () => {
    let died = 0;
    for (let at = 0; ; at++) {
      let lived = true;
      for (const applied of [false, true]) {
        const { bench, storage, parts } = await start();
        const values = await rolled(bench, 9);
        const dying = dyingStorage(storage, at, applied);
        await merge({ ...parts, storage: dying.storage }, FOREVER).catch((error) => {
          if (!(error instanceof Died)) throw error;
          died++;
        });
        lived &&= dying.lived();
        expect(texts(await readAll(bench.log, "t", 0, 0, 400))).toEqual(values);
        expect(await merge(parts, FOREVER)).toMatchObject({ left: false });
        expect(await segmentsOf(bench)).toHaveLength(1);
        expect(await marks(storage)).toBe(0);
        expect(texts(await readAll(bench.log, "t", 0, 0, 400))).toEqual(values);
      }
      if (lived) break;
    }
    expect(died).toBeGreaterThan(20);
  });

  test("a reader that holds segments from before reads the index again, whenever the merge comes", async () => {
    for (let at = 0; at < 12; at++) {
      const { bench, storage, parts } = await start();
      const values = await rolled(bench, 9);
      let calls = 0;
      const held: Storage = {
        ...storage,
        bucket: {
          ...storage.bucket,
          get: async (key, slice) => {
            if (calls++ === at) await merge(parts, FOREVER);
            return storage.bucket.get(key, slice);
          },
        },
      };
      expect(texts(await readAll(bench.another({ storage: held }), "t", 0, 0, 900))).toEqual(values);
    }
  });
});

test("a roller that comes late does not roll once more what was merged meanwhile, though a slow sealer put its run again", async () => {
  const bench = logOverMemory();
  const { storage, clock } = bench;
  await bench.log.createTopic({ name: "t" });
  const { id } = await bench.log.topic("t");
  for (let i = 0; i < 16; i++) await bench.log.append({ topic: "t", partition: 0, batches: batchOf([`first-${i}`]) });
  const runs = () => storage.table.range(`P#${id}#0`, { from: "R#", to: "R#~" });
  while ((await runs()).length === 0) await clock.sleep(1);
  const [run] = await runs();
  clock.ms += 100;
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const slow = { ...storage, table: Object.create(storage.table) as Storage["table"] };
  slow.table.atomically = async (ops) => {
    reached.resolve();
    await goOn.promise;
    return storage.table.atomically(ops);
  };
  for (const name of ["get", "range", "write"] as const) slow.table[name] = storage.table[name].bind(storage.table) as never;
  const ids = systemIds(clock);
  const policy = { ...ROLL_POLICY, graceMs: 0 };
  const late = roll({ storage: slow, clock, ids, policy }, FOREVER);
  await reached.promise;
  await roll({ storage, clock, ids, policy }, FOREVER);
  await rolled(bench, 7);
  await merge({ storage, clock, ids }, { ...FOREVER, byHand: true });
  expect(await segmentsOf(bench)).toHaveLength(1);
  await storage.table.write({ op: "put", key: run?.key as never, item: run?.item as never });
  goOn.resolve();
  await late;
  expect((await segmentsOf(bench)).map(({ base, last }) => [base, last])).toEqual([[0, 127]]);
  expect(await readAll(bench.log, "t")).toHaveLength(128);
});
