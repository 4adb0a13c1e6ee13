/** What readers over HTTP see of transactions. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Brokerless, text } from "../../../lib/client/index.ts";
import { batchHeaders } from "../../../lib/kafka/index.ts";
import { batchOf } from "../../unit/log/support.ts";
import { startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
const RAW = "application/vnd.kafka.recordbatch.v2";

async function send(value: string, id: number, sequence: number): Promise<void> {
  const [transactionGuard] = await server.log.transactionGuards([{ topic: "t", partition: 0 }]);
  const batches = batchOf([value], { id, sequence, transactional: true });
  await server.log.append({ topic: "t", partition: 0, batches, transactionGuard: transactionGuard as number });
}

async function end(id: number, commit: boolean): Promise<void> {
  const { id: topicId } = await server.log.topic("t");
  const partitions = [{ topicId, partition: 0 }];
  await server.log.endTransaction({ partitions, producerId: id, producerEpoch: 0, commit }, async () => true);
}

// 0 plain, 1 aborted, 2 marker, 3 committed, 4 marker, 5 plain, 6 open, 7 plain
beforeAll(async () => {
  server = await startTestServer();
  await server.log.createTopic({ name: "t" });
  await server.log.append({ topic: "t", partition: 0, batches: batchOf(["plain"]) });
  await send("aborted", 1, 0);
  await end(1, false);
  await send("committed", 1, 1);
  await end(1, true);
  await server.log.append({ topic: "t", partition: 0, batches: batchOf(["plain too"]) });
  await send("open", 2, 0);
  await server.log.append({ topic: "t", partition: 0, batches: batchOf(["behind"]) });
});
afterAll(() => server.close());

const SEEN = ["plain", "committed", "plain too"];
const ALL = ["plain", "aborted", "committed", "plain too", "open", "behind"];

async function get(query: string, accept = "application/json") {
  const reply = await fetch(`${server.url}/topics/t/partitions/0/records?${query}`, { headers: { accept } });
  return { reply, bytes: new Uint8Array(await reply.arrayBuffer()) };
}

function valuesIn(bytes: Uint8Array): string[] {
  return (JSON.parse(Buffer.from(bytes).toString()).records as { value: { data: string } }[]).map(({ value }) => value.data);
}

describe("a read", () => {
  test.each(["", "&stream=true"])("shows what is committed, and ends before what is open%s", async (how) => {
    const { reply, bytes } = await get(`offset=0${how}`);
    expect(valuesIn(bytes)).toEqual(SEEN);
    expect([reply.headers.get("kafka-next-offset"), reply.headers.get("kafka-log-end-offset")]).toEqual(["6", "6"]);
    expect(valuesIn((await get("offset=-1")).bytes)).toEqual(["plain too"]);
    expect(valuesIn((await get("offset=latest")).bytes)).toEqual([]);
  });

  test("shows all of it to who asks for it", async () => {
    const { reply, bytes } = await get("offset=0&isolation=read_uncommitted");
    expect(valuesIn(bytes)).toEqual(ALL);
    expect(reply.headers.get("kafka-next-offset")).toBe("8");
  });

  test.each(["", "&stream=true"])("of raw batches has neither markers nor what was aborted%s", async (how) => {
    const offsets = (bytes: Uint8Array) => [...batchHeaders(bytes)].map(({ baseOffset }) => baseOffset);
    expect(offsets((await get(`offset=0${how}`, RAW)).bytes)).toEqual([0, 3, 5]);
    expect(offsets((await get(`offset=0&isolation=read_uncommitted${how}`, RAW)).bytes)).toEqual([0, 1, 3, 5, 6, 7]);
  });

  test("of one record finds none that was aborted", async () => {
    const one = async (offset: number, query = "") =>
      (await fetch(`${server.url}/topics/t/partitions/0/records/${offset}${query}`)).status;
    expect([await one(0), await one(1), await one(2), await one(3)]).toEqual([200, 404, 404, 200]);
    expect(await one(1, "?isolation=read_uncommitted")).toBe(200);
  });

  test("of events shows what is committed", async () => {
    const stop = new AbortController();
    const reply = await fetch(`${server.url}/topics/t/partitions/0/events?offset=0`, { signal: stop.signal });
    let got = "";
    for await (const piece of reply.body as ReadableStream<Uint8Array>) {
      got += Buffer.from(piece).toString();
      if (got.includes("plain too")) break;
    }
    stop.abort();
    expect([...got.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)).toEqual(["0", "3", "5"]);
  });
});

test("a poll returns what is committed, and goes on behind the markers", async () => {
  const poll = async (body: object) => {
    const reply = await fetch(`${server.url}/v1/groups/g/poll`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return (await reply.json()) as { cursor: string; records: { value: { data: string } }[]; positions: { offset: number }[] };
  };
  const first = await poll({ topics: ["t"], auto_offset_reset: "earliest" });
  expect(first.records.map(({ value }) => value.data)).toEqual(SEEN);
  expect(first.positions.map(({ offset }) => offset)).toEqual([6]);
  expect((await poll({ cursor: first.cursor })).records).toEqual([]);
});

test("the client's reader ends where the first open transaction begins", async () => {
  const client = new Brokerless({ url: server.url });
  const values: string[] = [];
  for await (const record of client.reader({ topic: "t", follow: false })) values.push(text(record.value) as string);
  expect(values).toEqual(SEEN);
});

describe("the client", () => {
  test.each([
    ["read_committed", SEEN],
    ["read_uncommitted", ALL],
  ] as const)("reads what is %s, as a reader and in a group, which is at the end when all is read", async (isolation, values) => {
    const client = new Brokerless({ url: server.url });
    const read: string[] = [];
    for await (const record of client.reader({ topic: "t", isolation, follow: false })) read.push(text(record.value) as string);
    expect(read).toEqual(values);

    const stop = new AbortController();
    const group = `of-${isolation}`;
    const consumer = client.consumer({
      group,
      topics: "t",
      autoOffsetReset: "earliest",
      isolation,
      waitMs: 100,
      signal: stop.signal,
    });
    const consumed: string[] = [];
    for await (const batch of consumer) {
      for (const record of batch.records()) consumed.push(text(record.value) as string);
      if (consumed.length === values.length) break;
    }
    expect(consumed).toEqual(values);
    expect(() => client.reader({ topic: "t", isolation: "dirty" as "read_committed" })).toThrow(/isolation/);
  });

  test("comes past a marker at the end of the log, so that a group has no lag that nobody can read", async () => {
    await server.log.createTopic({ name: "ends" });
    const [transactionGuard] = await server.log.transactionGuards([{ topic: "ends", partition: 0 }]);
    const batches = batchOf(["v"], { id: 9, sequence: 0, transactional: true });
    await server.log.append({ topic: "ends", partition: 0, batches, transactionGuard: transactionGuard as number });
    const { id: topicId } = await server.log.topic("ends");
    const request = { partitions: [{ topicId, partition: 0 }], producerId: 9, producerEpoch: 0, commit: true };
    await server.log.endTransaction(request, async () => true);

    const client = new Brokerless({ url: server.url });
    const consumer = client.consumer({ group: "past", topics: "ends", autoOffsetReset: "earliest", waitMs: 100 });
    const looking = setInterval(() => consumer.positions()[0]?.offset === 2 && consumer.close(), 20);
    let records = 0;
    for await (const batch of consumer) records += batch.records().length;
    clearInterval(looking);
    expect(records).toBe(1);
    expect(await server.groups.fetchOffsets({ group: "past" })).toMatchObject([{ topic: "ends", partition: 0, offset: 2 }]);
  });
});
