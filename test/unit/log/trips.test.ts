/** What an append and a read cost, in trips to the storage that wait for each other; counted warm. */
import { expect, test } from "vitest";
import type { LogApi } from "../../../lib/log/index.ts";
import type { Metrics } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { Lockstep, settle, slowStorage, type Trip } from "./slow-storage.ts";
import { type Bench, batchOf, logOverMemory, readAll, TestClock } from "./support.ts";

interface Counted extends Bench {
  readonly lockstep: Lockstep;
  readonly trips: Trip[];
}

/** A log with a topic `t`, warm: its topic, its partitions and one idempotent producer (7) have been used. */
async function warmLog(partitions = 1): Promise<Counted> {
  const clock = new TestClock();
  const lockstep = new Lockstep();
  const trips: Trip[] = [];
  const storage = slowStorage(memoryStorage({ clock }), lockstep.gate, (trip) => trips.push(trip));
  const bench = logOverMemory({ storage });
  const counted = { ...bench, lockstep, trips };
  await lockstep.tripsOf(() => bench.log.createTopic({ name: "t", partitions }));
  for (let p = 0; p < partitions; p++) await append(counted, ["warm"], p);
  await lockstep.tripsOf(() => bench.log.append({ topic: "t", partition: 0, batches: batchOf(["x"], { id: 7, sequence: 0 }) }));
  trips.length = 0;
  return counted;
}

function append({ lockstep, log }: Counted, values: readonly string[], partition = 0) {
  return lockstep.tripsOf(() => log.append({ topic: "t", partition, batches: batchOf(values) }));
}

const what = (counted: Counted): string[] => counted.trips.map((trip) => trip.what);

test("an append is two trips: the blob, then the head", async () => {
  const counted = await warmLog();
  const { answer, trips } = await append(counted, ["a", "b"]);
  expect(answer).toMatchObject({ baseOffset: 2, recordCount: 2 });
  expect(trips).toBe(2);
  expect(what(counted)).toEqual(["putBlob", "append HEAD"]);
});

test("an append of an idempotent producer is two trips too", async () => {
  const counted = await warmLog();
  const { trips } = await counted.lockstep.tripsOf(() =>
    counted.log.append({ topic: "t", partition: 0, batches: batchOf(["y"], { id: 7, sequence: 1 }) }),
  );
  expect(trips).toBe(2);
  expect(what(counted)).toEqual(["putBlob", "append HEAD"]);
});

test("a hundred appends that wait together, to several partitions, are two trips", async () => {
  const counted = await warmLog(5);
  const { answer, trips } = await counted.lockstep.tripsOf(() =>
    Promise.all(
      Array.from({ length: 100 }, (_, i) => counted.log.append({ topic: "t", partition: i % 5, batches: batchOf([`v${i}`]) })),
    ),
  );
  expect(answer.length).toBe(100);
  expect(trips).toBe(2);
  expect(what(counted)).toEqual(["putBlob", "append HEAD"]);
});

test("an append whose turn it is to seal answers before it seals", async () => {
  const counted = await warmLog();
  for (let i = 0; i < 40; i++) {
    expect((await append(counted, [`v${i}`])).trips).toBe(2);
    await counted.lockstep.until();
  }
  expect(what(counted).filter((one) => one.startsWith("put R#")).length).toBeGreaterThan(0);
});

test("a read from the tail is two trips: the head, then the blobs together", async () => {
  const counted = await warmLog();
  for (let i = 0; i < 5; i++) await append(counted, [`v${i}`]);
  counted.trips.length = 0;
  const { answer, trips } = await counted.lockstep.tripsOf(() => counted.log.read({ topic: "t", partition: 0, offset: 2 }));
  expect(answer).toMatchObject({ nextOffset: 7, logEndOffset: 7 });
  expect(trips).toBe(2);
  expect(what(counted)).toEqual(["get", "read blobs"]);
});

test("a read at the end of the log is one trip", async () => {
  const counted = await warmLog();
  const { trips } = await counted.lockstep.tripsOf(() => counted.log.read({ topic: "t", partition: 0, offset: 2 }));
  expect(trips).toBe(1);
});

