/** Lambda events in, Lambda answers out: over a real app on the memory backend. */
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { ReplyBody } from "../../../../lib/http/call.ts";
import { createHttpApp } from "../../../../lib/http/index.ts";
import { CARRIED_BYTES, EventCall, type HttpEvent, type LambdaEvent, pathOf } from "../../../../lib/http/lambda/event.ts";
import { apiHandler, type LambdaContext, type LambdaParts, streamHandler } from "../../../../lib/http/lambda/handler.ts";
import { REPLY_BYTES } from "../../../../lib/http/lambda/reply.ts";
import { nodeCodecs } from "../../../../lib/kafka/codecs/node.ts";
import { createLog } from "../../../../lib/log/index.ts";
import { memoryStorage } from "../../../../lib/storage/memory/index.ts";
import { pollingDoorbell } from "../../../../lib/storage/polling/doorbell.ts";
import { systemClock as clock } from "../../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../../lib/storage/system/ids.ts";

const STREAM_URL = "https://stream.example/";

function httpEvent(method: string, rawPath: string, more: Partial<HttpEvent> = {}): HttpEvent {
  return {
    version: "2.0",
    rawPath,
    rawQueryString: "",
    headers: {},
    isBase64Encoded: false,
    requestContext: { domainName: "api.example", stage: "$default", http: { method } },
    ...more,
  };
}

function context(remainingMs = 29_000): LambdaContext {
  return { awsRequestId: "r-1", getRemainingTimeInMillis: () => remainingMs };
}

function setUp() {
  const ids = systemIds(clock);
  const storage = memoryStorage({ clock });
  const log = createLog({ storage, clock, ids, codecs: nodeCodecs, doorbell: pollingDoorbell(clock) });
  const about = { auth: "none", outlivesAnswer: false, version: "1" } as const;
  const app = createHttpApp({ log, clock, ids, codecs: nodeCodecs, ready: async () => {}, ...about });
  const lines: string[] = [];
  const parts = {
    dispatch: app.dispatch,
    clock,
    line: (text: string) => lines.push(text),
    streamUrl: STREAM_URL,
  };
  const handle = apiHandler(parts);
  const call = async (event: LambdaEvent) => {
    const reply = await handle(event, context());
    return { ...reply, text: Buffer.from(reply.body, "base64").toString() };
  };
  const json = (method: string, path: string, value: unknown, rawQueryString = "") =>
    call(
      httpEvent(method, path, { rawQueryString, headers: { "content-type": "application/json" }, body: JSON.stringify(value) }),
    );
  return { log, parts, lines, call, json };
}

type Set = ReturnType<typeof setUp>;

async function makeTopic({ log }: Set, name = "clicks"): Promise<void> {
  await log.createTopic({ name, partitions: 1 });
}

function replying(body: ReplyBody): LambdaParts["dispatch"] {
  return async () => ({ status: 200, headers: {}, body, compressible: false });
}

describe("a call from an event", () => {
  const { signal } = new AbortController();

  test("of format 2.0 has method, path, query, headers and a text body", async () => {
    const call = new EventCall(
      httpEvent("POST", "/topics/a", { rawQueryString: "x=1&y=%20", headers: { "X-One": "1" }, body: "héllo" }),
      signal,
    );
    const { method, path, search, origin, base, contentLength } = call;
    expect({ method, path, search, origin, base, contentLength }).toEqual({
      method: "POST",
      path: "/topics/a",
      search: "x=1&y=%20",
      origin: "https://api.example",
      base: "",
      contentLength: 6,
    });
    expect(call.header("x-one")).toBe("1");
    expect(call.headerNames()).toEqual(["x-one"]);
    expect(Buffer.from(await call.body(6)).toString()).toBe("héllo");
    await expect(call.body(5)).rejects.toMatchObject({ code: "request_too_large" });
  });

  test("has the bytes of a base64 body", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const event = httpEvent("POST", "/", { body: Buffer.from(bytes).toString("base64"), isBase64Encoded: true });
    const pieces: Uint8Array[] = [];
    for await (const piece of new EventCall(event, signal).pieces()) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  });

  test("of format 1.0 joins repeated headers and encodes the decoded query again", () => {
    const call = new EventCall(
      {
        httpMethod: "GET",
        path: "/topics",
        multiValueHeaders: { Accept: ["a/b", "c/d"], Host: ["h.example"] },
        multiValueQueryStringParameters: { q: ["a&b", "c d"] },
        body: null,
        requestContext: { domainName: "rest.example", path: "/prod/topics" },
      },
      signal,
    );
    expect([call.origin, call.base, call.path, call.search]).toEqual([
      "https://rest.example",
      "/prod",
      "/topics",
      "q=a%26b&q=c+d",
    ]);
    expect(call.header("accept")).toBe("a/b, c/d");
  });

  test("keeps what a gateway took off its path, for links", () => {
    const httpBase = (rawPath: string, stage: string) =>
      new EventCall(httpEvent("GET", rawPath, { requestContext: { stage, http: { method: "GET" } } }), signal).base;
    expect(httpBase("/prod/topics/a", "prod")).toBe("/prod");
    expect(httpBase("/production/a", "prod")).toBe("");
    expect(httpBase("/topics", "$default")).toBe("");
    const restBase = (path: string, asCalled?: string) =>
      new EventCall({ httpMethod: "GET", path, requestContext: asCalled === undefined ? {} : { path: asCalled } }, signal).base;
    expect(restBase("/topics", "/mapped/deep/topics")).toBe("/mapped/deep");
    expect(restBase("/topics", "/topics")).toBe("");
    expect(restBase("/topics")).toBe("");
  });

  test("loses the stage of its path, but not a path that only begins alike", () => {
    const at = (rawPath: string, stage: string) =>
      pathOf(httpEvent("GET", rawPath, { requestContext: { stage, http: { method: "GET" } } }));
    expect(at("/prod/topics/a", "prod")).toBe("/topics/a");
    expect(at("/prod", "prod")).toBe("/");
    expect(at("/production/a", "prod")).toBe("/production/a");
    expect(at("/prod/a", "$default")).toBe("/prod/a");
  });

  test("keeps a decoded path whole where its characters would end it", () => {
    expect(pathOf(httpEvent("GET", "/v3/a?b#c%zz%41"))).toBe("/v3/a%3Fb%23c%25zz%41");
  });
});

