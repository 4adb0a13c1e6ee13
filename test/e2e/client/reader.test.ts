import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Brokerless, type ReaderOptions, text } from "../../../lib/client/index.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { FlakyNetwork } from "./flaky-fetch.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
let client: Brokerless;
let topics = 0;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url, codecs: nodeCodecs, retry: { minMs: 1, maxMs: 20 } });
});
afterAll(() => server.close());

/** A topic with so many records in each partition, in batches of ten. Record i of a partition has the timestamp 1000 + i. */
async function topicWith(partitions: number, recordsEach: number): Promise<string> {
  const topic = `r${++topics}`;
  await client.admin.createTopic({ name: topic, partitions });
  await using producer = client.producer();
  for (let i = 0; i < recordsEach; i += 10) {
    const records = [];
    for (let partition = 0; partition < partitions; partition++) {
      for (let j = i; j < Math.min(i + 10, recordsEach); j++)
        records.push({ topic, partition, value: `${partition}-${j}`, timestampMs: 1000 + j });
    }
    await producer.sendBatch(records);
  }
  return topic;
}

async function read(options: ReaderOptions, from: Brokerless = client): Promise<string[]> {
  const values: string[] = [];
  for await (const record of from.reader({ follow: false, ...options })) values.push(text(record.value) ?? "");
  return values;
}

