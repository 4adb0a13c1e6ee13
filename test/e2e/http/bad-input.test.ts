/** Bad input gets its answer, in one shape, before anything is written. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import {
  type Answer,
  ask,
  batch,
  createTopic,
  jsonInit,
  rawInit,
  readAll,
  speak,
  startTestServer,
  type TestServer,
} from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({
    limits: {
      bodyBytes: 100_000,
      inFlightBytes: 200_000,
      bodyMs: 300,
      recordsPerRequest: 50,
      headersPerRecord: 5,
      urlBytes: 2000,
    },
  });
  await createTopic(server, "t", 2, { "max.message.bytes": "20000" });
  await createTopic(server, "compacted", 1, { "cleanup.policy": "compact" });
});
afterEach(async () => {
  for (const [topic, partition] of [
    ["t", 0],
    ["t", 1],
    ["compacted", 0],
  ] as const) {
    expect(await readAll(server, topic, partition), "nothing was written").toEqual([]);
  }
  expect(server.internalErrors).toEqual([]);
});
afterAll(() => server.close());

const RECORDS = "/topics/t/partitions/0/records";
const post = (path: string, init: RequestInit) => ask(`${server.url}${path}`, init);

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}

describe("what does not exist", () => {
  test.each([
    ["GET", "/topics/nowhere/partitions/0/records", 404, 40401],
    ["POST", "/topics/nowhere/partitions/0/records", 404, 40401],
    ["POST", "/topics/nowhere/records", 404, 40401],
    ["GET", "/topics/t/partitions/2/records", 404, 40402],
    ["POST", "/topics/t/partitions/2/records", 404, 40402],
    ["GET", "/topics/t/partitions/-1/records", 404, 40402],
    ["GET", "/topics/t/partitions/one/records", 404, 40402],
    ["GET", "/topics/..%2f..%2fetc/partitions/0/records", 400, 40002],
    ["GET", "/topics/%zz/partitions/0/records", 400, 40002],
    ["GET", "/nowhere", 404, 404],
    ["DELETE", "/health", 405, 405],
  ])("%s %s", async (method, path, status, errorCode) => {
    const init = method === "POST" ? jsonInit({ value: "v" }) : { method };
    const answer = await post(path, init);
    expect([answer.status, answer.body.error_code, answer.body.outcome]).toEqual([status, errorCode, "not_applied"]);
    expect(answer.body.message.split("\n")).toHaveLength(1);
  });

  test("a wrong method is told the right ones", async () => {
    const answer = await post("/topics/t/records", { method: "PUT" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
    expect((await post(RECORDS, { method: "PATCH" })).headers.get("allow")).toBe("POST, GET, HEAD, OPTIONS");
  });
});

describe("what is too large", () => {
  test("a record, by the topic's limit", async () => {
    const json = await post(RECORDS, jsonInit({ records: [{ value: "a" }, { value: "x".repeat(30_000) }] }));
    expect([json.status, json.body.code, json.body.field]).toEqual([413, "record_too_large", "records[1]"]);
    expect(json.body.message).toMatch(
      /^record 2 of 2 makes a batch of 30,\d+ bytes; topic "t" takes at most 20,000 \(max.message.bytes\)$/,
    );
    expect((await post(RECORDS, rawInit(batch(["x".repeat(30_000)])))).body.code).toBe("record_too_large");
  });

  test("a body, before it is sent", async () => {
    const head = `POST ${RECORDS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100001\r\n`;
    const text = await speak(server.port, [`${head}\r\n`], { until: "}" });
    expect(text).toMatch(/^HTTP\/1.1 413 /);
    expect(text).toMatch(/connection: close/i);
    expect(text).toContain("the body is 100,001 bytes, larger than the limit of 100,000 bytes");
    const expecting = await speak(server.port, [`${head}Expect: 100-continue\r\n\r\n`], { until: "}" });
    expect(expecting).not.toContain("100 Continue");
    expect(expecting).toMatch(/^HTTP\/1.1 413 /);
  });

  test("a body without a length, as soon as it is", async () => {
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const head = `POST ${RECORDS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await speak(server.port, [head, chunk, chunk, chunk], { until: "}" })).toMatch(/^HTTP\/1.1 413 /);
  });

  test("a client that sends all the same can read the refusal", async () => {
    const answer = await post(RECORDS, jsonInit({ value: "x".repeat(5_000_000) }));
    expect([answer.status, answer.body.code]).toEqual([413, "request_too_large"]);
  });

  test.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ])("a bomb in %s", async (encoding, compress) => {
    for (const size of [100_001, 50_000_000]) {
      const answer = await post(RECORDS, {
        ...jsonInit({}, { headers: { "content-encoding": encoding } }),
        body: compress(Buffer.alloc(size, " ")) as Uint8Array<ArrayBuffer>,
      });
      expect([answer.status, answer.body.code]).toEqual([413, "request_too_large"]);
    }
  });

  test("a bomb inside a record batch", async () => {
    const bytes = batch(["x".repeat(2_000_000)], { compression: "zstd" });
    expect(bytes.byteLength).toBeLessThan(1000);
    const answer = await post("/topics/t/records", rawInit(bytes));
    expect(answer.status).toBe(413);
  });

  test("a list, a key, headers", async () => {
    const records = (n: number) => Array.from({ length: n }, () => ({ value: "a" }));
    expect((await post(RECORDS, jsonInit({ records: records(51) }))).body.code).toBe("request_too_large");
    expect((await post("/topics/t/records", rawInit(batch(records(51).map(({ value }) => value))))).body.code).toBe(
      "request_too_large",
    );
    expect((await post(RECORDS, jsonInit({ key: "k".repeat(65_537) }))).body).toMatchObject({
      code: "record_too_large",
      field: "key",
    });
    const headers = Array.from({ length: 6 }, () => ({ name: "h" }));
    expect((await post(RECORDS, jsonInit({ headers }))).body).toMatchObject({ code: "record_too_large", field: "headers" });
  });

  test("a URL, and headers of the request", async () => {
    const url = await ask(`${server.url}/topics/t/partitions/0/records?offset=${"1".repeat(2000)}`);
    expect([url.status, url.body.code]).toEqual([414, "request_too_large"]);
    expect((await ask(`${server.url}/${"x".repeat(3000)}`)).status).toBe(414);
    const huge = await speak(server.port, [`GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`]);
    expect(huge).toMatch(/^HTTP\/1.1 431 /);
    expect(huge).toContain('"code":"request_too_large"');
  });

  test("all requests together: later ones are asked to come again", async () => {
    const head = (length: number) =>
      `POST ${RECORDS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    const slow = [1, 2].map(() => speak(server.port, [head(90_000), 250], { until: "}" }));
    await new Promise((go) => setTimeout(go, 100));
    const answer = await post(RECORDS, jsonInit({ value: "x".repeat(50_000) }));
    expect([answer.status, answer.body.code, answer.headers.get("retry-after")]).toEqual([429, "throttled", "1"]);
    await Promise.all(slow);
    expect((await post("/topics/nowhere/records", jsonInit({ value: "x".repeat(50_000) }))).status).toBe(404);
  });
});

describe("bodies that are not what they say", () => {
  test.each([
    ["no JSON", RECORDS, jsonInit('{"value":"a"'), "at byte 12"],
    ["bad base64", RECORDS, jsonInit({ value: { type: "BINARY", data: "a b" } }), "value.data: must be base64"],
    ["an unknown field", RECORDS, jsonInit({ valeu: "a" }), 'unknown field "valeu"'],
    ["an empty body", RECORDS, jsonInit(""), "the text ends"],
    ["no UTF-8", RECORDS, { ...jsonInit({}), body: new Uint8Array([0x7b, 0xff]) }, "not UTF-8 at byte 1"],
    ["a timestamp before 1970", RECORDS, jsonInit({ timestamp: -5 }), "timestamp"],
    ["no record batch", RECORDS, rawInit(new Uint8Array(0)), "empty"],
    ["no gzip", RECORDS, jsonInit({}, { headers: { "content-encoding": "gzip" } }), "not gzip"],
    [
      "half a zstd frame",
      RECORDS,
      {
        ...jsonInit({}, { headers: { "content-encoding": "zstd" } }),
        body: zstdCompressSync("x".repeat(500)).subarray(0, 15) as Uint8Array<ArrayBuffer>,
      },
      "not zstd",
    ],
    ["a topic's missing key", "/topics/compacted/records", jsonInit({ value: "a" }), "has no key"],
    ["a raw batch's missing key", "/topics/compacted/partitions/0/records", rawInit(batch(["a"])), "key"],
  ] as [string, string, RequestInit, string][])("%s", async (_, path, init, message) => {
    const { status, body } = await post(path, init);
    expect([status, body.outcome, body.error_code]).toEqual([400, "not_applied", 40002]);
    expect(body.message).toContain(message);
  });

  test("record batches with any byte changed, cut or left over", async () => {
    const good = batch(["abc", "def"]);
    for (const at of [8, 16, 17, 21, 23, 30, 57, 60, 61, 65, good.byteLength - 1]) {
      const { status, body } = await post(RECORDS, rawInit(changed(good, at, (good[at] as number) ^ 0x55)));
      expect([at, status, body.outcome]).toEqual([at, 400, "not_applied"]);
    }
    for (const bytes of [
      good.subarray(0, 40),
      good.subarray(0, good.byteLength - 1),
      Buffer.concat([good, Buffer.from("rest")]),
    ]) {
      expect((await post(RECORDS, rawInit(bytes))).body.code).toBe("corrupt_record");
    }
    expect((await post("/topics/t/records", rawInit(changed(good, 30, 99)))).body.code).toBe("corrupt_record");
  });

  test("a body that is cut short is not taken for whole", async () => {
    const head = `POST ${RECORDS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n`;
    await speak(server.port, [head, '{"value":"a"}', -30]);
    await new Promise((go) => setTimeout(go, 50));
  });

  test("a client that is too slow is told so", async () => {
    const head = `POST ${RECORDS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n`;
    const text = await speak(server.port, [head, '{"val', 100, "u"], { until: "}" });
    expect(text).toMatch(/^HTTP\/1.1 408 /);
    expect(text).toContain("the body did not come within 300 ms; 6 bytes had come");
  });

  test("what is not HTTP is told so in JSON", async () => {
    const text = await speak(server.port, ["hello there\r\n\r\n"]);
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect(text).toContain('"code":"invalid_request"');
  });

  test.each([
    [RECORDS, "text/plain"],
    [RECORDS, "application/x-www-form-urlencoded"],
    [RECORDS, "application/vnd.kafka.json.v2+json"],
    ["/topics/t/records", "application/vnd.kafka.avro.v2+json"],
    ["/v1/produce", "application/vnd.kafka.recordbatch.v2"],
  ])("POST %s with %s is an unsupported media type", async (path, type) => {
    const { status, body } = await post(path, jsonInit({ value: "a" }, { headers: { "content-type": type } }));
    expect([status, body.code, body.field]).toEqual([415, "unsupported_media_type", "Content-Type"]);
    expect(body.message).toContain("application/json");
  });

  test("so is an encoding that is not known", async () => {
    const answer = await post(RECORDS, jsonInit({ value: "a" }, { headers: { "content-encoding": "br" } }));
    expect([answer.status, answer.body.field, answer.headers.get("accept-encoding")]).toEqual([
      415,
      "Content-Encoding",
      "gzip, zstd",
    ]);
  });
});

describe("queries", () => {
  test.each([
    ["GET", `${RECORDS}?ofset=1`, "ofset"],
    ["GET", `${RECORDS}?offset=1&offset=2`, "offset"],
    ["GET", `${RECORDS}?offset=abc`, "offset"],
    ["GET", `${RECORDS}?offset=1.5`, "offset"],
    ["GET", `${RECORDS}?max_bytes=0`, "max_bytes"],
    ["GET", `${RECORDS}?max_bytes=99999999999`, "max_bytes"],
    ["GET", `${RECORDS}?format=xml`, "format"],
    ["POST", `${RECORDS}?acks=2`, "acks"],
    ["POST", `${RECORDS}?ack=1`, "ack"],
    ["GET", "/health?verbose=1", "verbose"],
    ["GET", "/v3/clusters?x", "x"],
    ["DELETE", "/v1/topics/t/partitions/0/records?before=x", "before"],
  ])("%s %s is refused at %s", async (method, path, field) => {
    const { status, body } = await post(path, method === "POST" ? jsonInit({ value: "v" }) : { method });
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
  });
});

describe("what goes wrong inside", () => {
  test("is told without its secrets, and noted", async () => {
    const broken = await startTestServer({
      wrap: (log) =>
        new Proxy(log, {
          get(target, name) {
            if (name === "append") return () => Promise.reject(new TypeError("secret path /home/x"));
            const member = Reflect.get(target, name) as unknown;
            return typeof member === "function" ? member.bind(target) : member;
          },
        }),
    });
    await createTopic(broken, "t");
    const answer = await ask(`${broken.url}${RECORDS}`, jsonInit({ value: "v" }));
    expect([answer.status, answer.body.code, answer.body.outcome]).toEqual([500, "internal", "unknown"]);
    expect(JSON.stringify(answer.body)).not.toContain("secret");
    expect(broken.internalErrors).toHaveLength(1);
    await broken.close();
  });

  test("a storage that does not answer is 503 with Retry-After, on /health too", async () => {
    const down = await startTestServer({
      ready: () => Promise.reject(new BrokerlessError("unavailable", "the storage is not reached", { retryAfterMs: 5000 })),
    });
    const answer: Answer = await ask(`${down.url}/health`);
    expect([answer.status, answer.body.code, answer.headers.get("retry-after")]).toEqual([503, "unavailable", "5"]);
    await down.close();
    const slow = await startTestServer({ ready: () => new Promise(() => {}) });
    expect((await ask(`${slow.url}/health`)).body.message).toContain("did not answer within 3000 ms");
    await slow.close();
  });
});
