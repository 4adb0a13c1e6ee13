import { ReadableStream } from "node:stream/web";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, createTopic, readAll, speak, startTestServer, type TestServer, valuesOf } from "./harness.ts";

let server: TestServer;
let topics = 0;
beforeAll(async () => {
  server = await startTestServer({ limits: { documentBytes: 10_000, bodyIdleMs: 300 } });
});
afterAll(async () => {
  expect(server.internalErrors).toEqual([]);
  await server.close();
});

async function freshTopic(partitions = 1): Promise<string> {
  const name = `stream-${topics++}`;
  await createTopic(server, name, partitions);
  return name;
}

const records = (topic: string) => `/v3/clusters/${server.clusterId}/topics/${topic}/records`;

/** Sends a body in pieces, without a length, and answers the documents that come back. */
async function stream(
  topic: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<Answer[]> {
  const response = await fetch(server.url + records(topic), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: ReadableStream.from(pieces),
    duplex: "half",
  } as unknown as RequestInit);
  expect(response.status).toBe(200);
  return documents(await response.text());
}

function documents(text: string): Answer[] {
  return text
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Cuts bytes into pieces of a few. */
function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

test("each document of a stream is answered by one, in order, however the stream is cut", async () => {
  for (const size of [1, 7, 64, 100_000]) {
    const topic = await freshTopic(3);
    const sent = Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: `}{"[\\é ${i}` }));
    const text = sent.map((record) => JSON.stringify(record)).join(size % 2 === 0 ? "\n" : "");
    const answers = await stream(topic, pieces(Buffer.from(text), size));
    expect(answers.map(({ error_code }) => error_code)).toEqual(sent.map(() => 200));
    const all = await Promise.all([0, 1, 2].map((p) => readAll(server, topic, p)));
    for (const [i, { partition_id, offset }] of answers.entries()) {
      expect(all[partition_id]?.[offset].value.data).toBe(sent[i]?.value);
    }
  }
});

test("answers come while the stream is still open", async () => {
  const topic = await freshTopic();
  const body = '{"value":"first"}';
  const text = await speak(
    server.port,
    [
      `POST ${records(topic)} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      `${body.length.toString(16)}\r\n${body}\r\n`,
    ],
    { until: '"offset":0' },
  );
  expect(text).toContain("200 OK");
  expect(valuesOf(await readAll(server, topic))).toEqual(["first"]);
});

test("a bad document is answered for itself and the others are written", async () => {
  const topic = await freshTopic();
  const text = '{"value":"a"} {"value":7} {"partition_id":3} {"value":"b"}';
  const answers = await stream(topic, pieces(Buffer.from(text), 9));
  expect(answers.map(({ error_code, field }) => [error_code, field])).toEqual([
    [200, undefined],
    [40002, "value"],
    [40402, "partition"],
    [200, undefined],
  ]);
  expect(valuesOf(await readAll(server, topic))).toEqual(["a", "b"]);
});

test("what is not JSON ends the stream with its position; what came before is written", async () => {
  const topic = await freshTopic();
  const answers = await stream(topic, pieces(Buffer.from('{"value":"a"}{"value":"b"} nonsense {"value":"c"}'), 5));
  expect(answers.map(({ error_code }) => error_code)).toEqual([200, 200, 40002]);
  expect(answers[2]).toMatchObject({
    message: expect.stringMatching(/"n" where a record's "\{" should be, at byte 27/),
    details: { position: 27 },
  });
  expect(valuesOf(await readAll(server, topic))).toEqual(["a", "b"]);
});

test("a syntax error inside a document is told with its place in the whole stream", async () => {
  const topic = await freshTopic();
  const answers = await stream(topic, pieces(Buffer.from('{"value":"a"}{"value":tru}'), 100));
  expect(answers[1].message).toMatch(/at byte 22 /);
});

test("a stream that ends within a document says so", async () => {
  const topic = await freshTopic();
  const answers = await stream(topic, pieces(Buffer.from('{"value":"a"}{"value":"b"'), 4));
  expect(answers.map(({ error_code }) => error_code)).toEqual([200, 40002]);
  expect(answers[1].message).toMatch(/cut short: the JSON document that begins at byte 13/);
});

test("one document larger than its limit ends the stream", async () => {
  const topic = await freshTopic();
  const answers = await stream(topic, pieces(Buffer.from(`{"value":"a"}{"value":"${"x".repeat(20_000)}"}`), 3000));
  expect(answers.map(({ error_code }) => error_code)).toEqual([200, 41301]);
});

test("a client that falls silent in the middle is told after a while, and what it sent is kept", async () => {
  const topic = await freshTopic();
  const body = '{"value":"first"}{"val';
  const text = await speak(
    server.port,
    [
      `POST ${records(topic)} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      `${body.length.toString(16)}\r\n${body}\r\n`,
    ],
    { until: '"code":"timeout"' },
  );
  expect(text).toContain("did not come within 300 ms");
  expect(valuesOf(await readAll(server, topic))).toEqual(["first"]);
});

test("a stream may be compressed, in several frames too", async () => {
  const topic = await freshTopic();
  const halves = [Buffer.from('{"value":"a"}{"val'), Buffer.from('ue":"b"}{"value":"c"}')];
  await stream(topic, pieces(gzipSync(Buffer.concat(halves)), 6), { "content-encoding": "gzip" });
  await stream(topic, pieces(Buffer.concat(halves.map((half) => zstdCompressSync(half))), 11), { "content-encoding": "zstd" });
  await stream(topic, [Buffer.concat(halves.map((half) => zstdCompressSync(half)))], { "content-encoding": "zstd" });
  expect(valuesOf(await readAll(server, topic))).toEqual(["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
  const [answer] = await stream(topic, [Buffer.from("no gzip at all")], { "content-encoding": "gzip" });
  expect(answer).toMatchObject({ error_code: 40002, field: "Content-Encoding" });
});

test("many documents in a body with a length are answered as a stream is", async () => {
  const topic = await freshTopic();
  const response = await fetch(server.url + records(topic), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"value":"a"}\n{"value":"b"}\n',
  });
  expect(response.status).toBe(200);
  expect(documents(await response.text()).map(({ offset }) => offset)).toEqual([0, 1]);
});

test("a long stream is taken with a bounded window and all of it is written in order", async () => {
  const topic = await freshTopic();
  const count = 20_000;
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < count; i += 100) {
      yield Buffer.from(Array.from({ length: 100 }, (_, j) => JSON.stringify({ value: `${i + j} ${"x".repeat(900)}` })).join(""));
    }
  }
  const answers = await stream(topic, body());
  expect(answers.length).toBe(count);
  expect(answers.every(({ error_code, offset }, i) => error_code === 200 && offset === i)).toBe(true);
  const values = valuesOf(await readAll(server, topic));
  expect(values.every((value, i) => String(value).startsWith(`${i} `))).toBe(true);
});

test("acks=0 and Idempotency-Key do not go with a stream", async () => {
  const topic = await freshTopic();
  const init = { method: "POST", body: ReadableStream.from([Buffer.from("{}")]), duplex: "half" } as unknown as RequestInit;
  const response = await fetch(`${server.url}${records(topic)}?acks=0`, {
    ...init,
    headers: { "content-type": "application/json" },
  });
  expect([response.status, ((await response.json()) as Answer).field]).toEqual([400, "acks"]);
});
