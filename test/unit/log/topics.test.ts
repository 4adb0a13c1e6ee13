import { beforeEach, describe, expect, test } from "vitest";
import type { LogApi, ReadResult } from "../../../lib/log/index.ts";
import { emptyHead, headKey } from "../../../lib/log/items/head.ts";
import { packRef } from "../../../lib/log/items/ref.ts";
import { proofKey } from "../../../lib/log/topics.ts";
import { StorageError } from "../../../lib/ports/index.ts";
import { itemSizeBytes } from "../../../lib/ports/values.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { type Bench, batchOf, logOverMemory, readAll, START_MS, TestClock, texts } from "./support.ts";

let bench: Bench;

beforeEach(() => {
  bench = logOverMemory();
});

describe("topics", () => {
  test("are created, listed by name and described", async () => {
    await bench.log.createTopic({ name: "b", partitions: 3, replicationFactor: 3, configs: { "retention.ms": "1000" } });
    await bench.log.createTopic({ name: "a" });
    expect((await bench.log.listTopics()).map(({ name }) => name)).toEqual(["a", "b"]);
    expect(await bench.another().topic("b")).toMatchObject({
      partitions: 3,
      replicationFactor: 3,
      configs: { "retention.ms": "1000" },
      createdAtMs: START_MS,
    });
    expect(await bench.log.partitions("b")).toMatchObject(
      [0, 1, 2].map((partition) => ({ partition, logStartOffset: 0, logEndOffset: 0 })),
    );
  });

  test("with names, partitions, factors or configs that cannot be are refused by field", async () => {
    for (const name of ["", ".", "..", "a b", "ä", "x".repeat(250)])
      await expect(bench.log.createTopic({ name }), name).rejects.toMatchObject({ code: "invalid_topic" });
    for (const partitions of [0, -1, 1.5, 10_001, Number.NaN])
      await expect(bench.log.createTopic({ name: "t", partitions })).rejects.toMatchObject({ code: "invalid_partitions" });
    await expect(bench.log.createTopic({ name: "t", replicationFactor: 4 })).rejects.toMatchObject({
      code: "invalid_replication_factor",
    });
    await expect(bench.log.createTopic({ name: "t", configs: { "no.such": "1" } })).rejects.toMatchObject({
      code: "invalid_config",
    });
    await expect(bench.log.createTopic({ name: "t" }, { validateOnly: true })).resolves.toMatchObject({ name: "t" });
    expect(await bench.log.listTopics()).toEqual([]);
  });

  test("of one name are created once, by whoever comes first", async () => {
    const results = await Promise.allSettled([bench.log.createTopic({ name: "t" }), bench.another().createTopic({ name: "t" })]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await expect(bench.log.createTopic({ name: "t" })).rejects.toMatchObject({ code: "topic_exists" });
  });

  test("grow and never shrink; the new partitions can be written from every process", async () => {
    const other = bench.another();
    await bench.log.createTopic({ name: "t", partitions: 2 });
    await other.topic("t");
    await bench.log.growPartitions("t", 4);
    await expect(bench.log.growPartitions("t", 4)).rejects.toMatchObject({ code: "invalid_partitions" });
    await expect(bench.log.growPartitions("t", 1)).rejects.toMatchObject({ code: "invalid_partitions" });
    await expect(other.append({ topic: "t", partition: 3, batches: batchOf(["x"]) })).resolves.toMatchObject({ baseOffset: 0 });
  });

  test("keep what two callers alter at once", async () => {
    await bench.log.createTopic({ name: "t" });
    await Promise.all([
      bench.log.alterConfigs("t", { "retention.ms": "5" }),
      bench.another().alterConfigs("t", { "segment.ms": "7" }),
      bench.another().growPartitions("t", 2),
    ]);
    expect(await bench.another().topic("t")).toMatchObject({
      partitions: 2,
      configs: { "retention.ms": "5", "segment.ms": "7" },
    });
  });

  test("deleted and created again share nothing, also for a process that still has the old one in its cache", async () => {
    const other = bench.another();
    await bench.log.createTopic({ name: "t" });
    await other.append({ topic: "t", partition: 0, batches: batchOf(["old"]) });
    await bench.log.deleteTopic("t");
    await expect(other.append({ topic: "t", partition: 0, batches: batchOf(["lost"]) })).rejects.toMatchObject({
      code: "unknown_topic",
    });
    await expect(bench.log.read({ topic: "t", partition: 0, offset: 0 })).rejects.toMatchObject({ code: "unknown_topic" });
    await expect(bench.log.deleteTopic("t")).rejects.toMatchObject({ code: "unknown_topic" });
    const third = bench.another();
    await bench.log.createTopic({ name: "t" });
    await third.append({ topic: "t", partition: 0, batches: batchOf(["a"]) });
    await expect(other.append({ topic: "t", partition: 0, batches: batchOf(["b"]) })).resolves.toMatchObject({ baseOffset: 1 });
    expect(await readAll(bench.log, "t")).toHaveLength(2);
  });
});

test("a process that remembers a topic that was made again reads the one that is there, whatever it asks for", async () => {
  await bench.log.createTopic({ name: "t" });
  await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["old", "old"]) });
  const place = { topic: "t", partition: 0, offset: 0 };
  const asks: Readonly<Record<string, (log: LogApi) => Promise<unknown>>> = {
    read: async (log) => texts(await readAll(log, "t")),
    readMany: async (log) => {
      const [found] = await log.readMany({ partitions: [{ ...place, maxBytes: 1000 }], maxBytes: 1000 });
      return (found as ReadResult).logEndOffset;
    },
    earliest: (log) => log.listOffset("t", 0, { at: "earliest" }),
    latest: (log) => log.listOffset("t", 0, { at: "latest" }),
    byTime: (log) => log.listOffset("t", 0, { timestampMs: 0 }),
    largest: (log) => log.listOffset("t", 0, { at: "max_timestamp" }),
    partitions: (log) => log.partitions("t"),
    bytes: (log) => log.partitionBytes("t", 0),
    producers: (log) => log.activeProducers("t", 0),
    deleteRecords: (log) => log.deleteRecords("t", 0, -1),
  };
  const remembers = Object.keys(asks).map((name) => ({ name, log: bench.another() }));
  for (const { log } of remembers) await log.topic("t");
  await bench.log.deleteTopic("t");
  await bench.log.createTopic({ name: "t" });
  await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["new"]) });
  for (const { name, log } of remembers) {
    const ask = asks[name] as (log: LogApi) => Promise<unknown>;
    expect(await ask(log), name).toEqual(await ask(bench.log));
  }
});