test.each([40, 400])("a read from before the tail is three trips, with %d appends in the log", async (appends) => {
  const counted = await warmLog();
  for (let i = 0; i < appends; i++) await append(counted, [`v${i}`]);
  await counted.lockstep.until();
  for (const offset of [0, 5, Math.floor(appends / 2)]) {
    counted.trips.length = 0;
    const { answer, trips } = await counted.lockstep.tripsOf(() => counted.log.read({ topic: "t", partition: 0, offset }));
    expect(answer.nextOffset).toBeGreaterThan(offset);
    expect(trips).toBe(3);
    expect(what(counted)).toEqual(["get", "range", "range", "read blobs"]);
  }
});

/** Counts by name. */
function countingMetrics(): Metrics & { readonly counts: Record<string, number> } {
  const counts: Record<string, number> = {};
  return {
    counts,
    count: (name, by = 1) => {
      counts[name] = (counts[name] ?? 0) + by;
    },
    gauge: () => undefined,
    observe: () => undefined,
  };
}

/** Every leg of a trip takes a few turns of the event loop, by a seeded choice. */
function jitter(seed: number): () => Promise<void> {
  let state = seed;
  return async () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const turns = (state >>> 28) % 6;
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
  };
}

const WRITERS = 64;
const APPENDS = 12;

test.each([
  ["one process", 1],
  ["four processes", 4],
])("64 writers, plain and idempotent, on one hot partition of %s: no commit fails, and none is retried", async (_, processes) => {
  const clock = new TestClock();
  const trips: Trip[] = [];
  const metrics = countingMetrics();
  const storage = slowStorage(memoryStorage({ clock, maxConcurrentCommits: 4 }), jitter(1), (trip) => trips.push(trip));
  const bench = logOverMemory({ storage, metrics });
  const logs = [bench.log, ...Array.from({ length: processes - 1 }, () => bench.another())] as [LogApi, ...LogApi[]];
  await bench.log.createTopic({ name: "t", partitions: 1 });
  const seen = new Map<number, string>();
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      const log = logs[writer % processes] as LogApi;
      for (let n = 0; n < APPENDS; n++) {
        const value = `${writer}/${n}`;
        const from = writer % 2 === 0 ? undefined : { id: 1000 + writer, sequence: n };
        const { baseOffset, duplicate } = await log.append({ topic: "t", partition: 0, batches: batchOf([value], from) });
        expect(duplicate).toBe(false);
        expect(seen.has(baseOffset)).toBe(false);
        seen.set(baseOffset, value);
        if (n % 3 === writer % 3) await settle();
      }
    }),
  );
  const records = await readAll(bench.log, "t");
  expect(records.length).toBe(WRITERS * APPENDS);
  for (const { offset, value } of records) expect(new TextDecoder().decode(value as Uint8Array)).toBe(seen.get(offset));
  expect(metrics.counts["commit_retries_total"] ?? 0).toBe(0);
  const commits = trips.filter((trip) => trip.what === "append HEAD");
  expect(commits.length).toBeGreaterThan(0);
  expect(commits.filter((trip) => trip.refused.length > 0)).toEqual([]);
  // Where several processes seal, one of them may find it done; in one process nothing at all is refused.
  if (processes === 1) expect(trips.filter((trip) => trip.refused.length > 0)).toEqual([]);
  await Promise.all(logs.map((log) => log.close()));
});

test("a read of many partitions from their tails is two trips: all heads at once, then the blobs", async () => {
  const counted = await warmLog(3);
  const partitions = [0, 1, 2].map((partition) => ({ topic: "t", partition, offset: 0, maxBytes: 2 ** 20 }));
  const { answer, trips } = await counted.lockstep.tripsOf(() => counted.log.readMany({ partitions, maxBytes: 2 ** 22 }));
  expect(answer).toMatchObject([{ nextOffset: 2 }, { nextOffset: 1 }, { nextOffset: 1 }]);
  expect(trips).toBe(2);
});
