/**
 * Requests made from the server's own description: near what it asks for, with something wrong now and then. Whatever
 * comes, the answer is never the server's fault, always in the one shape, and the server lives on.
 */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeCursor } from "../../../lib/groups/poll/cursor.ts";
import { HTTP_ERRORS } from "../../../lib/http/index.ts";
import { encodeReceipt } from "../../../lib/http/queues/receipt.ts";
import { type Answer, ask, batch, createTopic, jsonInit, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let description: Answer;
beforeAll(async () => {
  server = await startTestServer({ limits: { waitMs: 40, bodyBytes: 200_000, recordsPerRequest: 200, heartbeatMs: 50 } });
  await restore();
  const grants = [{ resource: "cluster", operations: ["read"] }] as const;
  for (let i = 0; i < 10; i++) tokenIds.push((await server.tokens.create({ name: "t", grants })).id);
  description = (await ask(`${server.url}/openapi.json`)).body;
});
afterAll(() => server.close());

/** Tokens that requests revoke. */
const tokenIds: string[] = [];

/** Groups without members, with something committed, and one with a member; some requests join them, some delete them. */
let groups: string[] = [];
/** Share groups with a dead-letter topic. */
let queues: string[] = [];
let made = 0;

/** The topics and groups that requests are about; some delete them. */
async function restore(): Promise<void> {
  const there = new Set((await server.log.listTopics()).map(({ name }) => name));
  if (!there.has("t")) await createTopic(server, "t", 3);
  if (!there.has("compacted")) await createTopic(server, "compacted", 1, { "cleanup.policy": "compact" });
  if (!there.has("dead")) await createTopic(server, "dead");
  queues = Array.from({ length: 5 }, () => `queue-${made++}`);
  for (const group of queues) {
    await server.groups.alterConfigs(group, { "errors.deadletterqueue.topic.name": "dead" });
    await ask(`${server.url}/v1/queues/${group}/receive`, jsonInit({ topics: ["t"], max_messages: 1 }));
  }
  groups = Array.from({ length: 5 }, () => `group-${made++}`);
  const offsets = [{ topic: "t", partition: 0, offset: 0 }];
  for (const group of groups) await ask(`${server.url}/v1/groups/${group}/offsets`, jsonInit({ offsets }));
  const joined = `group-${made++}`;
  const client = { clientId: "fuzz", clientHost: "" };
  await server.groups.consumerHeartbeat({
    group: joined,
    memberId: "member",
    epoch: 0,
    rebalanceTimeoutMs: 60_000,
    topics: ["t"],
    owned: [],
    client,
  });
  groups.push(joined);
  await makeConsumers();
}

/** Of each group two REST consumers, one that is subscribed and one that has partitions; some requests delete them. */
async function makeConsumers(): Promise<void> {
  for (const group of groups) {
    const at = `${server.url}/consumers/${group}`;
    for (const name of ["subscribed", "assigned"]) await ask(at, jsonInit({ name, "auto.offset.reset": "earliest" }));
    await ask(`${at}/instances/subscribed/subscription`, jsonInit({ topics: ["t"] }));
    await ask(`${at}/instances/assigned/assignments`, jsonInit({ partitions: [{ topic: "t", partition: 0 }] }));
  }
}

type Schema = Answer;

const junk = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.integer(), { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Values of a JSON schema, and others rarely. */
function anyOf(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 100, arbitrary: fitting(schema) }, { weight: 1, arbitrary: junk });
}

function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (schema === undefined || schema === true || Object.keys(schema).length === 0) return fc.jsonValue({ maxDepth: 2 });
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map(fitting));
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map((type: string) => fitting({ ...schema, type })));
  switch (schema.type) {
    case "integer":
    case "number":
      return fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: Math.max(schema.minimum ?? -5, -5), max: Math.max(schema.minimum ?? 0, 5) }) },
        { weight: 1, arbitrary: fc.maxSafeInteger() },
      );
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(anyOf(schema.items), { minLength: schema.minItems ?? 0, maxLength: schema.maxItems ?? 4 });
    case "object":
      return objectOf(schema);
    default:
      return textOf(schema);
  }
}

/** Of a message that was never given. */
const RECEIPT = encodeReceipt({ topic: "t", topicId: "a".repeat(22), partition: 0, offset: 0, holder: "abcdefghijkl" });

