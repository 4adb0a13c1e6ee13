import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import {
  type Answer,
  ask,
  batch,
  createTopic,
  jsonInit,
  rawInit,
  startTestServer,
  type TestServer,
  valuesOf,
} from "./harness.ts";

const RAW = "application/vnd.kafka.recordbatch.v2";

let server: TestServer;
let topics = 0;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  expect(server.internalErrors).toEqual([]);
  await server.close();
});

/** A topic with these batches in partition 0. */
async function topicWith(batches: readonly Uint8Array[], partitions = 1): Promise<string> {
  const name = `read-${topics++}`;
  await createTopic(server, name, partitions);
  for (const bytes of batches) {
    expect((await ask(`${server.url}/topics/${name}/partitions/0/records`, rawInit(bytes))).status).toBe(200);
  }
  return name;
}

const at = (topic: string, query = "", partition = 0) => `${server.url}/topics/${topic}/partitions/${partition}/records${query}`;

describe("where a read begins", () => {
  test.each([
    ["", ["a", "b", "c", "d"]],
    ["?offset=earliest", ["a", "b", "c", "d"]],
    ["?offset=beginning", ["a", "b", "c", "d"]],
    ["?offset=1", ["b", "c", "d"]],
    ["?offset=4", []],
    ["?offset=-2", ["c", "d"]],
    ["?offset=-99", ["a", "b", "c", "d"]],
    ["?offset=latest", []],
    ["?offset=end", []],
  ])("%s", async (query, expected) => {
    const topic = await topicWith([batch(["a", "b"]), batch(["c", "d"], { compression: "snappy" })]);
    const { body, headers } = await ask(at(topic, query));
    expect(valuesOf(body.records)).toEqual(expected);
    expect(body.next_offset).toBe(4);
    expect(headers.get("kafka-next-offset")).toBe("4");
    expect(headers.get("kafka-log-start-offset")).toBe("0");
    expect(headers.get("kafka-log-end-offset")).toBe("4");
  });

  test("an offset outside the log is refused with both ends, and nothing is reset", async () => {
    const topic = await topicWith([batch(["a", "b", "c"])]);
    const beyond = await ask(at(topic, "?offset=4"));
    expect([beyond.status, beyond.body.code, beyond.body.error_code]).toEqual([416, "offset_out_of_range", 41601]);
    expect(beyond.body.details).toMatchObject({ log_start_offset: 0, log_end_offset: 3 });
    expect(beyond.headers.get("kafka-log-end-offset")).toBe("3");
    expect(
      (await ask(`${server.url}/v1/topics/${topic}/partitions/0/records?before=2`, { method: "DELETE" })).body,
    ).toMatchObject({
      log_start_offset: 2,
    });
    const below = await ask(at(topic, "?offset=1"));
    expect([below.status, below.body.details.log_start_offset]).toEqual([416, 2]);
    expect(valuesOf((await ask(at(topic))).body.records)).toEqual(["c"]);
  });

  test("reading on from next_offset sees every record once", async () => {
    const topic = await topicWith(Array.from({ length: 20 }, (_, i) => batch([`${i}a${"x".repeat(500)}`, `${i}b`])));
    const seen: unknown[] = [];
    for (let offset = 0, rounds = 0; offset < 40; rounds++) {
      expect(rounds).toBeLessThan(41);
      const { body } = await ask(at(topic, `?offset=${offset}&max_bytes=1500`));
      seen.push(...valuesOf(body.records).map((value) => String(value).replace(/x+/, "")));
      offset = body.next_offset;
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => [`${i}a`, `${i}b`]).flat());
  });
});

