import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../lib/base/bytes.ts";
import { apiVersions } from "../../../lib/kafka/protocol/api/api-versions.ts";
import { fetch } from "../../../lib/kafka/protocol/api/fetch.ts";
import { metadata } from "../../../lib/kafka/protocol/api/metadata.ts";
import { produce } from "../../../lib/kafka/protocol/api/produce.ts";
import { writeRequest } from "../../../lib/kafka/protocol/messages.ts";
import { NO_UUID } from "../../../lib/kafka/protocol/schema.ts";
import { batchOf } from "../log/support.ts";
import { wireOverMemory } from "./support.ts";

const named = (...names: string[]) => ({
  topics: names.map((name) => ({ topicId: NO_UUID, name })),
  includeTopicAuthorizedOperations: false,
});

describe("ApiVersions", () => {
  it("tells what is served, in every version of itself", async () => {
    const { ask } = wireOverMemory();
    for (const version of [0, 1, 2, 3, 4]) {
      const answer = await ask(apiVersions, version, { clientSoftwareName: "test-client", clientSoftwareVersion: "1.0" });
      expect(answer.errorCode).toBe(0);
      expect(answer.apiKeys).toContainEqual({ apiKey: 3, minVersion: 0, maxVersion: 13 });
    }
  });

  it("keeps what the client calls itself", async () => {
    const { ask, connection } = wireOverMemory();
    await ask(apiVersions, 3, { clientSoftwareName: "apache-kafka-java", clientSoftwareVersion: "4.1.0" });
    expect(connection.software).toEqual({ name: "apache-kafka-java", version: "4.1.0" });
  });

  it("refuses a client's name that is none", async () => {
    const { ask, connection } = wireOverMemory();
    expect((await ask(apiVersions, 3, { clientSoftwareName: "<script>", clientSoftwareVersion: "1" })).errorCode).toBe(42);
    expect(connection.software).toBeUndefined();
  });

  it("answers a version from the future in version 0, with what is served", async () => {
    const { send } = wireOverMemory();
    const frame = concatBytes(
      writeRequest(
        apiVersions,
        { apiVersion: 3, correlationId: 7, clientId: null },
        { clientSoftwareName: "x", clientSoftwareVersion: "1" },
      ),
    );
    frame[3] = 99;
    const answer = (await send(frame)) as Uint8Array;
    const view = new DataView(answer.buffer, answer.byteOffset);
    expect(view.getInt32(0)).toBe(7);
    expect(view.getInt16(4)).toBe(35);
    expect(view.getInt32(6)).toBeGreaterThan(0);
  });
});

describe("__consumer_offsets", () => {
  const offsets = "__consumer_offsets";
  const spec = { name: offsets, partitions: 50, configs: { "cleanup.policy": "compact" } };

  it("is made as the server has it when it is asked for, is internal, and is not written by Produce", async () => {
    const { ask, log } = wireOverMemory({ internalTopics: new Map([[offsets, spec]]) });
    const [topic] = (await ask(metadata, 12, { ...named(offsets), allowAutoTopicCreation: true })).topics;
    expect(topic).toMatchObject({ errorCode: 0, isInternal: true });
    expect(topic?.partitions).toHaveLength(50);
    expect(await log.topic(offsets)).toMatchObject({ configs: { "cleanup.policy": "compact" } });
    const records = batchOf(["x"]);
    for (const acks of [1, -1]) {
      const topicData = [{ name: offsets, topicId: NO_UUID, partitionData: [{ index: 0, records }] }];
      const answer = await ask(produce, 9, { transactionalId: null, acks, timeoutMs: 1000, topicData });
      expect(answer.responses[0]?.partitionResponses[0]).toMatchObject({ errorCode: 17, baseOffset: -1 });
    }
    expect((await log.partitions(offsets, [0]))[0]?.logEndOffset).toBe(0);
  });

  it("is not made as an ordinary topic where the server has none", async () => {
    const { ask } = wireOverMemory();
    const [topic] = (await ask(metadata, 12, { ...named(offsets), allowAutoTopicCreation: true })).topics;
    expect(topic).toMatchObject({ errorCode: 3 });
  });
});

