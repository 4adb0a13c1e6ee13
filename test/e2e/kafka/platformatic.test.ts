/** @platformatic/kafka, as it is on npm: over TCP, and through the tunnel. */
import {
  Admin,
  ConfigResourceTypes,
  Consumer,
  IncrementalAlterConfigOperationTypes,
  ListOffsetTimestamps,
  Producer,
  stringDeserializers,
  stringSerializers,
} from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchOf } from "../../unit/log/support.ts";
import { overTcp, throughTunnel, type Way } from "./ways.ts";

describe.each([
  ["over TCP", overTcp],
  ["through the tunnel", throughTunnel],
])("@platformatic/kafka %s", (_name, open) => {
  let way: Way;
  let base: { clientId: string; bootstrapBrokers: string[]; retries: number };
  beforeAll(async () => {
    way = await open();
    base = { clientId: "test", bootstrapBrokers: [way.broker], retries: 1 };
  });
  afterAll(() => way.close());

  test("administers topics", async () => {
    const admin = new Admin(base);
    const [created] = await admin.createTopics({ topics: ["managed"], partitions: 3, replicas: 1 });
    expect(created).toMatchObject({ name: "managed", partitions: 3 });
    expect(await admin.listTopics()).toEqual(["managed"]);
    await admin.createPartitions({ topics: [{ name: "managed", count: 4, assignments: [{ brokerIds: [0] }] }] });
    expect((await admin.metadata({ topics: ["managed"], forceUpdate: true })).topics.get("managed")?.partitionsCount).toBe(4);
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: "managed" };
    const set = { name: "retention.ms", configOperation: IncrementalAlterConfigOperationTypes.SET, value: "7200000" };
    await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs: [set] }] });
    const [described] = await admin.describeConfigs({ resources: [resource] });
    expect(described?.configs.find(({ name }) => name === "retention.ms")?.value).toBe("7200000");
    await admin.deleteTopics({ topics: ["managed"] });
    expect(await admin.listTopics()).toEqual([]);
    await admin.close();
  });

  test("writes with every codec and every acks, and reads it from any offset", async () => {
    const producer = new Producer({ ...base, serializers: stringSerializers, autocreateTopics: true });
    const consumer = new Consumer({ ...base, groupId: "unused", deserializers: stringDeserializers });
    for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
      for (const acks of [0, 1, -1]) {
        const topic = `codec-${compression}-${acks + 1}`;
        const message = (i: number) => ({ topic, partition: 0, key: `k${i}`, value: `${i}`.repeat(500), headers: { h: "v" } });
        await producer.send({ messages: [message(0), message(1)], acks, compression });
        // What is sent with acks=0 is behind us when the next is answered.
        const { offsets } = await producer.send({ messages: [message(2)], acks: 1, compression });
        expect(offsets).toMatchObject([{ topic, partition: 0, offset: 2n }]);
        const { topics } = await consumer.metadata({ topics: [topic], forceUpdate: true });
        const at = { partition: 0, currentLeaderEpoch: 0, fetchOffset: 2n, lastFetchedEpoch: -1, partitionMaxBytes: 1e6 };
        const { responses } = await consumer.fetch({
          node: 0,
          maxWaitTime: 1000,
          topics: [{ topicId: topics.get(topic)?.id as string, partitions: [at] }],
        });
        const batches = responses[0]?.partitions[0]?.records ?? [];
        const records = batches.flatMap(({ firstOffset, records: all }) =>
          all.map(({ offsetDelta, key, value }) => [firstOffset + BigInt(offsetDelta), key?.toString(), value?.toString()]),
        );
        expect(records.at(-1)).toEqual([2n, "k2", "2".repeat(500)]);
      }
    }
    await producer.close();
    await consumer.close(true);
  });

  test("an idempotent producer, and offsets by time", async () => {
    const producer = new Producer({ ...base, serializers: stringSerializers, idempotent: true, autocreateTopics: true });
    const send = (i: number) =>
      producer.send({
        messages: [{ topic: "once", partition: 0, value: `${i}`, timestamp: BigInt(1_700_000_000_000 + 1000 * i) }],
      });
    for (let i = 0; i < 5; i++) await send(i);
    await producer.close();
    const consumer = new Consumer({ ...base, groupId: "unused" });
    const at = async (timestamp: bigint) => (await consumer.listOffsets({ topics: ["once"], timestamp })).get("once");
    expect(await at(ListOffsetTimestamps.EARLIEST)).toEqual([0n]);
    expect(await at(ListOffsetTimestamps.LATEST)).toEqual([5n]);
    expect(await at(1_700_000_002_500n)).toEqual([3n]);
    await consumer.close(true);
  });

  test("reads from the offsets that it names, back and ahead", async () => {
    await way.server.log.createTopic({ name: "sought", partitions: 2 });
    for (let i = 0; i < 10; i++) {
      await way.server.log.append({ topic: "sought", partition: i % 2, batches: batchOf([`v${i}`]) });
    }
    const consumer = new Consumer({ ...base, groupId: "seeker", deserializers: stringDeserializers, maxWaitTime: 200 });
    const readFrom = async (zero: bigint, one: bigint, count: number): Promise<string[]> => {
      const offsets = [zero, one].map((offset, partition) => ({ topic: "sought", partition, offset }));
      const stream = await consumer.consume({ topics: ["sought"], mode: "manual", offsets, autocommit: false });
      const values: string[] = [];
      for await (const { value } of stream) {
        values.push(value);
        if (values.length === count) break;
      }
      await stream.close();
      return values.sort();
    };
    expect(await readFrom(4n, 3n, 3)).toEqual(["v7", "v8", "v9"]);
    expect(await readFrom(1n, 5n, 4)).toEqual(["v2", "v4", "v6", "v8"]);
    expect(await readFrom(0n, 0n, 10)).toEqual(Array.from({ length: 10 }, (_, i) => `v${i}`));
    await consumer.close(true);
  });
});
