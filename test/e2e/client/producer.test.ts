import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Brokerless, BrokerlessError, priorityLanes, text } from "../../../lib/client/index.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { type Faults, FlakyNetwork } from "./flaky-fetch.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
let topics = 0;

beforeAll(async () => {
  server = await memoryServer();
});
afterAll(() => server.close());

function connect(network?: FlakyNetwork): Brokerless {
  return new Brokerless({
    url: server.url,
    codecs: nodeCodecs,
    retry: { minMs: 1, maxMs: 20 },
    ...(network === undefined ? {} : { fetch: network.fetch }),
  });
}

async function newTopic(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
  const name = `t${++topics}`;
  await connect().admin.createTopic({ name, partitions, configs });
  return name;
}

async function readAll(
  topic: string,
): Promise<{ partition: number; offset: number; key: string | null; value: string | null }[]> {
  const records = [];
  for await (const record of connect().reader({ topic, follow: false })) {
    records.push({ partition: record.partition, offset: record.offset, key: text(record.key), value: text(record.value) });
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

describe("a producer", () => {
  test("answers each record with the place at which a reader finds it", async () => {
    const topic = await newTopic(3);
    await using producer = connect().producer();
    const sent = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const { partition, offset } = await producer.send({ topic, key: `k${i % 17}`, value: `v${i}` });
        return { partition, offset, key: `k${i % 17}`, value: `v${i}` };
      }),
    );
    expect(await readAll(topic)).toEqual(sent.sort((a, b) => a.partition - b.partition || a.offset - b.offset));
  });

  test("keeps records as they were given: text, bytes, nulls, headers in order, timestamps", async () => {
    const topic = await newTopic();
    await using producer = connect().producer();
    await producer.sendBatch([
      { topic, key: "ключ", value: Uint8Array.of(0, 255, 128), timestampMs: 1_700_000_000_123 },
      {
        topic,
        value: "",
        headers: [
          { key: "a", value: "1" },
          { key: "a", value: null },
          { key: "b", value: Uint8Array.of(7) },
        ],
      },
      { topic, key: "", value: null, headers: { trace: "x" } },
    ]);
    const records = [];
    for await (const record of connect().reader({ topic, follow: false })) records.push(record);
    expect(records.map(({ key, value }) => [key && [...key], value && [...value]])).toEqual([
      [[...new TextEncoder().encode("ключ")], [0, 255, 128]],
      [null, []],
      [[], null],
    ]);
    expect(records[0]?.timestampMs).toBe(1_700_000_000_123);
    expect(records[0]?.timestampType).toBe("CreateTime");
    expect(records[1]?.headers.map(({ key, value }) => [key, value && [...value]])).toEqual([
      ["a", [49]],
      ["a", null],
      ["b", [7]],
    ]);
    expect(records[2]?.headers.map(({ key, value }) => [key, text(value)])).toEqual([["trace", "x"]]);
  });

  test.each(["gzip", "snappy", "lz4", "zstd"] as const)("compresses with %s", async (compression) => {
    const topic = await newTopic();
    await using producer = connect().producer({ compression });
    await producer.sendBatch(Array.from({ length: 100 }, (_, i) => ({ topic, value: `the same text again and again ${i}` })));
    for await (const batch of connect().reader({ topic, follow: false }).batches()) {
      expect(batch.header.compression).toBe(compression);
      expect(batch.bytes.byteLength).toBeLessThan(3000);
    }
    expect(await readAll(topic)).toHaveLength(100);
  });

  test("gathers what is sent in one turn into one batch, and what comes while one is under way into the next", async () => {
    const topic = await newTopic();
    const requests: number[] = [];
    const client = new Brokerless({
      url: server.url,
      fetch: (input, init) => {
        if (init.method === "POST" && input.includes("/records")) requests.push((init.body as Uint8Array).byteLength);
        return fetch(input, init);
      },
    });
    await using producer = client.producer();
    await Promise.all(Array.from({ length: 50 }, (_, i) => producer.send({ topic, value: `v${i}` })));
    expect(requests).toHaveLength(1);
    const first = producer.send({ topic, value: "first" });
    await new Promise((resolve) => setImmediate(resolve));
    const rest = Array.from({ length: 50 }, (_, i) => producer.send({ topic, value: `w${i}` }));
    await Promise.all([first, ...rest]);
    expect(requests.length).toBeLessThanOrEqual(3);
  });

  test("waits lingerMs for a batch to fill, and no longer", async () => {
    const topic = await newTopic();
    await using producer = connect().producer({ lingerMs: 150 });
    const started = performance.now();
    const first = producer.send({ topic, value: "a" });
    setTimeout(() => void producer.send({ topic, value: "b" }), 50);
    await first;
    expect(performance.now() - started).toBeGreaterThan(140);
    expect(await readAll(topic)).toHaveLength(2);
  });

  test("flush does not wait for lingerMs", async () => {
    const topic = await newTopic();
    await using producer = connect().producer({ lingerMs: 60_000 });
    const sent = producer.send({ topic, value: "a" });
    await producer.flush();
    expect(await sent).toMatchObject({ topic, partition: 0, offset: 0 });
  });

  test("a timestamp of the log's is told where the topic has LogAppendTime", async () => {
    const topic = await newTopic(1, { "message.timestamp.type": "LogAppendTime" });
    await using producer = connect().producer();
    const before = Date.now();
    const { timestampMs } = await producer.send({ topic, value: "a", timestampMs: 1 });
    expect(timestampMs).toBeGreaterThanOrEqual(before);
    for await (const record of connect().reader({ topic, follow: false })) expect(record.timestampMs).toBe(timestampMs);
  });

  test("acks 0 answers with offset -1, and the record is there", async () => {
    const topic = await newTopic();
    await using producer = connect().producer({ acks: 0 });
    expect(await producer.send({ topic, value: "a" })).toMatchObject({ partition: 0, offset: -1 });
    await expect.poll(async () => (await readAll(topic)).length).toBe(1);
  });

  test("VIP keys go to the reserved lanes and nothing else does", async () => {
    const topic = await newTopic(5);
    const isVip = (key: Uint8Array | null): boolean => key !== null && text(key).startsWith("vip");
    await using producer = connect().producer({
      partitioner: priorityLanes({ lanes: 2, isVip: (record) => isVip(record.key), random: Math.random }),
    });
    await producer.sendBatch(
      Array.from({ length: 100 }, (_, i) => ({ topic, key: `${i % 3 === 0 ? "vip" : "user"}-${i}`, value: "x" })),
    );
    for (const { key, partition } of await readAll(topic)) expect(partition < 2).toBe(key?.startsWith("vip"));
  });

  test("notices that a topic has grown when a partition is asked for by number", async () => {
    const topic = await newTopic(1);
    const client = connect();
    await using producer = client.producer();
    await expect(producer.send({ topic, value: "a", partition: 3 })).rejects.toMatchObject({
      code: "unknown_partition",
      outcome: "not_applied",
    });
    await client.admin.growPartitions(topic, 4);
    expect(await producer.send({ topic, value: "a", partition: 3 })).toMatchObject({ partition: 3, offset: 0 });
  });

  test("a record that is too large fails alone: the others of its batch are written in order", async () => {
    const topic = await newTopic(1, { "max.message.bytes": "5000" });
    await using producer = connect().producer();
    const large = "x".repeat(6000);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => producer.send({ topic, value: i === 7 ? large : `${i}-${"y".repeat(900)}` })),
    );
    expect(outcomes.map((outcome) => outcome.status)).toEqual(
      Array.from({ length: 20 }, (_, i) => (i === 7 ? "rejected" : "fulfilled")),
    );
    expect((outcomes[7] as PromiseRejectedResult).reason).toMatchObject({ code: "record_too_large", outcome: "not_applied" });
    expect((await readAll(topic)).map(({ value }) => Number(value?.split("-")[0]))).toEqual(
      Array.from({ length: 20 }, (_, i) => i).filter((i) => i !== 7),
    );
  });

  test("goes on in a topic that was deleted and made again", async () => {
    const topic = await newTopic();
    const client = connect();
    await using producer = client.producer();
    for (let i = 0; i < 3; i++) await producer.send({ topic, value: `old ${i}` });
    await client.admin.deleteTopic(topic);
    await client.admin.createTopic({ name: topic });
    expect(await producer.send({ topic, value: "new" })).toMatchObject({ offset: 0 });
    expect((await readAll(topic)).map(({ value }) => value)).toEqual(["new"]);
  });

  test("send waits while the buffer is full, and ready() says when it is not", async () => {
    const topic = await newTopic();
    await using producer = connect().producer({ bufferBytes: 20_000, batchSizeBytes: 4000 });
    const value = "z".repeat(1000);
    const sent = Array.from({ length: 100 }, () => producer.send({ topic, value }));
    let isReady = false;
    const ready = producer.ready().then(() => {
      isReady = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isReady).toBe(false);
    await ready;
    await producer.flush();
    const offsets = (await Promise.all(sent)).map(({ offset }) => offset);
    expect(offsets).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});

describe("what cannot be is refused before anything is sent", () => {
  const client = new Brokerless({ url: "http://127.0.0.1:1" });
  test.each([
    [{ topic: "" }, "topic must be"],
    [{ topic: "t", partition: -1 }, "partition must be a whole number from 0; it is -1"],
    [{ topic: "t", partition: 1.5 }, "partition must be"],
    [{ topic: "t", timestampMs: -5 }, "timestampMs must be"],
    [{ topic: "t", value: { a: 1 } as never }, "value must be text, bytes (Uint8Array) or null; it is object"],
    [{ topic: "t", headers: { a: 5 as never } }, "headers[0].value must be"],
  ])("a record %j", async (record, message) => {
    await expect(client.producer().send(record)).rejects.toThrow(message);
  });

  test.each([
    [{ lingerMs: -1 }, "lingerMs must be a whole number from 0 to 60,000; it is -1"],
    [{ maxInFlight: 6 }, "maxInFlight must be a whole number from 1 to 5; it is 6"],
    [{ acks: 2 as never }, "acks must be one of 0, 1, all; it is 2"],
    [{ acks: 0 as const, idempotent: true }, "idempotent needs acks 1 or all"],
    [{ compression: "zstd" as const }, "compression must be one that the client has a codec for (none, snappy, lz4)"],
    [{ batchSizeBytes: 0 }, "batchSizeBytes must be"],
  ])("options %j", (options, message) => {
    expect(() => client.producer(options)).toThrow(message);
  });

  test("a closed producer takes nothing", async () => {
    const producer = client.producer();
    await producer.close();
    await expect(producer.send({ topic: "t", value: "a" })).rejects.toThrow("the producer is closed");
  });
});

const STORMS: Record<string, Faults> = {
  "replies get lost": { lostReply: 0.4 },
  "requests and replies get lost": { lostReply: 0.2, lostBeforeSending: 0.2 },
  "requests arrive late, after the client has given them up": { late: 0.4, lateMs: 40 },
  "requests overtake each other": { delayMs: 15 },
  "everything at once": { lostReply: 0.15, lostBeforeSending: 0.1, late: 0.15, lateMs: 60, delayMs: 10, cutBody: 0.1 },
};

describe.each(Object.entries(STORMS))("when %s", (_name, faults) => {
  test.each([
    { maxInFlight: 1, seed: 1 },
    { maxInFlight: 1, seed: 2 },
    { maxInFlight: 5, seed: 3 },
    { maxInFlight: 5, seed: 4 },
  ])(
    "an idempotent producer with $maxInFlight in flight loses nothing, doubles nothing and keeps the order (seed $seed)",
    async ({ maxInFlight, seed }) => {
      const topic = await newTopic(2);
      const network = new FlakyNetwork(seed, faults);
      const producer = connect(network).producer({ maxInFlight, batchSizeBytes: 400 });
      const sent = [];
      for (let i = 0; i < 300; i++) {
        sent.push(producer.send({ topic, partition: i % 2, value: `${i}` }));
        if (i % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const places = await Promise.all(sent);
      await producer.close();
      await network.heal();
      const records = await readAll(topic);
      expect(records.map(({ value }) => Number(value))).toEqual([
        ...Array.from({ length: 150 }, (_, i) => 2 * i),
        ...Array.from({ length: 150 }, (_, i) => 2 * i + 1),
      ]);
      for (const { partition, offset, value } of records) {
        const place = places[Number(value)];
        expect(place?.partition).toBe(partition);
        // -1: written, and the server no longer knew where.
        if (place?.offset !== -1) expect(place?.offset).toBe(offset);
      }
      const happened = Object.values(network.counts).reduce((sum, n) => sum + n, 0);
      if (faults.delayMs === undefined) expect(happened).toBeGreaterThan(0);
    },
  );
});

test.each([11, 12, 13, 14, 15, 16])(
  "records that are given up are told truly, and never come twice, not even late (seed %i)",
  async (seed) => {
    const topic = await newTopic();
    const network = new FlakyNetwork(seed, {
      late: 0.3,
      lateMs: 250,
      lostReply: 0.25,
      lostBeforeSending: 0.1,
      refused: 0.2,
      delayMs: 5,
      only: (path) => path.includes("/records"),
    });
    const producer = connect(network).producer({
      maxInFlight: seed % 2 === 0 ? 1 : 3,
      batchSizeBytes: 200,
      deliveryTimeoutMs: 30,
    });
    const outcomes: Promise<"written" | "not_applied" | "unknown">[] = [];
    for (let i = 0; i < 300; i++) {
      outcomes.push(
        producer.send({ topic, value: `${i}` }).then(
          () => "written" as const,
          (error: BrokerlessError) => {
            expect(error).toBeInstanceOf(BrokerlessError);
            expect(error.outcome).not.toBe("applied");
            return error.outcome as "not_applied" | "unknown";
          },
        ),
      );
      if (i % 5 === 4) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const told = await Promise.all(outcomes);
    await network.heal();
    // Whatever happened before, a producer whose server is there again writes (its 30 ms are short on a busy machine).
    let last = 999;
    await expect
      .poll(() => producer.send({ topic, value: `${++last}` }).then(() => "written", String), { timeout: 5000 })
      .toBe("written");
    await producer.close();
    const values = (await readAll(topic)).map(({ value }) => Number(value));
    expect(new Set(values).size).toBe(values.length);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    for (const [i, outcome] of told.entries()) {
      if (outcome === "written") expect(values).toContain(i);
      if (outcome === "not_applied") expect(values).not.toContain(i);
    }
    expect(new Set(told).size).toBeGreaterThan(1);
  },
);

test("a plain producer does not send again what may have been written", async () => {
  const topic = await newTopic();
  const network = new FlakyNetwork(21, { lostReply: 1, only: (path) => path.includes("/records") });
  const producer = connect(network).producer({ idempotent: false });
  await expect(producer.send({ topic, value: "once" })).rejects.toMatchObject({ code: "outcome_unknown", outcome: "unknown" });
  await producer.close();
  expect((await readAll(topic)).map(({ value }) => value)).toEqual(["once"]);
});

test("an unreachable server is told as such when the time for delivery is over", async () => {
  const client = new Brokerless({ url: "http://127.0.0.1:1", retry: { minMs: 1, maxMs: 10 } });
  const producer = client.producer({ deliveryTimeoutMs: 100 });
  await expect(producer.send({ topic: "t", partition: 0, value: "a" })).rejects.toMatchObject({
    code: "timeout",
    outcome: "not_applied",
    details: { unreachable: true },
  });
  await expect(producer.send({ topic: "t", value: "a" })).rejects.toMatchObject({ details: { unreachable: true } });
});

test("sendBatch tells which record failed first and how many were written", async () => {
  const topic = await newTopic(1, { "max.message.bytes": "2000" });
  await using producer = connect().producer();
  const records = Array.from({ length: 10 }, (_, i) => ({ topic, value: i === 4 ? "x".repeat(3000) : "small" }));
  await expect(producer.sendBatch(records)).rejects.toMatchObject({
    code: "record_too_large",
    outcome: "not_applied",
    details: { recordIndex: 4, writtenCount: 9 },
  });
});