describe("requests that are not served", () => {
  it("an API that is not there, or a version, ends the connection with an error that names it", async () => {
    const { send } = wireOverMemory();
    const unknown = new Uint8Array([3, 231, 0, 0, 0, 0, 0, 1, 255, 255]);
    await expect(send(unknown)).rejects.toMatchObject({ code: "unsupported_version", message: expect.stringContaining("999") });
    const old = concatBytes(writeRequest(metadata, { apiVersion: 13, correlationId: 7, clientId: null }, named("a")));
    old[3] = 99;
    await expect(send(old)).rejects.toMatchObject({ code: "unsupported_version", message: expect.stringContaining("Metadata") });
    expect(fetch.versions[0]).toBe(4);
  });

  it("a frame that is cut ends the connection", async () => {
    const { send } = wireOverMemory();
    const whole = concatBytes(writeRequest(metadata, { apiVersion: 12, correlationId: 7, clientId: "me" }, named("abc", "def")));
    for (let size = 0; size < whole.byteLength; size++) {
      await expect(send(whole.slice(0, size))).rejects.toMatchObject({ code: "invalid_request" });
    }
  });
});

describe("Metadata", () => {
  it("names one broker, where the listener says that it is", async () => {
    const { ask, log } = wireOverMemory();
    for (let version = 0; version <= 13; version++) {
      const answer = await ask(metadata, version, { ...named(), topics: version === 0 ? [] : null });
      expect(answer.brokers).toEqual([{ nodeId: 0, host: "broker.example", port: 9092, rack: null }]);
      if (version > 0) expect(answer.controllerId).toBe(0);
      if (version > 1) expect(answer.clusterId).toBe(await log.clusterId());
    }
  });

  it("tells all topics, none, or those that are named", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "a", partitions: 2 });
    await log.createTopic({ name: "b" });
    const all = await ask(metadata, 9, { topics: null, includeTopicAuthorizedOperations: true });
    expect(all.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
    expect(all.topics[0]?.topicAuthorizedOperations).toBe(0b110111111000);
    expect((await ask(metadata, 9, { topics: [], includeTopicAuthorizedOperations: false })).topics).toEqual([]);
    const [b] = (await ask(metadata, 12, named("b"))).topics;
    expect(b).toMatchObject({ errorCode: 0, name: "b", topicId: (await log.topic("b")).id, isInternal: false });
    expect(b?.partitions).toEqual([
      { errorCode: 0, partitionIndex: 0, leaderId: 0, leaderEpoch: 0, replicaNodes: [0], isrNodes: [0], offlineReplicas: [] },
    ]);
  });

  it("creates a topic that is asked for, at once", async () => {
    const { ask, log } = wireOverMemory({ defaultPartitions: 3 });
    const [topic] = (await ask(metadata, 1, named("new"))).topics;
    expect(topic).toMatchObject({ errorCode: 0, name: "new" });
    expect(topic?.partitions).toHaveLength(3);
    expect((await log.topic("new")).partitions).toBe(3);
  });

  it("creates none where the client or the setting says no, nor with a name that cannot be", async () => {
    const { ask, log } = wireOverMemory();
    const no = await ask(metadata, 4, { ...named("new"), allowAutoTopicCreation: false });
    expect(no.topics[0]).toMatchObject({ errorCode: 3, name: "new", partitions: [] });
    expect((await ask(metadata, 4, named("no/slash"))).topics[0]?.errorCode).toBe(17);
    const off = wireOverMemory({ autoCreateTopics: false });
    expect((await off.ask(metadata, 4, named("new"))).topics[0]?.errorCode).toBe(3);
    expect(await log.listTopics()).toEqual([]);
    expect(await off.log.listTopics()).toEqual([]);
  });

  it("finds a topic by its id, and not another one of the same name", async () => {
    const { ask, log } = wireOverMemory();
    const { id } = await log.createTopic({ name: "a" });
    const byId = { topics: [{ topicId: id, name: null }], includeTopicAuthorizedOperations: false };
    expect((await ask(metadata, 12, byId)).topics[0]).toMatchObject({ errorCode: 0, name: "a", topicId: id });
    await log.deleteTopic("a");
    await log.createTopic({ name: "a" });
    expect((await ask(metadata, 12, byId)).topics[0]).toMatchObject({ errorCode: 100, name: null, topicId: id });
    expect((await ask(metadata, 10, byId)).topics[0]).toMatchObject({ errorCode: 100, name: "", topicId: id });
  });

  it("asked twice at once for a new topic, both get it", async () => {
    const { ask } = wireOverMemory();
    const answers = await Promise.all([ask(metadata, 12, named("new")), ask(metadata, 12, named("new"))]);
    expect(answers.map(({ topics }) => topics[0]?.errorCode)).toEqual([0, 0]);
    expect(new Set(answers.map(({ topics }) => topics[0]?.topicId)).size).toBe(1);
  });
});
