/** KafkaJS, as it is on npm: over TCP, and over HTTPS through its `socketFactory`. */
import { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import { overHttps, overTcp, type Way } from "./ways.ts";

// KafkaJS leaves these to others; what it does with them is its own.
const MORE_CODECS = { Snappy: nodeCodecs.snappy, LZ4: nodeCodecs.lz4, ZSTD: nodeCodecs.zstd };
for (const [name, codec] of Object.entries(MORE_CODECS)) {
  CompressionCodecs[CompressionTypes[name as "Snappy"]] = () => ({
    compress: async (encoder: { buffer: Buffer }) => Buffer.from(codec.compress(encoder.buffer)),
    decompress: async (buffer: Buffer) => Buffer.from(codec.decompress(buffer, 1e8)),
  });
}

/** What a partition holds, as the log itself has it. */
async function recordsOf(
  way: Way,
  topic: string,
  partition = 0,
): Promise<{ key: string | null; value: string | null; codec: string | undefined }[]> {
  const { batches } = await way.server.log.read({ topic, partition, offset: 0, maxBytes: 1e8 });
  return batches.flatMap((bytes) =>
    [...batchHeaders(bytes)].flatMap((header) =>
      [...decodeBatch(bytes, header.at, nodeCodecs)].map(({ key, value }) => ({
        key: key === null ? null : Buffer.from(key).toString(),
        value: value === null ? null : Buffer.from(value).toString(),
        codec: header.compression,
      })),
    ),
  );
}

describe.each([
  ["over TCP", overTcp],
  ["over HTTPS", overHttps],
])("KafkaJS %s", (_name, open) => {
  let way: Way;
  let kafka: Kafka;
  beforeAll(async () => {
    way = await open();
    kafka = new Kafka({
      brokers: [way.broker],
      clientId: "test",
      logLevel: logLevel.NOTHING,
      retry: { retries: 2 },
      ...way.kafkajs,
    });
  });
  afterAll(() => way.close());

  test("administers topics", async () => {
    const admin = kafka.admin();
    await admin.connect();
    const configEntries = [{ name: "retention.ms", value: "3600000" }];
    expect(await admin.createTopics({ topics: [{ topic: "managed", numPartitions: 3, configEntries }] })).toBe(true);
    expect(await admin.createTopics({ topics: [{ topic: "managed" }] })).toBe(false);
    expect(await admin.listTopics()).toContain("managed");
    await admin.createPartitions({ topicPartitions: [{ topic: "managed", count: 5 }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: ["managed"] });
    expect(topics[0]?.partitions).toHaveLength(5);
    const resource = { type: ConfigResourceTypes.TOPIC, name: "managed" };
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ ...resource, configEntries: [{ name: "retention.ms", value: "7200000" }] }],
    });
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
    expect(resources[0]?.configEntries.find(({ configName }) => configName === "retention.ms")?.configValue).toBe("7200000");
    await admin.deleteTopics({ topics: ["managed"] });
    expect(await admin.listTopics()).not.toContain("managed");
    expect((await admin.describeCluster()).clusterId).toBe(way.server.clusterId);
    await admin.disconnect();
  });

  test("writes with every codec and every acks, into a topic that is made by that", async () => {
    const producer = kafka.producer();
    await producer.connect();
    for (const [name, compression] of Object.entries(CompressionTypes).filter(([, value]) => typeof value === "number")) {
      for (const acks of [0, 1, -1]) {
        const topic = `codec-${name}-${acks}`;
        const messages = [
          { key: "a", value: "x".repeat(1000) },
          { key: "b", value: null },
        ];
        const [answer] = await producer.send({ topic, acks, compression: compression as CompressionTypes, messages });
        if (acks !== 0) expect(answer).toMatchObject({ topicName: topic, partition: 0, errorCode: 0, baseOffset: "0" });
      }
    }
    await producer.disconnect();
    for (const name of ["None", "GZIP", "Snappy", "LZ4", "ZSTD"]) {
      for (const acks of [0, 1, -1]) {
        const codec = name.toLowerCase();
        expect(await recordsOf(way, `codec-${name}-${acks}`)).toEqual([
          { key: "a", value: "x".repeat(1000), codec },
          { key: "b", value: null, codec },
        ]);
      }
    }
  });

  test("an idempotent producer writes once and in order, many at a time", async () => {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 5 });
    await producer.connect();
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => producer.send({ topic: "once", messages: [{ partition: 0, value: `${i}` }] })),
    );
    await producer.disconnect();
    const values = (await recordsOf(way, "once")).map(({ value }) => Number(value));
    expect(values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test("offsets: ends, by time, and a log start that is moved", async () => {
    const producer = kafka.producer();
    await producer.connect();
    const messages = [1000, 2000, 3000].map((at) => ({
      partition: 0,
      value: `${at}`,
      timestamp: String(1_700_000_000_000 + at),
    }));
    for (const message of messages) await producer.send({ topic: "timed", messages: [message] });
    await producer.disconnect();
    const admin = kafka.admin();
    await admin.connect();
    expect(await admin.fetchTopicOffsets("timed")).toEqual([{ partition: 0, offset: "3", high: "3", low: "0" }]);
    expect(await admin.fetchTopicOffsetsByTimestamp("timed", 1_700_000_001_500)).toEqual([{ partition: 0, offset: "1" }]);
    await admin.deleteTopicRecords({ topic: "timed", partitions: [{ partition: 0, offset: "2" }] });
    expect(await admin.fetchTopicOffsets("timed")).toEqual([{ partition: 0, offset: "3", high: "3", low: "2" }]);
    await admin.disconnect();
  });

  test("is told in Kafka's words what is wrong", async () => {
    const admin = kafka.admin();
    await admin.connect();
    await expect(admin.createTopics({ topics: [{ topic: "no spaces" }] })).rejects.toThrow(
      /topic creation errors|invalid topic/i,
    );
    await expect(admin.fetchTopicOffsets("nowhere")).rejects.toThrow();
    await admin.disconnect();
    const producer = kafka.producer();
    await producer.connect();
    await expect(producer.send({ topic: "large", messages: [{ value: "x".repeat(2_000_000) }] })).rejects.toThrow(/larger than/);
    await producer.disconnect();
  });
});
