/** What the sweeper takes away, and what it leaves alone. */
import { beforeEach, describe, expect, test } from "vitest";
import { ulidFrom } from "../../../lib/base/ulid.ts";
import { SEAL_POLICY } from "../../../lib/log/append/seal.ts";
import { headKey } from "../../../lib/log/items/head.ts";
import { encodeTombstone, tombstoneKey } from "../../../lib/log/items/topic.ts";
import { type JobRun, roll, sweep } from "../../../lib/log/jobs/index.ts";
import { ROLL_POLICY } from "../../../lib/log/jobs/plan-roll.ts";
import type { Item } from "../../../lib/ports/index.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { type Bench, batchOf, logOverMemory, readAll, texts } from "./support.ts";

const GRACE_MS = 600_000;
const LARGE = "x".repeat(10_000);
let bench: Bench;

beforeEach(() => {
  // Runs of one ref, so that everything is sealed at once.
  bench = logOverMemory({ sealing: { ...SEAL_POLICY, runRefs: 1 } });
});

function parts() {
  const { storage, clock } = bench;
  return { storage, clock, ids: systemIds(clock) };
}

function sweepNow(how: Partial<JobRun> = {}) {
  return sweep({ ...parts(), graceMs: GRACE_MS }, { untilMs: Number.POSITIVE_INFINITY, byHand: true, ...how });
}

async function rollNow(): Promise<void> {
  await roll({ ...parts(), policy: { ...ROLL_POLICY, graceMs: 0 } }, { untilMs: Number.POSITIVE_INFINITY });
}

const append = (value: string, partition = 0) => bench.log.append({ topic: "t", partition, batches: batchOf([value]) });

async function kept(): Promise<{ blobs: number; objects: string[]; partitions: string[] }> {
  const { blobs, bucket, table } = bench.storage;
  let count = 0;
  for await (const page of blobs.list(new Uint8Array(16).fill(255))) count += page.length;
  const objects: string[] = [];
  for await (const page of bucket.list("")) objects.push(...page.map(({ key }) => key));
  const partitions: string[] = [];
  for await (const page of table.scan("P#")) partitions.push(...page);
  return { blobs: count, objects, partitions };
}

/** What a writer leaves that dies before it updates the head. */
async function orphan(topicId: string, bytes = 5): Promise<Uint8Array> {
  const id = systemIds(bench.clock).ulid();
  await bench.storage.table.inOrder([[{ op: "putBlob", id, pieces: [new Uint8Array(bytes)], partitions: [`${topicId}#0`] }]]);
  return id;
}

describe("blobs", () => {
  test("that nothing refers to go once they are older than the grace time, and their ids never enter the head", async () => {
    const { id: topicId } = await bench.log.createTopic({ name: "t" });
    const small = await orphan(topicId);
    await orphan(topicId, 10_000);
    await append("kept");
    bench.clock.ms += GRACE_MS - 1;
    expect(await sweepNow()).toMatchObject({ blobs: 0 });
    bench.clock.ms += 2;
    expect(await sweepNow()).toMatchObject({ blobs: 2, blobBytes: 10_005 });
    expect(texts(await readAll(bench.log, "t"))).toEqual(["kept"]);
    const late = await bench.storage.table
      .write({
        op: "update",
        key: headKey(topicId, 0),
        changes: [{ add: "n", by: 1 }],
        when: [{ path: "f", is: "<", value: small }],
      })
      .catch((error) => error);
    expect(late).toMatchObject({ kind: "condition_failed" });
  });

  test("that several partitions share go when the last of them is rolled", async () => {
    bench = logOverMemory({ sealing: { ...SEAL_POLICY, runRefs: 2 } });
    await bench.log.createTopic({ name: "t", partitions: 2 });
    await bench.log.appendAtomically([0, 1].map((partition) => ({ topic: "t", partition, batches: batchOf([LARGE]) })));
    await append("second of the run", 0);
    bench.clock.ms += GRACE_MS + 1;
    await rollNow();
    expect((await kept()).objects).toHaveLength(1);
    expect(await sweepNow()).toMatchObject({ blobs: 0 });
    await append("second of the run", 1);
    await rollNow();
    expect((await kept()).objects).toHaveLength(2);
    expect(await sweepNow()).toMatchObject({ blobs: 1 });
    expect((await kept()).blobs).toBe(0);
    for (const partition of [0, 1]) expect(texts(await readAll(bench.log, "t", partition))).toEqual([LARGE, "second of the run"]);
  });
});

describe("segment objects", () => {
  test("that no index names go, and neither those that are named nor what is not ours", async () => {
    const { id: topicId } = await bench.log.createTopic({ name: "t" });
    await append("a");
    await rollNow();
    const [live = ""] = (await kept()).objects;
    const left = live.replace(/[0-9A-Z]{26}/, "01HF7YAT31JZECGD1ZJ22Y6Z00");
    const foreign = ["segments/readme.txt", "backup/2023.tar", `segments/${topicId}/0/notes/00000000000000000000.log`];
    for (const key of [left, ...foreign]) await bench.storage.bucket.put(key, new Uint8Array(7));
    bench.clock.ms += GRACE_MS + 1000;
    expect(await sweepNow()).toMatchObject({ objects: 1, objectBytes: 7 });
    expect((await kept()).objects.sort()).toEqual([live, ...foreign].sort());
    expect(texts(await readAll(bench.log, "t"))).toEqual(["a"]);
  });
});

