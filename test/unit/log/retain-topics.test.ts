/** Which topics retention looks at, and when. */
import { beforeEach, expect, test } from "vitest";
import type { JobRun } from "../../../lib/log/jobs/index.ts";
import { dueAfter } from "../../../lib/log/jobs/plan-retention.ts";
import { retain } from "../../../lib/log/jobs/retain-topics.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { slowStorage } from "./slow-storage.ts";
import { type Bench, batchOf, logOverMemory, START_MS, TestClock } from "./support.ts";

const HOUR_MS = 3_600_000;
let bench: Bench;
let headsRead: string[];
let onHeadRead = (): void => {};

beforeEach(() => {
  const clock = new TestClock();
  headsRead = [];
  onHeadRead = () => {};
  const truth = memoryStorage({ clock });
  const storage = slowStorage(
    truth,
    async () => {},
    ({ what }) => {
      if (what !== "get") return;
      headsRead.push(what);
      onHeadRead();
    },
  );
  bench = { ...logOverMemory({ storage, clock }), clock };
});

function run(how: Partial<JobRun> = {}) {
  const { storage, clock } = bench;
  headsRead = [];
  const parts = { storage, clock, ids: systemIds(clock), graceMs: 0 };
  return retain(parts, { untilMs: Number.POSITIVE_INFINITY, ...how });
}

const append = (topic: string, values: readonly string[], partition = 0) =>
  bench.another().append({ topic, partition, batches: batchOf(values) });

test("a topic with nothing to give up is looked at a few times a day only", async () => {
  await bench.log.createTopic({ name: "t", partitions: 40 });
  await run();
  expect(headsRead).toHaveLength(40);
  for (let minute = 5; minute < 300; minute += 5) {
    bench.clock.ms += 300_000;
    await run();
    expect(headsRead).toEqual([]);
  }
  bench.clock.ms += 2 * HOUR_MS;
  await run();
  expect(headsRead).toHaveLength(40);
});

test("a topic is looked at when its oldest records are due, when its policy changes, and after DeleteRecords", async () => {
  await bench.log.createTopic({ name: "t", configs: { "retention.ms": String(HOUR_MS * 2) } });
  await append("t", ["a", "b"]);
  bench.clock.ms = START_MS + HOUR_MS * 2 - 100_000;
  await run();
  bench.clock.ms = START_MS + HOUR_MS * 2;
  expect(await run()).toMatchObject({ records: 0 });
  expect(headsRead).toEqual([]);
  bench.clock.ms += 2;
  expect(await run()).toMatchObject({ records: 2 });

  await append("t", ["c"]);
  await bench.log.alterConfigs("t", { "retention.ms": "-1" });
  await run();
  expect(headsRead).toHaveLength(1);
  await run();
  expect(headsRead).toEqual([]);
  await bench.log.deleteRecords("t", 0, 3);
  await run();
  expect(headsRead).not.toEqual([]);
});

test("a run that ends in the middle of a topic goes on there the next time", async () => {
  await bench.log.createTopic({ name: "t", partitions: 40 });
  headsRead = [];
  const stop = new AbortController();
  const parts = { storage: bench.storage, clock: bench.clock, ids: systemIds(bench.clock), graceMs: 0 };
  onHeadRead = () => stop.abort();
  const begun = retain(parts, { untilMs: Number.POSITIVE_INFINITY, signal: stop.signal });
  expect(await begun).toMatchObject({ left: true });
  onHeadRead = () => {};
  const first = headsRead;
  expect(first.length).toBeLessThan(40);
  expect(await run()).toMatchObject({ left: false });
  expect(headsRead).toHaveLength(40 - first.length);
});

test("a policy that gives up everything is obeyed, and said once a topic", async () => {
  await bench.log.createTopic({ name: "t", partitions: 3, configs: { "retention.ms": "0" } });
  await append("t", ["a", "b"]);
  await append("t", ["c"], 2);
  bench.clock.ms += 10;
  const warned: string[] = [];
  const said: string[] = [];
  expect(await run({ warn: (line) => warned.push(line), say: (line) => said.push(line) })).toMatchObject({ records: 3 });
  expect(warned).toEqual(['topic "t": its retention leaves no record in 2 of 3 partitions']);
  expect(said).toEqual([
    "t-0: 2 records given up, 0 segments deleted by retention.ms=0",
    "t-2: 1 records given up, 0 segments deleted by retention.ms=0",
  ]);
});

test("a dry run says what would go, and nothing goes", async () => {
  await bench.log.createTopic({ name: "t", configs: { "retention.ms": "0" } });
  await append("t", ["a", "b"]);
  bench.clock.ms += 10;
  const said: string[] = [];
  expect(await run({ dryRun: true, byHand: true, say: (line) => said.push(line) })).toMatchObject({ records: 2 });
  expect(said).toEqual(["t-0: 2 records would be given up by retention.ms=0"]);
  expect(await bench.log.partitions("t")).toMatchObject([{ partition: 0, logStartOffset: 0, logEndOffset: 2 }]);
});

test("the next look is at the oldest record's end, or so soon that old timestamps are not missed for long", () => {
  const kept = { end: 1, maxTimestampMs: 1_000_000, sizeBytes: 1 };
  const forWeek = { retentionMs: 7 * 24 * HOUR_MS, retentionBytes: -1 };
  expect(dueAfter(kept, forWeek, 1_000_000)).toBe(1_000_000 + 6 * HOUR_MS);
  expect(dueAfter(kept, forWeek, 1_000_000 + 7 * 24 * HOUR_MS - 5)).toBe(1_000_001 + 7 * 24 * HOUR_MS);
  expect(dueAfter(undefined, { retentionMs: HOUR_MS, retentionBytes: -1 }, 0)).toBe(300_000);
  expect(dueAfter(kept, { retentionMs: -1, retentionBytes: -1 }, 0)).toBe(Number.POSITIVE_INFINITY);
  expect(dueAfter(kept, { retentionMs: -1, retentionBytes: 5 }, 0)).toBe(0);
});
