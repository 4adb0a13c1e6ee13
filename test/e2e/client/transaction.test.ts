/** Records and committed offsets as one, by the client, over a real server. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Brokerless, type Consumer, text } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { FlakyNetwork } from "./flaky-fetch.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
let client: Brokerless;
let [input, output, group] = ["", "", ""];
let made = 0;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url });
});
afterAll(() => server.close());
beforeEach(async () => {
  made++;
  [input, output, group] = [`in-${made}`, `out-${made}`, `g-${made}`];
  await client.admin.createTopic({ name: input, partitions: 3 });
  await client.admin.createTopic({ name: output, partitions: 2 });
});

async function fill(count: number): Promise<void> {
  const producer = client.producer();
  await Promise.all(Array.from({ length: count }, (_, i) => producer.send({ topic: input, key: `k${i}`, value: String(i) })));
  await producer.close();
}

async function values(topic: string): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of client.reader({ topic, follow: false }).batches()) {
    for (const record of batch.records()) found.push(text(record.value) as string);
  }
  return found;
}

async function committed(): Promise<number> {
  const offsets = await client.groups.offsets(group);
  return offsets.reduce((sum, { offset }) => sum + offset, 0);
}

function consumer(from: Brokerless, signal?: AbortSignal): Consumer {
  return from.consumer({ group, topics: input, autoOffsetReset: "earliest", autoCommit: false, signal });
}

test("writes to several topics and commits offsets of a group without members, together", async () => {
  await fill(10);
  const written = await client.transaction((tx) => {
    tx.send({ topic: input, partition: 1, key: "a", value: "one", headers: { h: "x" } });
    tx.send({ topic: output, partition: 0, value: new Uint8Array([255, 0]) });
    tx.commit(group, { topic: input, partition: 0, offset: 1 });
    tx.commit(group, { topic: input, partition: 2, offset: 2 });
  });
  expect(written.map(({ topic, partition, recordCount }) => [topic, partition, recordCount])).toEqual([
    [input, 1, 1],
    [output, 0, 1],
  ]);
  expect(await committed()).toBe(3);
});

test("writes nothing where the function throws, and nothing where there is nothing", async () => {
  const failing = client.transaction((tx) => {
    tx.send({ topic: output, value: "never" });
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await client.transaction(() => {})).toEqual([]);
  expect(await values(output)).toEqual([]);
});

test("writes nothing where the offsets may not be committed", async () => {
  await fill(3);
  const stop = new AbortController();
  const member = consumer(client, stop.signal);
  const first = await member[Symbol.asyncIterator]().next();
  expect(first.done).toBe(false);
  const outsider = client.transaction((tx) => {
    tx.send({ topic: output, value: "never" });
    tx.commit(group, { topic: input, partition: 0, offset: 1 });
  });
  await expect(outsider).rejects.toMatchObject({ code: "unknown_member", outcome: "not_applied" });
  const unknown = client.transaction((tx) => {
    tx.send({ topic: output, value: "never" });
    tx.commit(member, { topic: "elsewhere", partition: 0, offset: 1 });
  });
  await expect(unknown).rejects.toMatchObject({ code: "invalid_request", field: "commit.offsets" });
  expect(await values(output)).toEqual([]);
  stop.abort();
});

test("commits alone where nothing is sent", async () => {
  expect(await client.transaction((tx) => tx.commit(group, { topic: input, partition: 0, offset: 7 }))).toEqual([]);
  expect(await committed()).toBe(7);
});

test("is done once under its key, whoever sends it", async () => {
  const send = (from: Brokerless) =>
    from.transaction(
      (tx) => {
        tx.send({ topic: output, partition: 0, value: "once", timestampMs: 1 });
        tx.commit(group, { topic: input, partition: 0, offset: 1 });
      },
      { idempotencyKey: `key-${made}` },
    );
  const [first] = await send(client);
  const [again] = await send(new Brokerless({ url: server.url }));
  expect(again).toEqual(first);
  expect(await values(output)).toEqual(["once"]);
});

describe("consume, transform, produce", () => {
  /** Every record of `input` once into `output`, by two members over a network that loses; the first one dies half way. */
  test("happens once for each record, though answers are lost and a member dies in the middle", async () => {
    const count = 60;
    await fill(count);
    const network = new FlakyNetwork(7, {
      lostReply: 0.15,
      lostBeforeSending: 0.1,
      refused: 0.1,
      only: (path) => path === "/v1/produce",
    });
    const flaky = new Brokerless({ url: server.url, fetch: network.fetch, retry: { minMs: 1, maxMs: 20 } });
    let done = 0;
    const work = async (from: Brokerless, stop: AbortController, die: () => boolean): Promise<void> => {
      const member = consumer(from, stop.signal);
      for await (const batch of member) {
        for (const record of batch.records()) {
          if (die()) return;
          await from.transaction((tx) => {
            tx.send({ topic: output, key: record.key, value: record.value });
            tx.commit(member, { topic: record.topic, partition: record.partition, offset: record.offset + 1 });
          });
          done++;
        }
        if (done >= count) stop.abort();
      }
    };
    await work(flaky, new AbortController(), () => done >= count / 2);
    await work(flaky, new AbortController(), () => false);
    expect((await values(output)).map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(await committed()).toBe(count);
    expect(network.counts.lostReply).toBeGreaterThan(0);
  }, 60_000);
});
