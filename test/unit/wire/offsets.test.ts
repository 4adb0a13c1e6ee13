import { describe, expect, it } from "vitest";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import { listOffsets } from "../../../lib/kafka/protocol/api/list-offsets.ts";
import { offsetForLeaderEpoch } from "../../../lib/kafka/protocol/api/offset-for-leader-epoch.ts";
import { record, START_MS } from "../log/support.ts";
import { type WireBench, wireOverMemory } from "./support.ts";

async function filled(): Promise<WireBench> {
  const bench = wireOverMemory();
  await bench.log.createTopic({ name: "t", partitions: 2 });
  for (const ms of [10, 30, 20]) {
    const batches = encodeBatch([record("x", null, START_MS + ms)], { timestampMs: START_MS });
    await bench.log.append({ topic: "t", partition: 0, batches });
  }
  await bench.log.deleteRecords("t", 0, 1);
  return bench;
}

function request(timestamp: number, partition = 0, topic = "t", maxNumOffsets = 1) {
  const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp, maxNumOffsets }];
  return { replicaId: -1, isolationLevel: 0, topics: [{ name: topic, partitions }], timeoutMs: 1000 };
}

describe("ListOffsets", () => {
  it.each([
    ["latest", -1, 3, -1],
    ["earliest", -2, 1, -1],
    ["the largest timestamp", -3, 1, START_MS + 30],
    ["earliest local", -4, 1, -1],
    ["latest tiered", -5, -1, -1],
    ["by time", START_MS + 15, 1, START_MS + 30],
    ["by a time that nothing has", START_MS + 31, -1, -1],
  ])("%s", async (_name, timestamp, offset, timestampMs) => {
    const { ask } = await filled();
    for (let version = 1; version <= 10; version++) {
      const [topic] = (await ask(listOffsets, version, request(timestamp))).topics;
      expect(topic?.partitions[0]).toMatchObject({ partitionIndex: 0, errorCode: 0, offset, timestamp: timestampMs });
      if (version >= 4) expect(topic?.partitions[0]?.leaderEpoch).toBe(offset < 0 ? -1 : 0);
    }
  });

  it("version 0 answers up to so many offsets, the latest first", async () => {
    const { ask } = await filled();
    const offsets = async (timestamp: number, most: number) =>
      (await ask(listOffsets, 0, request(timestamp, 0, "t", most))).topics[0]?.partitions[0]?.oldStyleOffsets;
    expect(await offsets(-1, 1)).toEqual([3]);
    expect(await offsets(-1, 5)).toEqual([3, 1]);
    expect(await offsets(-2, 1)).toEqual([1]);
    expect(await offsets(START_MS + 31, 1)).toEqual([3]);
  });

  it("one partition that is wrong does not spoil the others", async () => {
    const { ask } = await filled();
    const ask3 = (partition: number) => ({ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: -1 });
    const topics = [
      { name: "t", partitions: [ask3(0), ask3(9), ask3(1)] },
      { name: "none", partitions: [ask3(0)] },
    ];
    const answer = await ask(listOffsets, 5, { replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 });
    expect(answer.topics.map(({ partitions }) => partitions.map(({ errorCode, offset }) => [errorCode, offset]))).toEqual([
      [
        [0, 3],
        [3, -1],
        [0, 0],
      ],
      [[3, -1]],
    ]);
  });

  it("a timestamp that means nothing, and an epoch that never was, are refused", async () => {
    const { ask } = await filled();
    expect((await ask(listOffsets, 9, request(-9))).topics[0]?.partitions[0]?.errorCode).toBe(35);
    const future = request(-1);
    const partitions = [{ ...future.topics[0]?.partitions[0], partitionIndex: 0, timestamp: -1, currentLeaderEpoch: 3 }];
    expect(
      (await ask(listOffsets, 9, { ...future, topics: [{ name: "t", partitions }] })).topics[0]?.partitions[0]?.errorCode,
    ).toBe(75);
  });
});

describe("OffsetForLeaderEpoch", () => {
  it("there is one epoch, and it ends where the log does", async () => {
    const { ask } = await filled();
    const of = async (version: number, leaderEpoch: number, currentLeaderEpoch = -1, partition = 0) => {
      const topics = [{ topic: "t", partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }];
      return (await ask(offsetForLeaderEpoch, version, { topics })).topics[0]?.partitions[0];
    };
    for (let version = 0; version <= 4; version++) expect(await of(version, 0)).toMatchObject({ errorCode: 0, endOffset: 3 });
    expect(await of(4, 1)).toMatchObject({ errorCode: 0, leaderEpoch: -1, endOffset: -1 });
    expect(await of(4, 0, 2)).toMatchObject({ errorCode: 75 });
    expect(await of(4, 0, -1, 7)).toMatchObject({ errorCode: 3 });
  });
});
