import { describe, expect, it } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import { alterConfigs } from "../../../lib/kafka/protocol/api/alter-configs.ts";
import { createPartitions } from "../../../lib/kafka/protocol/api/create-partitions.ts";
import { createTopics } from "../../../lib/kafka/protocol/api/create-topics.ts";
import { deleteRecords } from "../../../lib/kafka/protocol/api/delete-records.ts";
import { deleteTopics } from "../../../lib/kafka/protocol/api/delete-topics.ts";
import { describeCluster } from "../../../lib/kafka/protocol/api/describe-cluster.ts";
import { describeConfigs } from "../../../lib/kafka/protocol/api/describe-configs.ts";
import { describeLogDirs } from "../../../lib/kafka/protocol/api/describe-log-dirs.ts";
import { describeProducers } from "../../../lib/kafka/protocol/api/describe-producers.ts";
import { describeTopicPartitions } from "../../../lib/kafka/protocol/api/describe-topic-partitions.ts";
import { incrementalAlterConfigs } from "../../../lib/kafka/protocol/api/incremental-alter-configs.ts";
import { initProducerId } from "../../../lib/kafka/protocol/api/init-producer-id.ts";
import { metadata } from "../../../lib/kafka/protocol/api/metadata.ts";
import { type Decoded, NO_UUID } from "../../../lib/kafka/protocol/schema.ts";
import { groupsOverMemory } from "../groups/support.ts";
import { batchOf } from "../log/support.ts";
import { wireOverMemory } from "./support.ts";

type Page = Decoded<typeof describeTopicPartitions.response>;

const plain = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };

describe("CreateTopics", () => {
  it("creates topics, each by itself, and tells what came of them", async () => {
    const { ask, log } = wireOverMemory({ defaultPartitions: 4 });
    await log.createTopic({ name: "there" });
    const topics = [
      { ...plain, name: "a", numPartitions: 3, configs: [{ name: "retention.ms", value: "1000" }] },
      { ...plain, name: "b", numPartitions: -1, replicationFactor: -1 },
      {
        ...plain,
        name: "c",
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [
          { partitionIndex: 1, brokerIds: [0] },
          { partitionIndex: 0, brokerIds: [0] },
        ],
      },
      { ...plain, name: "there" },
      { ...plain, name: "bad/name" },
      { ...plain, name: "none", numPartitions: 0 },
      { ...plain, name: "copies", replicationFactor: 9 },
      { ...plain, name: "config", configs: [{ name: "no.such", value: "1" }] },
      { ...plain, name: "null", configs: [{ name: "retention.ms", value: null }] },
      { ...plain, name: "twice" },
      { ...plain, name: "twice" },
      {
        ...plain,
        name: "elsewhere",
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [7] }],
      },
    ];
    const answer = await ask(createTopics, 7, { topics });
    expect(answer.topics.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 36, 17, 37, 38, 40, 40, 42, 42, 39]);
    expect(answer.topics[0]).toMatchObject({
      name: "a",
      topicId: (await log.topic("a")).id,
      numPartitions: 3,
      replicationFactor: 1,
    });
    expect(answer.topics[0]?.configs?.find(({ name }) => name === "retention.ms")).toMatchObject({
      value: "1000",
      configSource: 1,
    });
    expect(answer.topics[4]?.errorMessage).toContain("bad/name");
    expect((await log.listTopics()).map(({ name, partitions }) => [name, partitions])).toEqual([
      ["a", 3],
      ["b", 4],
      ["c", 2],
      ["there", 1],
    ]);
  });

  it("only looks whether it could, when that is asked for", async () => {
    const { ask, log } = wireOverMemory();
    for (let version = 1; version <= 7; version++) {
      const answer = await ask(createTopics, version, { topics: [{ ...plain, name: "a" }], validateOnly: true });
      expect(answer.topics[0]?.errorCode).toBe(0);
    }
    expect(await log.listTopics()).toEqual([]);
  });
});