function expected(partition: number, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${partition}-${from + i}`);
}

describe("where a reader begins and ends", () => {
  test("earliest, every partition in order", async () => {
    const topic = await topicWith(3, 35);
    const values = await read({ topic });
    for (let p = 0; p < 3; p++) expect(values.filter((value) => value.startsWith(`${p}-`))).toEqual(expected(p, 0, 35));
    expect(values).toHaveLength(105);
  });

  test("an offset in the middle of a batch: what is before it is left out", async () => {
    const topic = await topicWith(1, 30);
    expect(await read({ topic, from: 17 })).toEqual(expected(0, 17, 30));
    expect(await read({ topic, from: 30 })).toEqual([]);
  });

  test("a time, also one that is later than every record", async () => {
    const topic = await topicWith(1, 30);
    expect(await read({ topic, from: { timestampMs: 1023 } })).toEqual(expected(0, 23, 30));
    expect(await read({ topic, from: { timestampMs: 5000 } })).toEqual([]);
  });

  test("latest with follow: only what comes then", async () => {
    const topic = await topicWith(1, 10);
    const reader = client.reader({ topic, from: "latest" });
    const iterator = reader[Symbol.asyncIterator]();
    const first = iterator.next();
    await expect.poll(() => reader.positions().get(0)).toBe(10);
    await using producer = client.producer();
    await producer.send({ topic, value: "new" });
    expect(text((await first).value?.value ?? null)).toBe("new");
    reader.close();
    expect((await iterator.next()).done).toBe(true);
  });

  test("until: the offset before which a partition ends", async () => {
    const topic = await topicWith(2, 30);
    const values = await read({ topic, until: new Map([[0, 13]]) });
    expect(values.filter((value) => value.startsWith("0-"))).toEqual(expected(0, 0, 13));
    expect(values.filter((value) => value.startsWith("1-"))).toEqual(expected(1, 0, 30));
  });

  test("without follow it ends although records keep coming", async () => {
    const topic = await topicWith(1, 20);
    const producer = client.producer();
    const reader = client.reader({ topic, follow: false });
    const values: string[] = [];
    for await (const record of reader) {
      values.push(text(record.value) ?? "");
      await producer.send({ topic, value: "more" });
    }
    await producer.close();
    expect(values).toEqual(expected(0, 0, 20));
  });

  test("a reader made from the positions of another goes on there", async () => {
    const topic = await topicWith(2, 30);
    const reader = client.reader({ topic, follow: false });
    const values: string[] = [];
    for await (const record of reader) if (values.push(text(record.value) ?? "") === 25) break;
    values.push(...(await read({ topic, from: reader.positions() })));
    expect(values.sort()).toEqual([...expected(0, 0, 30), ...expected(1, 0, 30)].sort());
  });

  test("a topic that is not there is an error, and an empty one is not", async () => {
    await expect(read({ topic: "nowhere" })).rejects.toMatchObject({ code: "unknown_topic" });
    expect(await read({ topic: await topicWith(2, 0) })).toEqual([]);
  });
});

describe("an offset that is not in the log", () => {
  test("is an error with the offsets that are, unless a reset is asked for", async () => {
    const topic = await topicWith(1, 30);
    await client.admin.deleteRecords(topic, 0, 12);
    await expect(read({ topic, from: 3 })).rejects.toMatchObject({
      code: "offset_out_of_range",
      details: { logStartOffset: 12, logEndOffset: 30 },
    });
    expect(await read({ topic, from: 3, autoOffsetReset: "earliest" })).toEqual(expected(0, 12, 30));
    expect(await read({ topic, from: 3, autoOffsetReset: "latest" })).toEqual([]);
    await expect(read({ topic, from: 31, follow: true })).rejects.toMatchObject({ code: "offset_out_of_range" });
  });
});

describe("a reader that waits at the end", () => {
  test("gets a record as soon as it is written", async () => {
    const topic = await topicWith(1, 0);
    await using producer = client.producer();
    const latencies: number[] = [];
    const reader = client.reader({ topic });
    const reading = (async () => {
      for await (const record of reader) {
        latencies.push(performance.now() - Number(text(record.value)));
        if (latencies.length === 20) break;
      }
    })();
    for (let i = 0; i < 20; i++) {
      await producer.send({ topic, value: String(performance.now()) });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await reading;
    expect(latencies.sort((a, b) => a - b)[10]).toBeLessThan(100);
  });

  test("ends at once when its signal aborts", async () => {
    const topic = await topicWith(1, 10);
    const stop = new AbortController();
    const started = performance.now();
    setTimeout(() => stop.abort(), 50);
    expect(await read({ topic, follow: true, signal: stop.signal })).toEqual(expected(0, 0, 10));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test("a slow reader is not run over: what is fetched ahead is bounded", async () => {
  const topic = `r${++topics}`;
  await client.admin.createTopic({ name: topic });
  await using producer = client.producer({ batchSizeBytes: 100_000 });
  await producer.sendBatch(Array.from({ length: 600 }, () => ({ topic, value: "x".repeat(10_000) })));
  let received = 0;
  const counting = new Brokerless({
    url: server.url,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (response.body === null || !input.includes("/records?")) return response;
      const counted = response.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(piece, controller) {
            received += piece.byteLength;
            controller.enqueue(piece);
          },
        }),
      );
      return new Response(counted, { headers: response.headers });
    },
  });
  const reader = counting.reader({ topic, follow: false, readAheadBytes: 200_000, maxBytes: 100_000 });
  let records = 0;
  for await (const batch of reader.batches()) {
    if (records === 0) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(received).toBeLessThan(1_500_000);
    }
    records += batch.header.recordCount;
  }
  expect(records).toBe(600);
});

test.each([1, 2, 3, 4, 5, 6])("a network that cuts answers anywhere costs no record and repeats none (seed %i)", async (seed) => {
  const topic = await topicWith(3, 200);
  const network = new FlakyNetwork(seed, { cutBody: 0.5, lostReply: 0.2, refused: 0.1 });
  const flaky = new Brokerless({ url: server.url, fetch: network.fetch, retry: { minMs: 1, maxMs: 5 } });
  const values = await read({ topic, maxBytes: 500 }, flaky);
  for (let p = 0; p < 3; p++) expect(values.filter((value) => value.startsWith(`${p}-`))).toEqual(expected(p, 0, 200));
  expect(values).toHaveLength(600);
  expect(network.counts.cutBody).toBeGreaterThan(0);
});

test("a damaged batch is an error and not a record", async () => {
  const topic = await topicWith(1, 10);
  const damaging = new Brokerless({
    url: server.url,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (!input.includes("/records?")) return response;
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes[bytes.byteLength - 3] = (bytes[bytes.byteLength - 3] as number) ^ 1;
      return new Response(bytes, { headers: response.headers });
    },
  });
  await expect(read({ topic }, damaging)).rejects.toMatchObject({ code: "corrupt_record" });
});

test("a reader gives up when the server stays away for retryTimeoutMs", async () => {
  const away = new Brokerless({ url: "http://127.0.0.1:1", retry: { minMs: 1, maxMs: 10 } });
  const started = performance.now();
  await expect(read({ topic: "t", retryTimeoutMs: 100 }, away)).rejects.toMatchObject({
    code: "unavailable",
    details: { unreachable: true },
  });
  expect(performance.now() - started).toBeLessThan(3000);
});

test("a batch in a codec that the client does not have is an error that names it", async () => {
  const topic = await topicWith(1, 0);
  await using producer = client.producer({ compression: "zstd" });
  await producer.send({ topic, value: "packed" });
  await expect(read({ topic }, new Brokerless({ url: server.url }))).rejects.toMatchObject({ code: "unsupported_compression" });
});

describe("what cannot be is refused", () => {
  test.each<[Partial<ReaderOptions>, string]>([
    [{ topic: "" }, "topic must be"],
    [{ from: -1 }, "from must be a whole number from 0"],
    [{ from: "begin" as never }, 'from must be "earliest", "latest", an offset, or { timestampMs }; it is "begin"'],
    [{ from: { timestampMs: -1 } }, "from.timestampMs must be"],
    [{ from: new Map([[2, -5]]) }, "from[2] must be"],
    [{ partitions: [] }, "partitions must name at least one"],
    [{ partitions: [1.5] }, "partitions must be"],
    [{ maxBytes: 0 }, "maxBytes must be"],
    [{ autoOffsetReset: "oldest" as never }, "autoOffsetReset must be one of none, earliest, latest"],
    [{ waitMs: 26_000 }, "waitMs must be a whole number from 0 to 25,000"],
  ])("%j", (options, message) => {
    expect(() => client.reader({ topic: "t", ...options })).toThrow(message);
  });

  test("reading twice", async () => {
    const reader = client.reader({ topic: await topicWith(1, 1), follow: false });
    for await (const _ of reader);
    await expect(async () => {
      for await (const _ of reader);
    }).rejects.toThrow("a reader is read once");
  });
});

test("an answer that brings nothing, where the log goes on, is asked for again with pauses and then told", async () => {
  const topic = await topicWith(1, 10);
  let asked = 0;
  const empty = new Brokerless({
    url: server.url,
    retry: { minMs: 10, maxMs: 20 },
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (!input.includes("/records?")) return response;
      asked++;
      await response.arrayBuffer();
      return new Response(new Uint8Array(), { headers: { "kafka-next-offset": "0", "kafka-log-end-offset": "10" } });
    },
  });
  await expect(read({ topic, retryTimeoutMs: 200 }, empty)).rejects.toThrow("nothing came from offset 0, and the log ends at 10");
  expect(asked).toBeLessThan(40);
});

test("a server that does not wait at the end is not asked without a pause", async () => {
  const topic = await topicWith(1, 0);
  let asked = 0;
  const hasty = new Brokerless({
    url: server.url,
    fetch: (input, init) => {
      if (input.includes("/records?")) asked++;
      return fetch(input.replace(/timeout=\d+/, "timeout=0"), init);
    },
  });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 400);
  expect(await read({ topic, follow: true, signal: stop.signal }, hasty)).toEqual([]);
  expect(asked).toBeGreaterThan(2);
  expect(asked).toBeLessThan(15);
});
