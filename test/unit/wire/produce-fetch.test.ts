import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../lib/base/bytes.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import { fetch } from "../../../lib/kafka/protocol/api/fetch.ts";
import { produce } from "../../../lib/kafka/protocol/api/produce.ts";
import { writeRequest } from "../../../lib/kafka/protocol/messages.ts";
import { type Decoded, NO_UUID } from "../../../lib/kafka/protocol/schema.ts";
import type { LogApi } from "../../../lib/log/index.ts";
import { batchOf, type From, readAll, texts } from "../log/support.ts";
import { type WireBench, wireOverMemory } from "./support.ts";

interface Where {
  readonly topic: string;
  readonly topicId?: string;
  readonly partition?: number;
}

function produceRequest({ topic, topicId = NO_UUID, partition = 0 }: Where, records: Uint8Array | null, acks = -1) {
  return { acks, timeoutMs: 1000, topicData: [{ name: topic, topicId, partitionData: [{ index: partition, records }] }] };
}

async function produceTo({ ask }: WireBench, where: Where, values: readonly string[], from?: From, version = 9, acks = -1) {
  const answer = await ask(produce, version, produceRequest(where, batchOf(values, from), acks));
  return answer.responses[0]?.partitionResponses[0];
}

interface FetchWhere extends Where {
  readonly offset?: number;
  readonly maxBytes?: number;
  readonly leaderEpoch?: number;
}

function fetchRequest(
  places: readonly FetchWhere[],
  more: Partial<{
    minBytes: number;
    maxWaitMs: number;
    maxBytes: number;
    sessionId: number;
    sessionEpoch: number;
    isolationLevel: number;
  }> = {},
) {
  return {
    maxWaitMs: 0,
    minBytes: 1,
    ...more,
    topics: places.map(({ topic, topicId = NO_UUID, partition = 0, offset = 0, maxBytes = 2 ** 20, leaderEpoch = -1 }) => ({
      topic,
      topicId,
      partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: maxBytes, currentLeaderEpoch: leaderEpoch }],
    })),
    forgottenTopicsData: [],
  };
}

type Fetched = Decoded<typeof fetch.response>;

function valuesOf(answer: Fetched, at = 0): (string | null)[] {
  const bytes = answer.responses[at]?.partitions[0]?.records ?? new Uint8Array(0);
  return [...batchHeaders(bytes)].flatMap((batch) => texts([...decodeBatch(bytes, batch.at, nodeCodecs)]));
}