/** What words of the description mean here. */
const HINTS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  topic: fc.constantFrom("t", "compacted"),
  topic_name: fc.constantFrom("a", "b.c", "d-e_f", "g", "h", "i", "j"),
  partitions_count: fc.integer({ min: 1, max: 6 }),
  replication_factor: fc.constantFrom(-1, 1, 3),
  // Beside data it is one too many, so mostly it is left out.
  data_base64: fc.constantFrom(undefined, undefined, undefined, "AAEC"),
  datacontenttype: fc.constantFrom("application/json", "text/plain"),
  id: fc.constantFrom("1", "2"),
  source: fc.constantFrom("/s", "urn:x"),
  type: fc.constantFrom("BINARY", "STRING", "JSON"),
  partition: fc.constantFrom(0, 0, null),
  partition_id: fc.constantFrom(0, 1, null),
  name: fc.constantFrom("retention.ms", "segment.ms", "consumer.heartbeat.interval.ms"),
  // A number to a config, base64 to a header, text to a record.
  value: fc.constantFrom("10000000", "5000", "5000", "20000000", null, "?"),
  timestamp: fc.constantFrom(0, 1_700_000_000_000, "2026-01-31T23:59:59Z", null),
  cursor: fc.constant(undefined).chain(() => fc.constantFrom(...groups.map(cursorOf))),
  topics: fc.constantFrom(["t"], ["t", "compacted"]),
  topics_regex: fc.constantFrom(undefined, undefined, undefined, "t.*"),
  instance_id: fc.constantFrom(undefined, undefined, undefined, "static"),
  seek: fc.constantFrom([], [], [], [{ topic: "t", partition: 0, offset: "earliest" }]),
  pause: fc.constantFrom([], [], [], [{ topic: "t", partition: 0 }]),
  resume: fc.constantFrom([], [], [], [{ topic: "t", partition: 0 }]),
  partitions: fc.constantFrom([{ topic: "t", partition: 0 }], [{ topic: "t", partition: 9 }]),
  receipts: fc.constantFrom([RECEIPT], [RECEIPT, RECEIPT]),
  max_messages: fc.integer({ min: 1, max: 20 }),
  visibility_timeout_ms: fc.constantFrom(undefined, undefined, 15_000),
  wait_ms: fc.constantFrom(0, 0, 10),
  offsets: fc.constantFrom([{ topic: "t", partition: 0, offset: 0 }], [{ topic: "nowhere", partition: 0, offset: 1 }]),
};

/** Of one that has not joined yet. */
function cursorOf(group: string): string {
  return encodeCursor({
    group,
    memberId: "",
    epoch: 0,
    instanceId: undefined,
    topics: ["t"],
    regex: undefined,
    reset: "earliest",
    positions: [],
  });
}

function objectOf(schema: Schema): fc.Arbitrary<unknown> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, one] of Object.entries(schema.properties ?? {}))
    model[name] =
      HINTS[name] === undefined
        ? anyOf(one)
        : fc.oneof({ weight: 40, arbitrary: HINTS[name] }, { weight: 1, arbitrary: anyOf(one) });
  const required = (schema.required ?? []) as string[];
  const fits = fc.record<Record<string, unknown>>(model, { requiredKeys: required });
  const lacks = fc.record<Record<string, unknown>>({ ...model, extra: junk }, { requiredKeys: [] });
  return fc.oneof({ weight: 30, arbitrary: fits }, { weight: 1, arbitrary: lacks });
}

const WORDS = [
  "t",
  "compacted",
  "nowhere",
  "retention.ms",
  "1000",
  "BINARY",
  "2026-01-31T00:00:00Z",
  "AAEC",
  "",
  "é\u0000\ud83d",
];

function textOf(schema: Schema): fc.Arbitrary<string> {
  const least = schema.minLength ?? 0;
  if (schema.format === "base64" || schema.contentEncoding === "base64") {
    return fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString("base64"));
  }
  if (schema.format === "date-time")
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date("2100-01-01T00:00:00Z") })
      .map((date) => date.toISOString());
  return fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 10 })).filter((text) => text.length >= least);
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | undefined;
}

const PATH_WORDS: Readonly<Record<string, readonly string[]>> = {
  topic: ["t", "compacted"],
  topic_name: ["t", "compacted"],
  partition: ["0", "1", "0", "2"],
  partition_id: ["0", "1"],
  offset: ["0", "1", "2"],
  consumer: ["member"],
  instance: ["subscribed", "assigned"],
  name: ["retention.ms", "max.message.bytes", "cleanup.policy"],
};