describe("the api handler", () => {
  test("creates a topic, takes records and gives them back", async () => {
    const set = setUp();
    await makeTopic(set);
    const produced = await set.json("POST", "/topics/clicks/records", { records: [{ value: "one" }, { value: "two" }] });
    expect(produced.statusCode, produced.text).toBe(200);
    const read = await set.call(httpEvent("GET", "/topics/clicks/partitions/0/records", { rawQueryString: "offset=earliest" }));
    expect(read.statusCode).toBe(200);
    expect(read.isBase64Encoded).toBe(true);
    expect(read.headers["kafka-next-offset"]).toBe("2");
    expect(read.text).toContain("two");
  });

  test("takes the same over the REST API's events", async () => {
    const set = setUp();
    await makeTopic(set);
    const produced = await set.call({
      httpMethod: "POST",
      path: "/topics/clicks/records",
      headers: { "content-type": "application/json" },
      body: Buffer.from(JSON.stringify({ records: [{ value: "one" }] })).toString("base64"),
      isBase64Encoded: true,
    });
    expect(produced.statusCode, produced.text).toBe(200);
  });

  test("answers a body over Lambda's limit with the limit and the way out, and writes nothing", async () => {
    const set = setUp();
    await makeTopic(set);
    const body = Buffer.alloc((CARRIED_BYTES / 4) * 3 + 3).toString("base64");
    const reply = await set.call(httpEvent("POST", "/topics/clicks/records", { body, isBase64Encoded: true }));
    expect(reply.statusCode).toBe(413);
    const error = JSON.parse(reply.text);
    expect(error).toMatchObject({ code: "request_too_large", outcome: "not_applied", details: { limit_bytes: CARRIED_BYTES } });
    expect(error.message).toMatch(/smaller batches/);
    expect((await set.log.partitions("clicks"))[0]?.logEndOffset).toBe(0);
  });

  test("answers a read that is too large for one piece by naming max_bytes and the streaming URL", async () => {
    const set = setUp();
    await makeTopic(set);
    const value = "x".repeat(900_000);
    for (let i = 0; i < 6; i++) await set.json("POST", "/topics/clicks/records", { records: [{ value }] });
    const reply = await set.call(httpEvent("GET", "/topics/clicks/partitions/0/records", { rawQueryString: "stream=true" }));
    expect(reply.statusCode).toBe(413);
    expect(reply.text).toContain(STREAM_URL);
    expect(reply.text).toContain("max_bytes");
    expect(reply.text).toContain(REPLY_BYTES.toLocaleString("en-US"));
  });

  test("says of a request that was done, and whose answer is too large, that it was done", async () => {
    const { parts } = setUp();
    const handle = apiHandler({ ...parts, dispatch: replying(new Uint8Array(REPLY_BYTES + 1)) });
    const reply = await handle(httpEvent("POST", "/topics/clicks/records"), context());
    expect(JSON.parse(Buffer.from(reply.body, "base64").toString())).toMatchObject({ outcome: "applied" });
  });

  test("answers exactly as much as Lambda carries", async () => {
    const { parts } = setUp();
    const handle = apiHandler({ ...parts, dispatch: replying(new Uint8Array(REPLY_BYTES)) });
    const reply = await handle(httpEvent("GET", "/"), context());
    expect(reply.statusCode).toBe(200);
    expect(reply.body.length).toBeLessThanOrEqual(CARRIED_BYTES);
  });

  test("refuses server-sent events, which have no end, and names where they are", async () => {
    const set = setUp();
    await makeTopic(set);
    const reply = await set.call(
      httpEvent("GET", "/topics/clicks/partitions/0/records", { headers: { accept: "text/event-stream" } }),
    );
    expect(reply.statusCode).toBe(406);
    expect(reply.text).toContain(STREAM_URL);
  });

  test("ends a long poll before Lambda would stop the process", async () => {
    const set = setUp();
    await makeTopic(set);
    const began = clock.monotonicMs();
    const event = httpEvent("GET", "/topics/clicks/partitions/0/records", { rawQueryString: "offset=latest&timeout=20000" });
    const reply = await apiHandler(set.parts)(event, context(1700));
    expect(reply.statusCode).toBe(200);
    expect(clock.monotonicMs() - began).toBeLessThan(5000);
  });

  test("wakes a long poll with what the same process appends", async () => {
    const set = setUp();
    await makeTopic(set);
    const waiting = set.call(
      httpEvent("GET", "/topics/clicks/partitions/0/records", { rawQueryString: "offset=latest&timeout=20000" }),
    );
    await set.json("POST", "/topics/clicks/records", { records: [{ value: "late" }] });
    expect((await waiting).text).toContain("late");
  });

  test("answers a method that is none of ours, and sends no body with HEAD", async () => {
    const { call } = setUp();
    const wrong = await call(httpEvent("TRACE", "/health"));
    expect([wrong.statusCode, wrong.headers["allow"]]).toEqual([405, "GET, HEAD, OPTIONS"]);
    const head = await call(httpEvent("HEAD", "/health"));
    expect([head.statusCode, head.body]).toEqual([200, ""]);
  });

  test("links to where the caller finds it, with the stage", async () => {
    const set = setUp();
    const clusters = { httpMethod: "GET", path: "/v3/clusters" };
    const reply = await set.call({ ...clusters, requestContext: { domainName: "rest.example", path: "/prod/v3/clusters" } });
    expect(JSON.parse(reply.text).metadata.self).toBe("https://rest.example/prod/v3/clusters");
    expect(JSON.parse(reply.text).data[0].metadata.self).toMatch(/^https:\/\/rest\.example\/prod\/v3\/clusters\//);
  });

  test("writes one line a call, with the request's id, and says which was the first", async () => {
    const { call, lines } = setUp();
    await call(httpEvent("GET", "/health"));
    await call(httpEvent("GET", "/nowhere"));
    expect(lines).toHaveLength(2);
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect(first).toMatchObject({ level: "INFO", requestId: "r-1", method: "GET", path: "/health", status: 200, cold: true });
    expect(second).toMatchObject({ path: "/nowhere", status: 404 });
    expect(second).not.toHaveProperty("cold");
  });
});

describe("the stream handler", () => {
  interface Sent {
    head: { statusCode: number; headers: Readonly<Record<string, string>> };
  }

  function streamSetUp() {
    const set = setUp();
    const sent: Sent[] = [];
    const handle = streamHandler<PassThrough>(set.parts, (stream, head) => {
      sent.push({ head });
      return stream;
    });
    return { ...set, sent, handle };
  }

  test("streams a replay of any size", async () => {
    const set = streamSetUp();
    await makeTopic(set);
    for (let i = 0; i < 8; i++) await set.json("POST", "/topics/clicks/records", { records: [{ value: "x".repeat(900_000) }] });
    const stream = new PassThrough();
    let sizeBytes = 0;
    stream.on("data", (piece: Uint8Array) => {
      sizeBytes += piece.byteLength;
    });
    const event = httpEvent("GET", "/topics/clicks/partitions/0/records", { rawQueryString: "stream=true" });
    await set.handle(event, stream, context());
    expect(set.sent[0]?.head.statusCode).toBe(200);
    expect(sizeBytes).toBeGreaterThan(7_200_000);
    expect(JSON.parse(set.lines.at(-1) as string)).toMatchObject({ bytes: sizeBytes });
  });

  test("sends status and headers of an answer without a body", async () => {
    const { handle, sent } = streamSetUp();
    const stream = new PassThrough();
    stream.resume();
    await handle(httpEvent("OPTIONS", "/health"), stream, context());
    expect(sent[0]?.head.statusCode).toBe(204);
  });

  test("sends server-sent events as they come, and ends before Lambda would stop the process", async () => {
    const set = streamSetUp();
    await makeTopic(set);
    const stream = new PassThrough();
    let text = "";
    stream.on("data", (piece: Uint8Array) => {
      text += Buffer.from(piece).toString();
    });
    const event = httpEvent("GET", "/topics/clicks/partitions/0/records", { headers: { accept: "text/event-stream" } });
    const done = set.handle(event, stream, context(2500));
    await clock.sleep(100);
    await set.json("POST", "/topics/clicks/records", { records: [{ value: "live" }] });
    await expect.poll(() => text, { timeout: 900 }).toContain("live");
    await done;
    expect(set.sent[0]?.head.headers["content-type"]).toBe("text/event-stream");
    expect(text).toContain("id: 0\n");
  });

  test("stops reading when the reader has left", async () => {
    const set = streamSetUp();
    await makeTopic(set);
    const stream = new PassThrough();
    stream.resume();
    const event = httpEvent("GET", "/topics/clicks/partitions/0/records", { headers: { accept: "text/event-stream" } });
    const began = clock.monotonicMs();
    const done = set.handle(event, stream, context(25_000));
    await clock.sleep(50);
    stream.destroy();
    await done;
    expect(clock.monotonicMs() - began).toBeLessThan(5000);
  });
});