describe("Produce", () => {
  it("appends what came, in every version, and answers the offset", async () => {
    const bench = wireOverMemory();
    const topicId = (await bench.log.createTopic({ name: "t" })).id;
    for (let version = 3; version <= 13; version++) {
      const answer = await produceTo(bench, { topic: "t", topicId }, ["a", "b"], undefined, version);
      expect(answer).toMatchObject({ index: 0, errorCode: 0, baseOffset: (version - 3) * 2, logAppendTimeMs: -1 });
      if (version >= 5) expect(answer?.logStartOffset).toBe(0);
    }
    expect(await readAll(bench.log, "t")).toHaveLength(22);
  });

  it("answers for each partition by itself", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t", partitions: 2 });
    const broken = batchOf(["x"]);
    broken[65] = (broken[65] as number) ^ 1;
    const answer = await ask(produce, 9, {
      acks: 1,
      timeoutMs: 1000,
      topicData: [
        {
          name: "t",
          topicId: NO_UUID,
          partitionData: [
            { index: 0, records: batchOf(["a"]) },
            { index: 1, records: broken },
            { index: 2, records: batchOf(["a"]) },
            { index: 1, records: null },
          ],
        },
        { name: "none", topicId: NO_UUID, partitionData: [{ index: 0, records: batchOf(["a"]) }] },
      ],
    });
    expect(answer.responses[0]?.partitionResponses.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual([
      [0, 0],
      [2, -1],
      [3, -1],
      [87, -1],
    ]);
    expect(answer.responses[0]?.partitionResponses[1]?.errorMessage).toContain("CRC");
    expect(answer.responses[1]?.partitionResponses[0]?.errorCode).toBe(3);
  });

  it("says which record is wrong", async () => {
    const { ask, log } = wireOverMemory();
    await log.createTopic({ name: "t", configs: { "cleanup.policy": "compact" } });
    const [topic] = (await ask(produce, 9, produceRequest({ topic: "t" }, batchOf(["no key"])))).responses;
    expect(topic?.partitionResponses[0]).toMatchObject({ errorCode: 87, recordErrors: [{ batchIndex: 0 }] });
  });

  it("an idempotent producer's repetition gets the first offset; a gap and an old epoch are refused", async () => {
    const bench = wireOverMemory();
    await bench.log.createTopic({ name: "t" });
    const t = { topic: "t" };
    await produceTo(bench, t, ["a"]);
    expect(await produceTo(bench, t, ["b"], { id: 7, sequence: 0 })).toMatchObject({ errorCode: 0, baseOffset: 1 });
    expect(await produceTo(bench, t, ["b"], { id: 7, sequence: 0 })).toMatchObject({ errorCode: 0, baseOffset: 1 });
    expect(await produceTo(bench, t, ["d"], { id: 7, sequence: 5 })).toMatchObject({ errorCode: 45 });
    expect(await produceTo(bench, t, ["c"], { id: 7, epoch: 1, sequence: 0 })).toMatchObject({ errorCode: 0, baseOffset: 2 });
    expect(await produceTo(bench, t, ["x"], { id: 7, epoch: 0, sequence: 1 })).toMatchObject({ errorCode: 47 });
    expect(texts(await readAll(bench.log, "t"))).toEqual(["a", "b", "c"]);
  });

  it("acks=0 has no answer, and what was sent is durable when the request is over", async () => {
    const { send, log } = wireOverMemory();
    await log.createTopic({ name: "t" });
    const frame = (records: Uint8Array, topic = "t") =>
      concatBytes(
        writeRequest(produce, { apiVersion: 7, correlationId: 1, clientId: null }, produceRequest({ topic }, records, 0)),
      );
    expect(await send(frame(batchOf(["a"])))).toBeUndefined();
    expect(texts(await readAll(log, "t"))).toEqual(["a"]);
    await expect(send(frame(batchOf(["a"]), "none"))).rejects.toMatchObject({ message: expect.stringContaining("none") });
  });

  it("refuses acks that do not exist, and writes nothing", async () => {
    const bench = wireOverMemory();
    await bench.log.createTopic({ name: "t" });
    expect(await produceTo(bench, { topic: "t" }, ["a"], undefined, 9, 2)).toMatchObject({ errorCode: 21 });
    expect(await readAll(bench.log, "t")).toEqual([]);
  });

  it("a topic's id is that topic alone: after it was deleted and made again the old id is unknown", async () => {
    const bench = wireOverMemory();
    const { id } = await bench.log.createTopic({ name: "t" });
    expect(await produceTo(bench, { topic: "", topicId: id }, ["a"], undefined, 13)).toMatchObject({ errorCode: 0 });
    const elsewhere = bench.another();
    await elsewhere.deleteTopic("t");
    await elsewhere.createTopic({ name: "t" });
    expect(await produceTo(bench, { topic: "", topicId: id }, ["b"], undefined, 13)).toMatchObject({ errorCode: 100 });
    expect(await readAll(elsewhere, "t")).toEqual([]);
  });

  it("requests given before earlier ones are answered are appended in their order", async () => {
    let slow = true;
    const bench = wireOverMemory({}, {});
    await bench.log.createTopic({ name: "t" });
    const log: LogApi = Object.create(bench.log, {
      topic: {
        value: async (name: string) => {
          // The first request waits for its topic, the others do not.
          if (slow) {
            slow = false;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          return bench.log.topic(name);
        },
      },
      append: { value: (request: Parameters<LogApi["append"]>[0]) => bench.log.append(request) },
    });
    const ordered = wireOverMemory({}, { log });
    const offsets = await Promise.all(["a", "b", "c"].map((value) => produceTo(ordered, { topic: "t" }, [value])));
    expect(offsets.map((answer) => answer?.baseOffset)).toEqual([0, 1, 2]);
    expect(texts(await readAll(bench.log, "t"))).toEqual(["a", "b", "c"]);
  });
});

describe("Fetch", () => {
  async function filled(values: readonly string[][] = [["a", "b"], ["c"]]): Promise<WireBench & { topicId: string }> {
    const bench = wireOverMemory();
    const { id } = await bench.log.createTopic({ name: "t", partitions: 2 });
    for (const batch of values) await bench.log.append({ topic: "t", partition: 0, batches: batchOf(batch) });
    return { ...bench, topicId: id };
  }

  it("answers the batches from an offset on, in every version", async () => {
    const { ask, topicId } = await filled();
    for (let version = 4; version <= 18; version++) {
      const answer = await ask(fetch, version, fetchRequest([{ topic: "t", topicId, offset: 2 }], { sessionEpoch: 0 }));
      expect(answer).toMatchObject({ errorCode: 0, sessionId: 0 });
      expect(answer.responses[0]?.partitions[0]).toMatchObject({
        errorCode: 0,
        highWatermark: 3,
        lastStableOffset: 3,
        abortedTransactions: null,
      });
      expect(valuesOf(answer)).toEqual(["c"]);
    }
  });

  it("at least one batch comes, however small the limits are; then as many as fit", async () => {
    const { ask } = await filled();
    expect(valuesOf(await ask(fetch, 11, fetchRequest([{ topic: "t", maxBytes: 1 }], { maxBytes: 1 })))).toEqual(["a", "b"]);
    expect(valuesOf(await ask(fetch, 11, fetchRequest([{ topic: "t" }])))).toEqual(["a", "b", "c"]);
  });

  it("what one partition uses up is not there for the next", async () => {
    const { ask, log } = await filled();
    await log.append({ topic: "t", partition: 1, batches: batchOf(["z"]) });
    const places = [{ topic: "t" }, { topic: "t", partition: 1 }];
    const small = await ask(fetch, 11, fetchRequest(places, { maxBytes: 10 }));
    expect([valuesOf(small, 0), valuesOf(small, 1)]).toEqual([["a", "b"], []]);
    expect(small.responses[1]?.partitions[0]).toMatchObject({ errorCode: 0, highWatermark: 1 });
    const large = await ask(fetch, 11, fetchRequest(places));
    expect([valuesOf(large, 0), valuesOf(large, 1)]).toEqual([["a", "b", "c"], ["z"]]);
  });

  it("says what is wrong with a partition, and answers the others", async () => {
    const { ask } = await filled();
    const answer = await ask(
      fetch,
      11,
      fetchRequest(
        [
          { topic: "t" },
          { topic: "t", partition: 5 },
          { topic: "none" },
          { topic: "t", offset: 99 },
          { topic: "t", offset: -7 },
          { topic: "t", leaderEpoch: 4 },
        ],
        { maxWaitMs: 60_000 },
      ),
    );
    expect(answer.responses.map(({ partitions }) => partitions[0]?.errorCode)).toEqual([0, 3, 3, 1, 1, 75]);
    expect(answer.responses[3]?.partitions[0]).toMatchObject({ logStartOffset: 0, highWatermark: 3 });
    expect(valuesOf(answer)).toEqual(["a", "b", "c"]);
  });

  it("below the log start is out of range, and the answer says where the log starts", async () => {
    const { ask, log } = await filled();
    await log.deleteRecords("t", 0, 2);
    const [topic] = (await ask(fetch, 11, fetchRequest([{ topic: "t" }]))).responses;
    expect(topic?.partitions[0]).toMatchObject({ errorCode: 1, logStartOffset: 2 });
  });

  it("a session is declined, and none can be gone on with", async () => {
    const { ask } = await filled();
    expect(await ask(fetch, 11, fetchRequest([{ topic: "t" }], { sessionId: 5, sessionEpoch: 1 }))).toMatchObject({
      errorCode: 70,
      responses: [],
    });
    expect(await ask(fetch, 11, fetchRequest([{ topic: "t" }], { sessionId: 0, sessionEpoch: 1 }))).toMatchObject({
      errorCode: 71,
      responses: [],
    });
  });

  it("a reader of committed records is told that no transaction was aborted", async () => {
    const { ask } = await filled();
    const [topic] = (await ask(fetch, 11, fetchRequest([{ topic: "t" }], { isolationLevel: 1 }))).responses;
    expect(topic?.partitions[0]?.abortedTransactions).toEqual([]);
  });

  it("an id of no topic is refused by its own code", async () => {
    const { ask, topicId } = await filled();
    const answer = await ask(
      fetch,
      13,
      fetchRequest([
        { topic: "", topicId: NO_UUID },
        { topic: "", topicId },
      ]),
    );
    expect(answer.responses.map(({ partitions }) => partitions[0]?.errorCode)).toEqual([100, 0]);
  });

  it("waits for records in any of its partitions, and answers when they come", async () => {
    const { ask, log } = await filled();
    const waiting = ask(
      fetch,
      11,
      fetchRequest(
        [
          { topic: "t", offset: 3 },
          { topic: "t", partition: 1 },
        ],
        { maxWaitMs: 3_600_000 },
      ),
    );
    await log.append({ topic: "t", partition: 1, batches: batchOf(["new"]) });
    const answer = await waiting;
    expect([valuesOf(answer, 0), valuesOf(answer, 1)]).toEqual([[], ["new"]]);
  });

  it("waits until there is as much as it asked for", async () => {
    const { ask, log } = await filled([]);
    const one = batchOf(["new"]).byteLength;
    const waiting = ask(
      fetch,
      11,
      fetchRequest([{ topic: "t" }, { topic: "t", partition: 1 }], { maxWaitMs: 3_600_000, minBytes: 2 * one }),
    );
    await log.append({ topic: "t", partition: 1, batches: batchOf(["new"]) });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await log.append({ topic: "t", partition: 0, batches: batchOf(["old"]) });
    const answer = await waiting;
    expect([valuesOf(answer, 0), valuesOf(answer, 1)]).toEqual([["old"], ["new"]]);
  });

  it("answers with nothing when the time is over, or nobody waits any more", async () => {
    const { ask } = await filled();
    expect(valuesOf(await ask(fetch, 11, fetchRequest([{ topic: "t", offset: 3 }], { maxWaitMs: 50 })))).toEqual([]);
    const gone = new AbortController();
    const waiting = ask(fetch, 11, fetchRequest([{ topic: "t", offset: 3 }], { maxWaitMs: 3_600_000 }), gone.signal);
    gone.abort();
    expect(valuesOf(await waiting)).toEqual([]);
  });
});