describe("long poll", () => {
  test("a read at the end waits for what comes", async () => {
    const topic = await topicWith([batch(["a"])]);
    const waiting = ask(at(topic, "?offset=1&timeout=10000"));
    await new Promise((go) => setTimeout(go, 50));
    await ask(at(topic), jsonInit({ value: "b" }));
    expect(valuesOf((await waiting).body.records)).toEqual(["b"]);
  });

  test("it ends empty when nothing comes", async () => {
    const topic = await topicWith([]);
    const { status, body } = await ask(at(topic, "?offset=latest&timeout=50"));
    expect([status, body.records, body.next_offset]).toEqual([200, [], 0]);
  });

  test("a client that goes away leaves no reader behind", async () => {
    const topic = await topicWith([]);
    const controller = new AbortController();
    const waiting = fetch(at(topic, "?timeout=20000"), { signal: controller.signal });
    await new Promise((go) => setTimeout(go, 50));
    controller.abort();
    await expect(waiting).rejects.toThrow();
    await expect.poll(() => server.metrics.text()).toMatch(/http_requests_total\{operation="readRecords",status="200"\}/);
  });

  test.each(["-1", "25001", "1.5", "x", ""])("timeout=%s is refused", async (timeout) => {
    const topic = await topicWith([]);
    const { status, body } = await ask(at(topic, `?timeout=${timeout}`));
    expect([status, body.field]).toEqual([400, "timeout"]);
  });
});

describe("representations", () => {
  const mixed = () =>
    batch([
      {
        key: Buffer.from("k"),
        value: Buffer.from('{"a": 1,\n "b": [true]}'),
        headers: [
          { key: "h", value: Buffer.from([0, 255]) },
          { key: "é", value: null },
        ],
      },
      { key: null, value: Buffer.from([0xff, 0xfe]) },
      { key: Buffer.from('"\\\n\u0001'), value: null },
      { key: Buffer.from(""), value: Buffer.from("日本") },
    ]);

  test("JSON says of each key and value what it is", async () => {
    const topic = await topicWith([mixed()]);
    expect((await ask(at(topic))).body.records).toEqual([
      {
        offset: 0,
        timestamp: 1_700_000_000_000,
        timestamp_type: "CreateTime",
        key: { type: "STRING", data: "k" },
        value: { type: "STRING", data: '{"a": 1,\n "b": [true]}' },
        headers: [
          { name: "h", value: "AP8=" },
          { name: "é", value: null },
        ],
      },
      {
        offset: 1,
        timestamp: 1_700_000_000_000,
        timestamp_type: "CreateTime",
        key: null,
        value: { type: "BINARY", data: "//4=" },
        headers: [],
      },
      {
        offset: 2,
        timestamp: 1_700_000_000_000,
        timestamp_type: "CreateTime",
        key: { type: "STRING", data: '"\\\n\u0001' },
        value: null,
        headers: [],
      },
      {
        offset: 3,
        timestamp: 1_700_000_000_000,
        timestamp_type: "CreateTime",
        key: { type: "STRING", data: "" },
        value: { type: "STRING", data: "日本" },
        headers: [],
      },
    ]);
  });

  test("what was read can be sent back as it is", async () => {
    const from = await topicWith([mixed()]);
    const to = await topicWith([]);
    const { body } = await ask(at(from));
    const records = body.records.map(({ key, value, headers, timestamp }: Answer) => ({ key, value, headers, timestamp }));
    expect((await ask(at(to), jsonInit({ records }))).status).toBe(200);
    expect((await ask(at(to))).body.records).toEqual(body.records);
  });

  test("a format can be forced; what does not fit it is refused by its offset", async () => {
    const topic = await topicWith([mixed()]);
    const { body } = await ask(at(topic, "?format=binary"));
    expect(body.records[0].value).toEqual({ type: "BINARY", data: Buffer.from('{"a": 1,\n "b": [true]}').toString("base64") });
    for (const [format, what] of [
      ["string", "value of the record at offset 1 is not UTF-8"],
      ["json", "key of the record at offset 0 is not JSON"],
    ]) {
      const refused = await ask(at(topic, `?format=${format}`));
      expect([refused.status, refused.body.message]).toEqual([406, expect.stringContaining(what as string)]);
    }
  });

  test("format=json is the JSON itself, with all its digits", async () => {
    const topic = await topicWith([batch(['{"id": 12345678901234567890}', "[1.10]"])]);
    const text = await (await fetch(at(topic, "?format=json"))).text();
    expect(text).toContain('{"type":"JSON","data":{"id": 12345678901234567890}}');
    expect(text).toContain('{"type":"JSON","data":[1.10]}');
  });

  test("raw batches hold their offsets and match their checksums", async () => {
    const topic = await topicWith([batch(["a", "b"]), batch(["c"], { compression: "zstd" })]);
    const response = await fetch(at(topic, "?offset=1"), { headers: { accept: RAW } });
    expect(response.headers.get("content-type")).toBe(RAW);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const offsets = [...batchHeaders(bytes)].flatMap((header) =>
      decodeBatch(bytes, header.at, nodeCodecs).map(({ offset }) => offset),
    );
    expect(offsets).toEqual([0, 1, 2]);
  });

  test("v2 and CloudEvents arrays, lines", async () => {
    const topic = await topicWith([batch([{ key: Buffer.from('"k"'), value: Buffer.from('{"a":\n1}') }])]);
    const read = async (accept: string) => (await ask(at(topic), { headers: { accept } })).body;
    expect(await read("application/vnd.kafka.json.v2+json")).toEqual([
      { topic, key: "k", value: { a: 1 }, partition: 0, offset: 0 },
    ]);
    expect(await read("application/vnd.kafka.binary.v2+json")).toEqual([
      { topic, key: "Imsi", value: Buffer.from('{"a":\n1}').toString("base64"), partition: 0, offset: 0 },
    ]);
    expect(await read("application/cloudevents-batch+json")).toMatchObject([{ specversion: "1.0", id: "0-0", data: { a: 1 } }]);
    const lines = await (await fetch(at(topic, "?format=json"), { headers: { accept: "application/x-ndjson" } })).text();
    expect(lines.split("\n").length).toBe(2);
    expect(JSON.parse(lines).value.data).toEqual({ a: 1 });
  });

  test.each([
    ["*/*", "application/json"],
    ["application/*", "application/json"],
    [`text/html, ${RAW};q=0.9, application/json;q=0.5`, RAW],
    [`application/json;q=0, */*`, "application/x-ndjson"],
    ["APPLICATION/JSON; charset=utf-8", "application/json"],
  ])("Accept: %s gives %s", async (accept, type) => {
    const topic = await topicWith([batch(["a"])]);
    expect((await fetch(at(topic), { headers: { accept } })).headers.get("content-type")).toBe(type);
  });

  test("what nobody can make is not acceptable", async () => {
    const topic = await topicWith([]);
    const { status, body } = await ask(at(topic), { headers: { accept: "image/png" } });
    expect([status, body.code, body.field]).toEqual([406, "not_acceptable", "Accept"]);
    expect(body.message).toContain(RAW);
  });
});