function pathOf(template: string): fc.Arbitrary<string> {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
  const values = names.map((name) => {
    const words =
      name === "cluster_id"
        ? [server.clusterId]
        : name === "token_id"
          ? tokenIds
          : name === "group"
            ? template.startsWith("/v1/queues")
              ? queues
              : groups
            : PATH_WORDS[name];
    const good = fc.constantFrom(...(words ?? ["x"]));
    const bad = fc.oneof(
      fc.constantFrom("-1", "99", "%00", "..", "%2e%2e", "a%2fb", "é", "%", "9".repeat(40)),
      fc.string({ minLength: 1, maxLength: 8 }),
    );
    return fc.oneof(
      { weight: 14, arbitrary: good },
      { weight: 1, arbitrary: bad.map((text) => (text.includes("%") ? text : encodeURIComponent(text.toWellFormed()))) },
    );
  });
  return fc
    .tuple(...values)
    .map((parts) => names.reduce((path, name, i) => path.replace(`{${name}}`, parts[i] as string), template));
}

function queryOf(parameters: readonly Answer[]): fc.Arbitrary<string> {
  const known = parameters.filter((one) => one.in === "query");
  if (known.length === 0)
    return fc.oneof({ weight: 10, arbitrary: fc.constant("") }, { weight: 1, arbitrary: fc.constant("?x=1") });
  const one = fc
    .constantFrom(...known)
    .chain(({ name, schema }) =>
      anyOf(schema).map(
        (value) =>
          `${name}=${encodeURIComponent((typeof value === "string" ? value : (JSON.stringify(value) ?? "")).toWellFormed())}`,
      ),
    );
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant("") },
    { weight: 4, arbitrary: one.map((text) => `?${text}`) },
    { weight: 2, arbitrary: fc.tuple(one, one).map((both) => `?${both.join("&")}`) },
    { weight: 1, arbitrary: fc.string({ maxLength: 12 }).map((text) => `?${encodeURI(text.toWellFormed())}`) },
  );
}

const headerText = fc.oneof(
  fc.constantFrom(
    "0",
    "1",
    "7",
    "all",
    "application/json",
    "text/event-stream",
    "key-1",
    "1.0",
    "/s",
    "1,2,3",
    "*",
    "gzip, zstd",
    "a/b;q=x,,",
  ),
  fc.string({ maxLength: 20 }).map((text) => text.replace(/[^\x21-\x7e]/g, "x")),
);

const COMMON_HEADERS = ["accept", "accept-encoding", "origin", "if-none-match", "last-event-id", "range", "content-language"];

function headersOf(parameters: readonly Answer[]): fc.Arbitrary<Record<string, string>> {
  const names = [...parameters.filter((one) => one.in === "header").map(({ name }) => name.toLowerCase()), ...COMMON_HEADERS];
  const some = fc.array(fc.tuple(fc.constantFrom(...names), headerText), { maxLength: 4 });
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: some.map((entries) => Object.fromEntries(entries)) },
  );
}

const rawBatches = fc
  .tuple(
    fc.array(fc.record({ key: fc.option(fc.uint8Array({ maxLength: 8 })), value: fc.option(fc.uint8Array({ maxLength: 20 })) }), {
      minLength: 1,
      maxLength: 5,
    }),
    fc.constantFrom("none", "gzip", "snappy", "lz4", "zstd"),
    fc.boolean(),
  )
  .map(([records, compression, idempotent]) =>
    batch(records, {
      compression: compression as "none",
      ...(idempotent ? { producerId: 5, producerEpoch: 0, baseSequence: 0 } : {}),
    }),
  );

function bodyOf(content: Readonly<Record<string, Answer>>): fc.Arbitrary<{ type: string; body: Uint8Array }> {
  return fc.constantFrom(...Object.entries(content)).chain(([type, { schema }]) => {
    const made: fc.Arbitrary<Uint8Array> =
      schema === undefined
        ? fc.oneof({ weight: 4, arbitrary: rawBatches }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) })
        : anyOf(schema).map((value) => Buffer.from(JSON.stringify(value) ?? ""));
    const spoilt = fc.tuple(made, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
      const copy = bytes.slice(0, at % 3 === 0 ? at % (bytes.byteLength + 1) : bytes.byteLength);
      if (copy.byteLength > 0) copy[at % copy.byteLength] = byte;
      return copy;
    });
    return fc.oneof({ weight: 6, arbitrary: made }, { weight: 1, arbitrary: spoilt }).map((body) => ({ type, body }));
  });
}