describe("DeleteTopics", () => {
  it("by name, and by id", async () => {
    const { ask, log } = wireOverMemory();
    for (const name of ["a", "b", "c"]) await log.createTopic({ name });
    const { id } = await log.topic("b");
    const byName = await ask(deleteTopics, 5, { topicNames: ["a", "none"], timeoutMs: 0, topics: [] });
    expect(byName.responses.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ["a", 0],
      ["none", 3],
    ]);
    const topics = [
      { name: null, topicId: id },
      { name: null, topicId: NO_UUID },
      { name: "c", topicId: id },
    ];
    const byId = await ask(deleteTopics, 6, { topics, timeoutMs: 0 });
    expect(byId.responses.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ["b", 0],
      [null, 100],
      ["c", 42],
    ]);
    expect((await log.listTopics()).map(({ name }) => name)).toEqual(["c"]);
  });

  it("by an id that this process remembers leaves the topic that has the name now", async () => {
    const { ask, log, another } = wireOverMemory();
    const { id } = await log.createTopic({ name: "t" });
    await ask(metadata, 12, { topics: [{ name: null, topicId: id }], includeTopicAuthorizedOperations: false });
    const elsewhere = another();
    await elsewhere.deleteTopic("t");
    const made = await elsewhere.createTopic({ name: "t" });
    const { responses } = await ask(deleteTopics, 6, { topics: [{ name: null, topicId: id }], timeoutMs: 0 });
    expect(responses[0]?.errorCode).toBe(100);
    expect((await elsewhere.listTopics()).map((topic) => topic.id)).toEqual([made.id]);
  });
});

describe("CreatePartitions and DeleteRecords", () => {
  it("a topic grows, and does not shrink", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t", partitions: 2 });
    const grow = async (count: number, brokerIds?: readonly number[], validateOnly = false) => {
      const assignments = brokerIds === undefined ? null : [{ brokerIds }];
      return (await ask(createPartitions, 3, { topics: [{ name: "t", count, assignments }], timeoutMs: 0, validateOnly }))
        .results[0];
    };
    expect(await grow(3, undefined, true)).toMatchObject({ errorCode: 0 });
    expect((await log.topic("t")).partitions).toBe(2);
    expect(await grow(3, [0])).toMatchObject({ errorCode: 0 });
    expect(await grow(4, [1])).toMatchObject({ errorCode: 39 });
    expect(await grow(2)).toMatchObject({ errorCode: 37 });
    expect((await log.topic("t")).partitions).toBe(3);
  });

  it("moves the log start, -1 to the end", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t" });
    await log.append({ topic: "t", partition: 0, batches: batchOf(["a", "b", "c"]) });
    const deleteBefore = async (offset: number) => {
      const topics = [{ name: "t", partitions: [{ partitionIndex: 0, offset }] }];
      return (await ask(deleteRecords, 2, { topics, timeoutMs: 0 })).topics[0]?.partitions[0];
    };
    expect(await deleteBefore(1)).toMatchObject({ errorCode: 0, lowWatermark: 1 });
    expect(await deleteBefore(9)).toMatchObject({ errorCode: 1, lowWatermark: -1 });
    expect(await deleteBefore(-1)).toMatchObject({ errorCode: 0, lowWatermark: 3 });
  });
});

