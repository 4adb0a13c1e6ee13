import { afterAll, beforeAll, expect, test } from "vitest";
import { Brokerless } from "../../../lib/client/index.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
let client: Brokerless;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url });
});
afterAll(() => server.close());

test("a topic's life: created, described, altered, grown, emptied, deleted", async () => {
  const { admin } = client;
  const configs = { "retention.ms": "3600000", "cleanup.policy": "compact" };
  expect(await admin.createTopic({ name: "life", partitions: 2, replicationFactor: 3, configs })).toEqual({
    name: "life",
    partitions: 2,
    replicationFactor: 3,
    isInternal: false,
  });
  await expect(admin.createTopic({ name: "life" })).rejects.toMatchObject({ code: "topic_exists", outcome: "not_applied" });
  expect((await admin.listTopics()).map(({ name }) => name)).toContain("life");
  const set = async () =>
    Object.fromEntries((await admin.configs("life")).filter((one) => !one.isDefault).map((one) => [one.name, one.value]));
  expect(await set()).toEqual(configs);
  await admin.alterConfigs("life", { "retention.ms": null, "max.message.bytes": "2000000" });
  expect(await set()).toEqual({ "cleanup.policy": "compact", "max.message.bytes": "2000000" });
  expect((await admin.growPartitions("life", 3)).partitions).toBe(3);
  await expect(admin.growPartitions("life", 2)).rejects.toMatchObject({ code: "invalid_partitions" });

  await using producer = client.producer();
  await producer.sendBatch(
    [1, 2, 3, 4, 5].map((i) => ({ topic: "life", partition: 1, key: `k${i}`, value: "v", timestampMs: 1000 * i })),
  );
  expect(await admin.offset("life", 1, "earliest")).toEqual({ offset: 0, timestampMs: -1 });
  expect(await admin.offset("life", 1, "latest")).toEqual({ offset: 5, timestampMs: -1 });
  expect(await admin.offset("life", 1, "max_timestamp")).toEqual({ offset: 4, timestampMs: 5000 });
  expect(await admin.offset("life", 1, { timestampMs: 2500 })).toEqual({ offset: 2, timestampMs: 3000 });
  expect(await admin.offset("life", 1, { timestampMs: 9999 })).toEqual({ offset: -1, timestampMs: -1 });
  expect(await admin.deleteRecords("life", 1, 3)).toBe(3);
  expect(await admin.partitions("life")).toEqual([
    { partition: 0, logStartOffset: 0, logEndOffset: 0 },
    { partition: 1, logStartOffset: 3, logEndOffset: 5 },
    { partition: 2, logStartOffset: 0, logEndOffset: 0 },
  ]);
  expect(await admin.deleteRecords("life", 1, -1)).toBe(5);

  await admin.deleteTopic("life");
  await expect(admin.topic("life")).rejects.toMatchObject({ code: "unknown_topic" });
});

test("validateOnly checks and creates nothing", async () => {
  const { admin } = client;
  await admin.createTopic({ name: "maybe", validateOnly: true });
  await expect(admin.topic("maybe")).rejects.toMatchObject({ code: "unknown_topic" });
  await expect(admin.createTopic({ name: "maybe", configs: { "retention.mss": "1" }, validateOnly: true })).rejects.toMatchObject(
    {
      code: "invalid_config",
    },
  );
});

test("batches can be appended as they are, and again without being written twice", async () => {
  const { admin } = client;
  await admin.createTopic({ name: "raw" });
  const { producerId, producerEpoch } = await admin.allocateProducerId();
  const batch = encodeBatch([{ key: null, value: Uint8Array.of(1) }], {
    timestampMs: 5,
    producerId,
    producerEpoch,
    baseSequence: 0,
  });
  expect(await client.append("raw", 0, batch)).toMatchObject({ baseOffset: 0, duplicate: false });
  expect(await client.append("raw", 0, batch)).toMatchObject({ baseOffset: 0, duplicate: true });
  batch[batch.byteLength - 2] = 255;
  await expect(client.append("raw", 0, batch)).rejects.toMatchObject({ code: "corrupt_record", outcome: "not_applied" });
});

test("the server's health and cluster are told", async () => {
  expect(await client.admin.health()).toMatchObject({ status: "ok" });
  expect(await client.admin.clusterId()).toMatch(/^[\w-]{22}$/);
});