function requestOf(path: string, method: string, operation: Answer): fc.Arbitrary<Request> {
  const parameters = operation.parameters ?? [];
  const content = operation.requestBody?.content;
  const body = content === undefined ? fc.constant(undefined) : fc.option(bodyOf(content), { nil: undefined, freq: 10 });
  const spoiltType = fc.oneof(
    { weight: 12, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom("text/plain", "application/json", "application/vnd.kafka.recordbatch.v2", "x") },
  );
  const encoding = fc.oneof(
    { weight: 10, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom("gzip", "gzip!", "zstd", "br") },
  );
  return fc
    .tuple(pathOf(path), queryOf(parameters), headersOf(parameters), body, spoiltType, encoding)
    .map(([where, query, headers, sent, type, encoded]): Request => {
      const all: Record<string, string> = { ...headers };
      if (sent !== undefined) {
        all["content-type"] = type ?? sent.type;
        if (encoded !== undefined) all["content-encoding"] = encoded.replace("!", "");
      }
      const bytes = sent === undefined ? undefined : encoded === "gzip" ? gzipSync(sent.body) : sent.body;
      return { method: method.toUpperCase(), path: where + query, headers: all, body: bytes };
    });
}

const CODES: ReadonlySet<string> = new Set(Object.keys(HTTP_ERRORS));

async function judge({ method, path, headers, body }: Request): Promise<number> {
  const controller = new AbortController();
  const response = await fetch(server.url + path, {
    method,
    headers,
    signal: controller.signal,
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
  });
  // A group that is not well is told by 503.
  const tellsBy503 = method === "GET" && /^\/v1\/groups\/[^/]+\/health/.test(path);
  if (tellsBy503 && response.status === 503) return response.status;
  expect(response.status, `${method} ${path}`).toBeLessThan(500);
  if (response.headers.get("content-type") === "text/event-stream") {
    controller.abort();
    return response.status;
  }
  // What goes wrong in the middle of a stream (a value that is no text, with format=string) can only end it.
  const text = await response.text().catch((error) => {
    expect(path, String(error)).toContain("stream=true");
    return "";
  });
  if (response.status >= 400) {
    const error = JSON.parse(text);
    // Burrow's own answer for what it does not know.
    if (path.startsWith("/v3/kafka") && response.status === 404 && error.request !== undefined) {
      expect(error.message, text).toMatch(/not found$|^consumer status returned$/);
      return response.status;
    }
    expect(CODES.has(error.code), text).toBe(true);
    expect(typeof error.error_code, text).toBe("number");
    expect(error.message, text).toMatch(/^[^\n]+$/);
    expect(["not_applied", "applied", "unknown"], text).toContain(error.outcome);
  }
  return response.status;
}

/** What the storage in memory does not have: URLs that are signed. */
const NOT_HERE: ReadonlySet<string> = new Set(["manifest"]);

test("no request that is near the description makes a 5xx, and the server lives", { timeout: 240_000 }, async () => {
  for (const [path, methods] of Object.entries(description.paths as Record<string, Record<string, Answer>>)) {
    for (const [method, operation] of Object.entries(methods)) {
      const seen = new Map<number, number>();
      await fc.assert(
        fc.asyncProperty(requestOf(path, method, operation), async (request) => {
          const status = await judge(request);
          seen.set(status, (seen.get(status) ?? 0) + 1);
          expect(server.internalErrors).toEqual([]);
          if (operation.operationId === "deleteTopic") await restore();
        }),
        { numRuns: 150 },
      );
      await restore();
      if (NOT_HERE.has(operation.operationId)) {
        expect([...seen.keys()].filter((status) => status < 400)).toEqual([]);
        continue;
      }
      // Some come through to every operation, else nothing was tested.
      const requests = fc.sample(requestOf(path, method, operation), 500);
      while (![...seen.keys()].some((status) => status < 400)) {
        const next = requests.pop();
        expect(next, `${operation.operationId} never succeeded: ${JSON.stringify([...seen])}`).toBeDefined();
        seen.set(await judge(next as Request), 1);
      }
    }
  }
  expect((await ask(`${server.url}/health`)).status).toBe(200);
});