test("a head with 15 refs and 8 producers costs one write unit", () => {
  const clock = new TestClock();
  const ids = systemIds(clock);
  const refs = Array.from({ length: 15 }, () =>
    packRef({
      blobId: ids.ulid(),
      place: 1,
      claimed: false,
      shared: false,
      positionBytes: 1e6,
      sizeBytes: 1e6,
      recordCount: 1000,
      maxTimestampMs: START_MS,
    }),
  );
  const producers = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [String(1_000_000 + i), 2 ** 45]));
  const offsets = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [String(1_000_000 + i), 1e12]));
  const head = { ...emptyHead(), n: 1e12, s: 1e11, b: 1e12, t: refs, f: ids.ulid(), q: producers, o: offsets, e: 1e6 };
  expect(itemSizeBytes({ pk: `P#${ids.topicId()}#9999`, sk: "HEAD" }, head, undefined)).toBeLessThan(1024);
});

test("the cluster id is the same for every process, and producer ids are never given twice", async () => {
  const other = bench.another();
  expect(await bench.log.clusterId()).toBe(await other.clusterId());
  const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? bench.log : other).allocateProducerId()));
  expect(new Set(ids.map(({ producerId }) => producerId)).size).toBe(20);
});

test("an item that a newer program wrote is refused clearly", async () => {
  await bench.log.createTopic({ name: "t" });
  const { id } = await bench.log.topic("t");
  await bench.storage.table.write({ op: "update", key: { pk: `P#${id}#0`, sk: "HEAD" }, changes: [{ set: "v", to: 2 }] });
  await expect(bench.log.read({ topic: "t", partition: 0, offset: 0 })).rejects.toMatchObject({
    code: "unsupported_version",
    message: expect.stringContaining("newer"),
  });
});

test.each([
  ["throttled", { code: "throttled", outcome: "not_applied" }],
  ["unknown", { code: "outcome_unknown", outcome: "unknown" }],
] as const)("a storage that answers %s to a changed topic is told of in the caller's words", async (kind, expected) => {
  await bench.log.createTopic({ name: "t" });
  const { table } = bench.storage;
  const write = table.write.bind(table);
  table.write = (op) =>
    op.op === "put" && op.key.pk === "TOPICS" ? Promise.reject(new StorageError(kind, "simulated")) : write(op);
  await expect(bench.log.growPartitions("t", 2)).rejects.toMatchObject({ name: "BrokerlessError", ...expected });
  await expect(bench.log.alterConfigs("t", { "retention.ms": "1" })).rejects.toMatchObject({
    name: "BrokerlessError",
    ...expected,
  });
});

test("a deletion that died before the heads went is finished before a topic of the same name is made", async () => {
  const { id } = await bench.log.createTopic({ name: "t", partitions: 2 });
  const remembers = bench.another();
  await remembers.topic("t");
  const { table } = bench.storage;
  const inOrder = table.inOrder.bind(table);
  table.inOrder = () => Promise.reject(new StorageError("unavailable", "simulated crash"));
  await expect(bench.log.deleteTopic("t")).rejects.toMatchObject({ code: "unavailable" });
  table.inOrder = inOrder;
  expect(await table.get(headKey(id, 1))).toBeDefined();
  await bench.another().createTopic({ name: "t", partitions: 2 });
  await remembers.append({ topic: "t", partition: 1, batches: batchOf(["new"]) });
  expect(texts(await readAll(bench.another(), "t", 1))).toEqual(["new"]);
});

test("the proof that a topic is there comes before it and goes with it, whatever dies", async () => {
  const { table } = bench.storage;
  const write = table.write.bind(table);
  let proof: unknown;
  table.write = async (op) => {
    if (op.op === "put" && op.key.pk === "TOPICS") proof = await table.get(proofKey(op.item["i"] as string));
    return write(op);
  };
  const { id } = await bench.log.createTopic({ name: "t", partitions: 2 });
  expect(proof).toBeDefined();
  table.inOrder = () => Promise.reject(new StorageError("unavailable", "simulated crash"));
  await expect(bench.log.deleteTopic("t")).rejects.toMatchObject({ code: "unavailable" });
  expect(await bench.log.listTopics()).toEqual([]);
  expect(await table.get(proofKey(id))).toBeUndefined();
});

test("a deletion goes on where appends were in its way, and takes the topic with the id alone where it is given one", async () => {
  const { id } = await bench.log.createTopic({ name: "t" });
  await expect(bench.log.deleteTopic("t", { topicId: "another" })).rejects.toMatchObject({ code: "unknown_topic" });
  const { table } = bench.storage;
  const atomically = table.atomically.bind(table);
  let left = 3;
  table.atomically = (ops) =>
    left-- > 0 ? Promise.reject(new StorageError("contended", "an append is under way")) : atomically(ops);
  await bench.log.deleteTopic("t", { topicId: id });
  expect(await bench.log.listTopics()).toEqual([]);
});