describe("configs", () => {
  const TOPIC = 2;
  const GROUP = 32;
  const BROKER = 4;

  it("of a topic: what holds, where it comes from, and its documentation", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t", configs: { "retention.ms": "5" } });
    const resources = [{ resourceType: TOPIC, resourceName: "t", configurationKeys: ["retention.ms", "segment.bytes"] }];
    const answer = await ask(describeConfigs, 4, { resources, includeSynonyms: true, includeDocumentation: true });
    expect(answer.results[0]).toMatchObject({ errorCode: 0, resourceName: "t" });
    const [retention, segment] = answer.results[0]?.configs ?? [];
    expect(retention).toMatchObject({ name: "retention.ms", value: "5", configSource: 1, configType: 5, readOnly: false });
    expect(retention?.synonyms.map(({ source }) => source)).toEqual([1, 5]);
    expect(retention?.documentation).toContain("milliseconds");
    expect(segment).toMatchObject({ name: "segment.bytes", configSource: 5 });
    const all = await ask(describeConfigs, 0, {
      resources: [{ resourceType: TOPIC, resourceName: "t", configurationKeys: null }],
    });
    expect(all.results[0]?.configs.find(({ name }) => name === "retention.ms")?.isDefault).toBe(false);
    expect(all.results[0]?.configs.length).toBeGreaterThan(10);
  });

  it("of the broker: what holds here; of what is not there, an error", async () => {
    const { ask } = wireOverMemory({ autoCreateTopics: false });
    const names: [number, string][] = [
      [BROKER, "0"],
      [BROKER, ""],
      [BROKER, "5"],
      [TOPIC, "none"],
      [8, "0"],
    ];
    const resources = names.map(([resourceType, resourceName]) => ({ resourceType, resourceName, configurationKeys: null }));
    const { results } = await ask(describeConfigs, 4, { resources });
    expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0, 42, 3, 42]);
    expect(results[0]?.configs.find(({ name }) => name === "auto.create.topics.enable")).toMatchObject({
      value: "false",
      readOnly: true,
    });
  });

  it("AlterConfigs replaces all that was set", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t", configs: { "retention.ms": "5", "segment.ms": "6" } });
    const resources = [{ resourceType: TOPIC, resourceName: "t", configs: [{ name: "retention.bytes", value: "7" }] }];
    expect((await ask(alterConfigs, 2, { resources, validateOnly: true })).responses[0]?.errorCode).toBe(0);
    expect((await log.topic("t")).configs).toEqual({ "retention.ms": "5", "segment.ms": "6" });
    expect((await ask(alterConfigs, 2, { resources, validateOnly: false })).responses[0]?.errorCode).toBe(0);
    expect((await log.topic("t")).configs).toEqual({ "retention.bytes": "7" });
  });

  it("configs of groups are described and altered as those of topics, with Kafka's source", async () => {
    const { log, parts } = groupsOverMemory();
    const { ask } = wireOverMemory({}, { log, groups: createGroups(parts) });
    const resources = [
      {
        resourceType: GROUP,
        resourceName: "g",
        configs: [{ name: "consumer.session.timeout.ms", configOperation: 0, value: "60000" }],
      },
    ];
    expect((await ask(incrementalAlterConfigs, 1, { resources, validateOnly: false })).responses[0]?.errorCode).toBe(0);
    const wanted = [{ resourceType: GROUP, resourceName: "g", configurationKeys: null }];
    const described = await ask(describeConfigs, 4, {
      resources: wanted,
      includeSynonyms: true,
      includeDocumentation: false,
    });
    expect(described.results[0]?.configs.find(({ name }) => name === "consumer.session.timeout.ms")).toMatchObject({
      value: "60000",
      readOnly: false,
      configSource: 8,
      configType: 3,
      synonyms: [
        { name: "consumer.session.timeout.ms", value: "60000", source: 8 },
        { name: "consumer.session.timeout.ms", value: "45000", source: 5 },
      ],
    });
    const wrong = [{ ...resources[0], configs: [{ name: "consumer.session.timeout.ms", configOperation: 0, value: "1" }] }];
    expect(
      (await ask(incrementalAlterConfigs, 1, { resources: wrong as never, validateOnly: false })).responses[0],
    ).toMatchObject({
      errorCode: 40,
    });
  });

  it("IncrementalAlterConfigs sets, deletes, and adds to and takes from lists", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t", configs: { "retention.ms": "5", "segment.ms": "6" } });
    const change = async (...configs: { name: string; configOperation: number; value: string | null }[]) => {
      const resources = [{ resourceType: TOPIC, resourceName: "t", configs }];
      return (await ask(incrementalAlterConfigs, 1, { resources, validateOnly: false })).responses[0];
    };
    const done = await change(
      { name: "retention.ms", configOperation: 0, value: "8" },
      { name: "segment.ms", configOperation: 1, value: null },
      { name: "cleanup.policy", configOperation: 2, value: "compact" },
    );
    expect(done?.errorCode).toBe(0);
    expect((await log.topic("t")).configs).toEqual({ "retention.ms": "8", "cleanup.policy": "delete,compact" });
    expect((await change({ name: "cleanup.policy", configOperation: 3, value: "delete" }))?.errorCode).toBe(0);
    expect((await log.topic("t")).configs).toEqual({ "retention.ms": "8", "cleanup.policy": "compact" });
    expect(await change({ name: "retention.ms", configOperation: 2, value: "8" })).toMatchObject({ errorCode: 40 });
    expect(await change({ name: "retention.ms", configOperation: 9, value: "8" })).toMatchObject({ errorCode: 42 });
    expect(await change({ name: "__proto__", configOperation: 0, value: "8" })).toMatchObject({ errorCode: 40 });
    expect(await change({ name: "retention.ms", configOperation: 0, value: "soon" })).toMatchObject({ errorCode: 40 });
  });
});

