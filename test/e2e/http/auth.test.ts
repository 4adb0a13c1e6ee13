/** Tokens over HTTP: every route asks, every denial names the right that is missing and nothing else. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Grant } from "../../../lib/auth/index.ts";
import { DEFAULT_LIMITS } from "../../../lib/http/limits.ts";
import type { Operation } from "../../../lib/http/operation.ts";
import { allOperations, operationsOf } from "../../../lib/http/routes/index.ts";
import type { Clock } from "../../../lib/ports/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { type Answer, ask, batch, createTopic, jsonInit, rawInit, speak, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let aheadMs = 0;
const clock: Clock = {
  nowMs: () => systemClock.nowMs() + aheadMs,
  monotonicMs: () => systemClock.monotonicMs() + aheadMs,
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
};

beforeAll(async () => {
  server = await startTestServer({ auth: "token", clock, kafka: async () => [] });
  for (const name of ["clicks", "clicks.eu", "orders"]) await createTopic(server, name);
});
afterAll(() => server.close());

async function tokenWith(grants: readonly Grant[], expiresAtMs?: number): Promise<string> {
  const made = await server.tokens.create({ name: "test", grants, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) });
  return made.token;
}

const onTopics = (prefix: string, ...operations: Grant["operations"]): Grant => ({ resource: "topic", prefix, operations });

function as(token: string, init: RequestInit = {}): RequestInit {
  return { ...init, headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` } };
}

const OPERATIONS = await allOperations(
  operationsOf({
    limits: DEFAULT_LIMITS,
    version: "0",
    withMetrics: true,
    withKafka: true,
    withGroups: true,
    withShares: true,
    withLag: true,
    withTokens: true,
  }),
);

function pathOf({ path }: Operation, topic: string): string {
  return path
    .replace("{cluster_id}", server.clusterId)
    .replace(/\{topic(_name)?\}/, topic)
    .replace("{group}", topic)
    .replace(/\{partition(_id)?\}/, "0")
    .replace("{offset}", "0")
    .replace("{name}", "retention.ms")
    .replace("{token_id}", "aaaaaaaa");
}

describe("who may call", () => {
  test.each(OPERATIONS.map((one) => [one.id, one] as const))(
    "%s without a token is refused, unless it is open",
    async (id, one) => {
      const { status, body, headers } = await ask(`${server.url}${pathOf(one, "clicks")}`, { method: one.method });
      if (["health", "openapi", "burrowAdmin", "burrowReady"].includes(id)) return expect(status).toBe(200);
      expect([status, body.error_code, body.code, body.outcome]).toEqual([401, 40101, "unauthenticated", "not_applied"]);
      expect(headers.get("www-authenticate")).toBe('Bearer realm="brokerless"');
    },
  );

  test.each(OPERATIONS.map((one) => [one.id, one] as const))(
    "%s is refused to a token without the right, which it names",
    async (_, one) => {
      const { access } = one;
      if (access === "open") return;
      const other = access.right.resource === "group" ? "topic" : "group";
      const stranger = await tokenWith([{ resource: other, prefix: "", operations: ["read", "write", "admin"] }]);
      const { status, body } = await ask(`${server.url}${pathOf(one, "clicks")}`, as(stranger, { method: one.method }));
      // Every token has it; what the call lacks otherwise is told after that.
      if (access.right.resource === "cluster" && access.right.operation === "describe")
        return expect([200, 404, 415]).toContain(status);
      expect([status, body.error_code, body.code, body.outcome]).toEqual([403, 40301, "forbidden", "not_applied"]);
      const { operation, resource } = access.right;
      const words = operation === "describe" ? "read, write or admin" : operation;
      const on = resource === "cluster" ? "the cluster" : access.param === undefined ? "any topic" : `${resource} "clicks"`;
      expect(body).toEqual({
        error_code: 40301,
        message: `this token lacks ${words} on ${on}`,
        code: "forbidden",
        outcome: "not_applied",
      });
    },
  );

  test("a forbidden topic and one that is not there are refused in the same words", async () => {
    const token = await tokenWith([onTopics("clicks", "read", "write")]);
    const seen: unknown[] = [];
    for (const topic of ["orders", "nosuch"]) {
      for (const one of OPERATIONS.filter(({ path }) => /\{topic/.test(path))) {
        const { status, body } = await ask(`${server.url}${pathOf(one, topic)}`, as(token, { method: one.method }));
        seen.push([topic === "orders" ? 0 : 1, one.id, status, JSON.stringify(body).replaceAll(topic, "T")]);
      }
    }
    const half = seen.length / 2;
    expect(half).toBeGreaterThan(15);
    expect(seen.slice(half).map((one) => (one as unknown[]).slice(1))).toEqual(
      seen.slice(0, half).map((one) => (one as unknown[]).slice(1)),
    );
    expect(seen.every((one) => (one as unknown[])[2] === 403)).toBe(true);
  });

  test("a token reads and writes as far as it goes, by prefix", async () => {
    const writer = await tokenWith([onTopics("clicks", "write")]);
    const reader = await tokenWith([{ resource: "topic", name: "clicks", operations: ["read"] }]);
    for (const topic of ["clicks", "clicks.eu"]) {
      expect((await ask(`${server.url}/topics/${topic}/records`, as(writer, jsonInit({ value: "a" })))).status).toBe(200);
      expect((await ask(`${server.url}/topics/${topic}/partitions/0/records`, as(writer, rawInit(batch(["b"]))))).status).toBe(
        200,
      );
    }
    const of = (topic: string, token: string) => ask(`${server.url}/topics/${topic}/partitions/0/records`, as(token));
    expect((await of("clicks", reader)).body.records).toHaveLength(2);
    expect((await of("clicks.eu", reader)).body.message).toBe('this token lacks read on topic "clicks.eu"');
    expect((await of("clicks", writer)).body.message).toBe('this token lacks read on topic "clicks"');
    // Who writes may see offsets, as in Kafka.
    expect((await ask(`${server.url}/v1/topics/clicks/partitions/0/offsets`, as(writer))).body.offset).toBe(2);
    expect((await ask(`${server.url}/topics/clicks/records`, as(reader, jsonInit({ value: "c" })))).status).toBe(403);
  });

  test("one record to a topic that may not be written keeps all records of the request out", async () => {
    const token = await tokenWith([onTopics("clicks", "write")]);
    const before = await server.log.partitions("clicks");
    const records = [
      { topic: "clicks", value: "a" },
      { topic: "orders", value: "b" },
    ];
    const { status, body } = await ask(`${server.url}/v1/produce`, as(token, jsonInit({ records })));
    expect([status, body.message]).toEqual([403, 'this token lacks write on topic "orders"']);
    expect(await server.log.partitions("clicks")).toEqual(before);
    const two = [records[0], { topic: "clicks.eu", value: "b" }];
    expect((await ask(`${server.url}/v1/produce`, as(token, jsonInit({ records: two })))).status).toBe(200);
  });

  test("a list shows the topics that may be seen, and no others", async () => {
    const names = async (...grants: Grant[]): Promise<string[]> =>
      (await ask(`${server.v3}/topics`, as(await tokenWith(grants)))).body.data.map((topic: Answer) => topic.topic_name);
    expect(await names(onTopics("clicks", "write"))).toEqual(["clicks", "clicks.eu"]);
    expect(await names({ resource: "topic", name: "orders", operations: ["admin"] })).toEqual(["orders"]);
    expect(await names({ resource: "group", prefix: "", operations: ["read"] })).toEqual([]);
    expect(await names({ resource: "cluster", operations: ["admin"] })).toEqual(["clicks", "clicks.eu", "orders"]);
  });

  test("topics are made and deleted within the prefix that one administers", async () => {
    const token = await tokenWith([onTopics("team-a.", "admin")]);
    const create = (topic_name: string) => ask(`${server.v3}/topics`, as(token, jsonInit({ topic_name })));
    expect((await create("team-a.logs")).status).toBe(201);
    expect((await create("team-b.logs")).body.message).toBe('this token lacks admin on topic "team-b.logs"');
    // The same words for one that is there.
    expect((await create("orders")).body.message).toBe('this token lacks admin on topic "orders"');
    expect((await ask(`${server.v3}/topics/team-a.logs`, as(token, { method: "DELETE" }))).status).toBe(204);
    expect((await ask(`${server.v3}/topics/orders`, as(token, { method: "DELETE" }))).status).toBe(403);
  });

  test("a token in the query is refused, and so is any other kind of credentials", async () => {
    const token = await tokenWith([onTopics("", "read")]);
    const url = `${server.url}/topics/clicks/partitions/0/records`;
    expect((await ask(`${url}?access_token=${token}`)).status).toBe(401);
    expect((await ask(`${url}?access_token=${token}`, as(token))).body).toMatchObject({ code: "invalid_request" });
    for (const authorization of [token, `Basic ${btoa(`x:${token}`)}`, "Bearer", `Bearer ${token} ${token}`, `Token ${token}`]) {
      const { status, body } = await ask(url, { headers: { authorization } });
      expect([status, body.code, JSON.stringify(body).includes(token)]).toEqual([401, "unauthenticated", false]);
    }
    expect((await ask(url, { headers: { authorization: `bearer  ${token}` } })).status).toBe(200);
  });

  test("a wrong token is refused without being repeated, before the body is read", async () => {
    const wrong = `bkl_aaaaaaaa_${"a".repeat(32)}`;
    const { status, body } = await ask(`${server.url}/topics/clicks/records`, as(wrong, jsonInit("{not json")));
    expect([status, body.message]).toEqual([401, "the token is not valid here: it is mistyped, unknown or revoked"]);
    const reply = await speak(server.port, [
      `POST /topics/clicks/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${wrong}\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n`,
    ]);
    expect(reply).toMatch(/^HTTP\/1.1 401 /);
    expect(reply).toMatch(/connection: close/i);
  });

  test("an expired token is refused to the millisecond, and its holder is told when it was", async () => {
    const token = await tokenWith([onTopics("", "read")], clock.nowMs() + 60_000);
    const url = `${server.url}/topics/clicks/partitions/0/records`;
    expect((await ask(url, as(token))).status).toBe(200);
    aheadMs += 60_000;
    const { status, body } = await ask(url, as(token));
    expect([status, body.message]).toEqual([
      401,
      expect.stringMatching(/^the token "test" expired at \d{4}-.*Z: ask for a new one$/),
    ]);
  });

  test("a token is made, listed and revoked over HTTP, and refused from then on", async () => {
    const admin = await tokenWith([{ resource: "cluster", operations: ["admin"] }]);
    const spec = {
      name: "shop",
      grants: [{ resource: "topic", prefix: "clicks", operations: ["read"] }],
      expires_at: "2999-01-01T00:00:00Z",
    };
    const made = await ask(`${server.url}/v1/tokens`, as(admin, jsonInit(spec)));
    expect(made.status).toBe(201);
    expect(made.headers.get("cache-control")).toBe("no-store");
    const { token, ...shown } = made.body;
    expect(shown).toMatchObject({ name: "shop", grants: spec.grants, expires_at: "2999-01-01T00:00:00.000Z" });
    const url = `${server.url}/topics/clicks/partitions/0/records`;
    expect((await ask(url, as(token))).status).toBe(200);
    const listed = await ask(`${server.url}/v1/tokens`, as(admin));
    expect(listed.body.tokens).toContainEqual(shown);
    expect(JSON.stringify(listed.body)).not.toContain(token.split("_")[2]);
    expect((await ask(`${server.url}/v1/tokens/${shown.token_id}`, as(admin, { method: "DELETE" }))).status).toBe(204);
    expect((await ask(url, as(token))).status).toBe(401);
    const again = await ask(`${server.url}/v1/tokens/${shown.token_id}`, as(admin, { method: "DELETE" }));
    expect([again.status, again.body.code]).toEqual([404, "not_found"]);
  });

  test("what is wrong with a token that is asked for is named by its field", async () => {
    const admin = await tokenWith([{ resource: "cluster", operations: ["admin"] }]);
    const grant = { resource: "topic", prefix: "", operations: ["read"] };
    for (const [spec, field] of [
      [{ grants: [grant] }, "name"],
      [{ name: "x", grants: [{ ...grant, operations: ["fly"] }] }, "grants[0].operations[0]"],
      [{ name: "x", grants: [{ ...grant, pattern: "*" }] }, "grants[0].pattern"],
      [{ name: "x", grants: [{ ...grant, prefix: "a*" }] }, "grants[0].prefix"],
      [{ name: "x", grants: [grant], expires_at: 5 }, "expires_at"],
      [{ name: "x", grants: [grant], expires_at: "tomorrow" }, "expires_at"],
    ] as const) {
      const { status, body } = await ask(`${server.url}/v1/tokens`, as(admin, jsonInit(spec)));
      expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
    }
  });

  test("a stream of events breaks off after its token was revoked", async () => {
    const made = await server.tokens.create({ name: "listener", grants: [onTopics("", "read")] });
    const response = await fetch(`${server.url}/topics/orders/events`, as(made.token));
    expect(response.status).toBe(200);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const ended = (async () => {
      let text = "";
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return { text, broken: false };
          text += Buffer.from(value).toString();
        }
      } catch {
        return { text, broken: true };
      }
    })();
    const say = (value: string) => server.log.append({ topic: "orders", partition: 0, batches: batch([value]) });
    await say("before");
    await server.tokens.revoke(made.id);
    aheadMs += 1000;
    await say("after");
    const { text, broken } = await ended;
    expect(broken).toBe(true);
    expect(text).not.toContain("after");
  });

  test("the same is asked where Lambda calls", async () => {
    expect((await server.lambda("/topics/clicks/partitions/0/records")).status).toBe(401);
    const token = await tokenWith([onTopics("clicks", "read")]);
    expect((await server.lambda("/topics/clicks/partitions/0/records", as(token))).status).toBe(200);
    expect((await server.lambda("/topics/orders/partitions/0/records", as(token))).status).toBe(403);
  });

  test("a browser's preflight is answered without a token, so that it may send one", async () => {
    const own = await startTestServer({ auth: "token", cors: ["https://app.example"] });
    try {
      const { status, headers } = await ask(`${own.url}/topics/clicks/records`, {
        method: "OPTIONS",
        headers: {
          origin: "https://app.example",
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization",
        },
      });
      expect([status, headers.get("access-control-allow-headers")]).toEqual([204, "authorization"]);
    } finally {
      await own.close();
    }
  });

  test("nobody is asked where that was not asked for", async () => {
    const own = await startTestServer();
    try {
      expect((await ask(`${own.url}/v3/clusters`)).status).toBe(200);
      expect((await ask(`${own.url}/v3/clusters`, as("nonsense"))).status).toBe(200);
    } finally {
      await own.close();
    }
  });
});