describe("a deleted topic", () => {
  test("is gone after two sweeps, bytes and items, and a new one of its name keeps everything", async () => {
    await bench.log.createTopic({ name: "t", partitions: 20 });
    for (let partition = 0; partition < 20; partition++) {
      await append(LARGE, partition);
      await append("b", partition);
    }
    await rollNow();
    for (let partition = 0; partition < 20; partition++) await append("in the tail", partition);
    await bench.log.deleteTopic("t");
    await bench.log.createTopic({ name: "t" });
    await append("of the new one");

    expect(await sweepNow()).toMatchObject({ topics: 0 });
    bench.clock.ms += GRACE_MS + 1;
    expect(await sweepNow()).toMatchObject({ topics: 1 });
    bench.clock.ms += GRACE_MS + 1;
    expect(await sweepNow()).toMatchObject({ topics: 1 });
    expect(await sweepNow()).toMatchObject({ topics: 0 });
    const { blobs, objects, partitions } = await kept();
    expect({ blobs, objects, partitions: partitions.length }).toEqual({ blobs: 1, objects: [], partitions: 1 });
    expect(await bench.storage.table.range("DELETED")).toEqual([]);
    expect(texts(await readAll(bench.log, "t"))).toEqual(["of the new one"]);
  });

  test("goes on where it ended when a sweep runs out of time", async () => {
    await bench.log.createTopic({ name: "t", partitions: 20 });
    await bench.log.deleteTopic("t");
    bench.clock.ms += GRACE_MS + 1;
    let looks = 0;
    const clock = { ...bench.clock, nowMs: () => bench.clock.ms, sleep: bench.clock.sleep, monotonicMs: () => looks++ };
    expect(await sweep({ ...parts(), clock, graceMs: GRACE_MS }, { untilMs: 1 })).toMatchObject({ left: true, topics: 0 });
    const [{ item } = { item: {} as Item }] = await bench.storage.table.range("DELETED");
    expect(item["d"]).toBe(8);
    expect(await sweepNow()).toMatchObject({ topics: 1 });
  });

  test("is not swept where it exists after all", async () => {
    const { id } = await bench.log.createTopic({ name: "t" });
    await append("a");
    const tombstone = encodeTombstone({ name: "", partitions: 1, atMs: bench.clock.ms, passes: 0, nextPartition: 0 });
    await bench.storage.table.write({ op: "put", key: tombstoneKey(id), item: tombstone });
    bench.clock.ms += GRACE_MS + 1;
    await sweepNow();
    expect(await bench.storage.table.range("DELETED")).toEqual([]);
    expect(texts(await readAll(bench.log, "t"))).toEqual(["a"]);
  });
});

test("heads of a topic whose creation died go too", async () => {
  const { id } = await bench.log.createTopic({ name: "t", partitions: 3 });
  await bench.storage.table.write({ op: "delete", key: { pk: "TOPICS", sk: "t" } });
  await sweepNow();
  for (let pass = 0; pass < 2; pass++) {
    bench.clock.ms += GRACE_MS + 1;
    await sweepNow();
  }
  expect((await kept()).partitions).toEqual([]);
  expect(await bench.storage.table.get(tombstoneKey(id))).toBeUndefined();
});

test("everything is looked at once a day, and by schedule only the shared and the deleted in between", async () => {
  const { id: topicId } = await bench.log.createTopic({ name: "t" });
  expect(await sweepNow({ byHand: false })).toMatchObject({ left: false });
  await orphan(topicId, 1);
  await orphan(topicId, 10_000);
  bench.clock.ms += GRACE_MS + 1;
  expect(await sweepNow({ byHand: false })).toMatchObject({ blobs: 1, blobBytes: 10_000 });
  bench.clock.ms += 86_400_000;
  expect(await sweepNow({ byHand: false })).toMatchObject({ blobs: 1, blobBytes: 1 });
});

test("a dry run says what would go, and changes nothing", async () => {
  const { id: topicId } = await bench.log.createTopic({ name: "t" });
  await orphan(topicId);
  await bench.log.createTopic({ name: "gone" });
  await bench.log.deleteTopic("gone");
  bench.clock.ms += GRACE_MS + 1;
  const before = await kept();
  const head = await bench.storage.table.get(headKey(topicId, 0));
  const lines: string[] = [];
  expect(await sweepNow({ dryRun: true, say: (line) => lines.push(line) })).toMatchObject({ blobs: 1, topics: 1 });
  expect(lines).toEqual([
    'deleted topic "gone": its 1 partitions would be swept',
    expect.stringMatching(/^blob [0-9A-Z]{26}, 5 bytes of 1 partitions: nothing refers to it$/),
  ]);
  expect(await kept()).toEqual(before);
  expect(await bench.storage.table.get(headKey(topicId, 0))).toEqual(head);
});

test("a blob of the largest id that is old enough is judged, and no younger one", async () => {
  const { id: topicId } = await bench.log.createTopic({ name: "t" });
  const nowMs = bench.clock.ms + GRACE_MS;
  for (const ms of [bench.clock.ms, bench.clock.ms + 1]) {
    const id = ulidFrom(ms, new Uint8Array(10).fill(255));
    await bench.storage.table.inOrder([[{ op: "putBlob", id, pieces: [new Uint8Array(1)], partitions: [`${topicId}#0`] }]]);
  }
  bench.clock.ms = nowMs;
  expect(await sweepNow()).toMatchObject({ blobs: 1 });
});