describe("one record", () => {
  test("by its offset: as JSON, as its value alone", async () => {
    const topic = await topicWith([batch(["a", "b", "c"], { compression: "gzip" })]);
    expect((await ask(at(topic, "").replace("/records", "/records/1"))).body).toMatchObject({
      topic,
      partition: 0,
      offset: 1,
      value: { data: "b" },
    });
    const value = await fetch(`${at(topic)}/2`, { headers: { accept: "application/octet-stream" } });
    expect(await value.text()).toBe("c");
    expect(value.headers.get("content-security-policy")).toContain("sandbox");
    expect((await ask(`${at(topic)}/3`)).status).toBe(416);
    expect((await ask(`${at(topic)}/x`)).body.field).toBe("offset");
  });

  test("a null value is no content", async () => {
    const topic = await topicWith([batch([{ key: Buffer.from("k"), value: null }])]);
    expect((await fetch(`${at(topic)}/0`, { headers: { accept: "application/octet-stream" } })).status).toBe(204);
  });
});

describe("caching", () => {
  const full = () => topicWith(Array.from({ length: 5 }, (_, i) => batch([`${i}${"x".repeat(2000)}`])));

  test("a range that can never change may be kept by anyone, and is not sent twice", async () => {
    const topic = await full();
    const first = await fetch(at(topic, "?offset=1&max_bytes=3000"));
    expect(first.headers.get("cache-control")).toBe("public, max-age=3600, immutable");
    const etag = first.headers.get("etag") as string;
    const again = await fetch(at(topic, "?offset=1&max_bytes=3000"), { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    expect(again.headers.get("etag")).toBe(etag);
    const other = await fetch(at(topic, "?offset=1&max_bytes=3000"), { headers: { "if-none-match": etag, accept: RAW } });
    expect(other.status).toBe(200);
    expect(other.headers.get("etag")).not.toBe(etag);
    expect(first.headers.get("vary")).toContain("accept");
  });

  test("the open end of the log, and places that move, are never kept", async () => {
    const topic = await full();
    for (const query of ["?offset=1", "?offset=5", "?max_bytes=3000", "?offset=-4&max_bytes=3000", "?offset=0&stream=true"]) {
      const response = await fetch(at(topic, query));
      expect([query, response.headers.get("cache-control"), response.headers.get("etag")]).toEqual([query, "no-store", null]);
      await response.arrayBuffer();
    }
  });

  test("a topic that was made again is another one", async () => {
    const topic = await full();
    const etag = (await fetch(at(topic, "?offset=0&max_bytes=1"))).headers.get("etag") as string;
    await server.log.deleteTopic(topic);
    await createTopic(server, topic);
    for (let i = 0; i < 2; i++) await ask(at(topic), rawInit(batch(["new"])));
    const now = await fetch(at(topic, "?offset=0&max_bytes=1"), { headers: { "if-none-match": etag } });
    expect(now.status).toBe(200);
  });
});

describe("the whole rest of the log", () => {
  test("is streamed in every representation, to where the log ends now", async () => {
    const topic = await topicWith(
      Array.from({ length: 30 }, (_, i) => batch([JSON.stringify(`${i}-${"x".repeat(300_000)}`), `"${i}b"`])),
    );
    const full = (await ask(at(topic, "?offset=3&stream=true"))).body;
    expect(full.records.map(({ offset }: Answer) => offset)).toEqual(Array.from({ length: 57 }, (_, i) => i + 3));
    expect(full.next_offset).toBe(60);
    const raw = await fetch(at(topic, "?stream=true"), { headers: { accept: RAW } });
    const bytes = new Uint8Array(await raw.arrayBuffer());
    expect([...batchHeaders(bytes)].map(({ baseOffset }) => baseOffset)).toEqual(Array.from({ length: 30 }, (_, i) => i * 2));
    expect(raw.headers.get("kafka-next-offset")).toBe("60");
    const events = await ask(at(topic, "?stream=true"), { headers: { accept: "application/cloudevents-batch+json" } });
    expect(events.body.length).toBe(60);
  });

  test("does not take up what is written meanwhile", async () => {
    const topic = await topicWith(Array.from({ length: 10 }, (_, i) => batch([`${i}${"x".repeat(900_000)}`])));
    const response = await fetch(at(topic, "?stream=true"), { headers: { accept: RAW } });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let size = (await reader.read()).value?.byteLength ?? 0;
    await ask(at(topic), rawInit(batch(["late"])));
    for (let next = await reader.read(); !next.done; next = await reader.read()) size += next.value.byteLength;
    const ten = new Uint8Array(await (await fetch(at(topic, "?max_bytes=9500000"), { headers: { accept: RAW } })).arrayBuffer());
    expect(size).toBe([...batchHeaders(ten)].slice(0, 10).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  });

  test("a reader that stops midway costs the server nothing more", async () => {
    const topic = await topicWith(Array.from({ length: 40 }, (_, i) => batch([`${i}${"x".repeat(900_000)}`])));
    const controller = new AbortController();
    const response = await fetch(at(topic, "?stream=true"), { signal: controller.signal });
    await (response.body as ReadableStream<Uint8Array>).getReader().read();
    controller.abort();
    expect((await ask(`${server.url}/health`)).status).toBe(200);
  });

  test("size and waiting do not go with it", async () => {
    const topic = await topicWith([]);
    expect((await ask(at(topic, "?stream=true&max_bytes=5"))).body.field).toBe("max_bytes");
    expect((await ask(at(topic, "?stream=true&timeout=5"))).body.field).toBe("timeout");
    expect((await ask(at(topic, "?stream=yes"))).body.field).toBe("stream");
  });

  test("a failure in the middle cuts the answer, so that it cannot be taken for whole", async () => {
    let reads = 0;
    const failing = await startTestServer({
      wrap: (log) =>
        new Proxy(log, {
          get(target, name) {
            if (name === "read") {
              return (request: Parameters<typeof target.read>[0]) => {
                if (++reads > 2) return Promise.reject(new Error("disk on fire"));
                return target.read(request);
              };
            }
            const member = Reflect.get(target, name) as unknown;
            return typeof member === "function" ? member.bind(target) : member;
          },
        }),
    });
    await createTopic(failing, "t");
    for (let i = 0; i < 20; i++) await ask(`${failing.url}/topics/t/partitions/0/records`, rawInit(batch(["x".repeat(900_000)])));
    await expect(
      fetch(`${failing.url}/topics/t/partitions/0/records?stream=true`).then((response) => response.text()),
    ).rejects.toThrow();
    await failing.close();
  });
});

describe("compression of answers", () => {
  test.each([
    ["gzip", "gzip", gunzipSync],
    ["zstd", "zstd", zstdDecompressSync],
    ["gzip, zstd", "zstd", zstdDecompressSync],
    ["zstd;q=0.5, gzip", "gzip", gunzipSync],
    ["*", "zstd", zstdDecompressSync],
  ])("Accept-Encoding: %s is answered with %s", async (accept, encoding, decompress) => {
    const topic = await topicWith(Array.from({ length: 3 }, () => batch(["x".repeat(5000)])));
    for (const query of ["", "?stream=true"]) {
      const response = await server.lambda(`/topics/${topic}/partitions/0/records${query}`, {
        headers: { "accept-encoding": accept },
      });
      expect(response.headers.get("content-encoding")).toBe(encoding);
      const text = decompress(Buffer.from(await response.arrayBuffer())).toString();
      expect(valuesOf(JSON.parse(text).records).length).toBe(3);
    }
  });

  test("what is small, raw or not asked for is sent as it is", async () => {
    const topic = await topicWith([batch(["x".repeat(5000)])]);
    const encodingOf = async (path: string, headers: Record<string, string>) =>
      (await server.lambda(path, { headers })).headers.get("content-encoding");
    const path = `/topics/${topic}/partitions/0/records`;
    expect(await encodingOf(path, {})).toBe(null);
    expect(await encodingOf(path, { "accept-encoding": "br, identity" })).toBe(null);
    expect(await encodingOf(path, { "accept-encoding": "gzip;q=0" })).toBe(null);
    expect(await encodingOf(path, { "accept-encoding": "gzip", accept: RAW })).toBe(null);
    expect(await encodingOf("/health", { "accept-encoding": "gzip" })).toBe(null);
  });
});

describe("offsets", () => {
  test("by place and by time, as Kafka lists them", async () => {
    const topic = await topicWith([
      batch([
        { key: null, value: null, timestampMs: 1000 },
        { key: null, value: null, timestampMs: 3000 },
        { key: null, value: null, timestampMs: 2000 },
      ]),
    ]);
    const offset = async (what: string) => {
      const { body } = await ask(`${server.url}/v1/topics/${topic}/partitions/0/offsets?at=${encodeURIComponent(what)}`);
      return [body.offset, body.timestamp];
    };
    expect(await offset("earliest")).toEqual([0, -1]);
    expect(await offset("latest")).toEqual([3, -1]);
    expect(await offset("max_timestamp")).toEqual([1, 3000]);
    expect(await offset("1500")).toEqual([1, 3000]);
    expect(await offset("1970-01-01T00:00:01Z")).toEqual([0, 1000]);
    expect(await offset("9000")).toEqual([-1, -1]);
    for (const bad of ["yesterday", "-5", "1.5"]) {
      const { status, body } = await ask(`${server.url}/v1/topics/${topic}/partitions/0/offsets?at=${bad}`);
      expect([status, body.field]).toEqual([400, "at"]);
    }
  });

  test("records before an offset can be deleted, up to the end and no further", async () => {
    const topic = await topicWith([batch(["a", "b", "c"])]);
    const remove = (query: string) => ask(`${server.url}/v1/topics/${topic}/partitions/0/records${query}`, { method: "DELETE" });
    expect((await remove("")).body.field).toBe("before");
    expect((await remove("?before=-2")).body.field).toBe("before");
    expect((await remove("?before=9")).status).toBe(416);
    expect((await remove("?before=1")).body).toEqual({ topic, partition: 0, log_start_offset: 1 });
    expect((await remove("?before=-1")).body.log_start_offset).toBe(3);
  });
});