describe("producers and sizes", () => {
  it("InitProducerId gives ids that were never given; transactions are not served", async () => {
    const { ask } = wireOverMemory();
    const init = (version: number, transactionalId: string | null) =>
      ask(initProducerId, version, { transactionalId, transactionTimeoutMs: 1000 });
    const ids = new Set<number>();
    for (let version = 0; version <= 5; version++) {
      const { errorCode, producerId, producerEpoch } = await init(version, null);
      expect([errorCode, producerEpoch]).toEqual([0, 0]);
      ids.add(producerId);
    }
    expect(ids.size).toBe(6);
    expect(await init(4, "orders")).toMatchObject({ errorCode: 35, producerId: -1 });
    expect(await init(4, "")).toMatchObject({ errorCode: 42, producerId: -1 });
  });

  it("DescribeProducers names those that a partition remembers", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t" });
    await log.append({ topic: "t", partition: 0, batches: batchOf(["a", "b"], { id: 3, epoch: 2, sequence: 0 }) });
    const { topics } = await ask(describeProducers, 0, { topics: [{ name: "t", partitionIndexes: [0, 1] }] });
    expect(topics[0]?.partitions[0]).toMatchObject({
      errorCode: 0,
      activeProducers: [{ producerId: 3, producerEpoch: 2, lastSequence: 1, currentTxnStartOffset: -1 }],
    });
    expect(topics[0]?.partitions[1]).toMatchObject({ errorCode: 3 });
  });

  it("DescribeLogDirs tells how many bytes a partition has from its start on", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t", partitions: 2 });
    const batch = batchOf(["a"]);
    for (let i = 0; i < 3; i++) await log.append({ topic: "t", partition: 1, batches: batch.slice() });
    const sizes = async (topics: { topic: string; partitions: number[] }[] | null) =>
      (await ask(describeLogDirs, 4, { topics })).results[0]?.topics.map(({ name, partitions }) => [
        name,
        partitions.map((p) => p.partitionSize),
      ]);
    expect(await sizes(null)).toEqual([["t", [0, 3 * batch.byteLength]]]);
    await log.deleteRecords("t", 1, 2);
    expect(
      await sizes([
        { topic: "t", partitions: [1, 9] },
        { topic: "none", partitions: [0] },
      ]),
    ).toEqual([["t", [batch.byteLength]]]);
  });
});

describe("the cluster", () => {
  it("has one broker, which is where the listener says", async () => {
    const { ask, log } = wireOverMemory();
    const answer = await ask(describeCluster, 2, { includeClusterAuthorizedOperations: true, includeFencedBrokers: false });
    expect(answer).toMatchObject({ errorCode: 0, clusterId: await log.clusterId(), controllerId: 0 });
    expect(answer.brokers).toEqual([{ brokerId: 0, host: "broker.example", port: 9092, rack: null, isFenced: false }]);
    const controllers = await ask(describeCluster, 1, {
      includeClusterAuthorizedOperations: false,
      endpointType: 2,
      includeFencedBrokers: false,
    });
    expect(controllers).toMatchObject({ errorCode: 115, brokers: [] });
  });

  it("topics with their partitions come in pages, every partition once", async () => {
    const { ask, log } = wireOverMemory();
    for (const [name, partitions] of [
      ["a", 3],
      ["b", 1],
      ["c", 4],
    ] as const)
      await log.createTopic({ name, partitions });
    const seen: string[] = [];
    let cursor: Page["nextCursor"] = null;
    do {
      const page: Page = await ask(describeTopicPartitions, 0, { topics: [], responsePartitionLimit: 2, cursor });
      for (const { name, partitions } of page.topics)
        for (const { partitionIndex } of partitions) seen.push(`${name}${partitionIndex}`);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(["a0", "a1", "a2", "b0", "c0", "c1", "c2", "c3"]);
    const some = await ask(describeTopicPartitions, 0, { topics: [{ name: "none" }, { name: "b" }], cursor: null });
    expect(some.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ["b", 0],
      ["none", 3],
    ]);
  });
});
