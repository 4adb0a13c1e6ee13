import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HTTP_ERRORS } from "../../../lib/http/index.ts";
import { ask, batch, createTopic, jsonInit, rawInit, speak, startTestServer, type TestServer } from "./harness.ts";

const PAGE = "https://app.example.com";

let server: TestServer;
let open: TestServer;
beforeAll(async () => {
  server = await startTestServer({ cors: [PAGE] });
  open = await startTestServer({ cors: ["*"] });
  await createTopic(server, "t");
  await ask(`${server.url}/topics/t/records`, rawInit(batch(["a", "b"])));
});
afterAll(async () => {
  expect(server.internalErrors).toEqual([]);
  await server.close();
  await open.close();
});

describe("HEAD", () => {
  test.each([
    "/health",
    "/openapi.json",
    "/topics/t/partitions/0/records",
    "/topics/t/partitions/0/records?stream=true",
    "/topics/t/events",
    "/nowhere",
  ])("%s answers as GET, without the body", async (path) => {
    const head = await fetch(server.url + path, { method: "HEAD", headers: { accept: "*/*" } });
    const controller = new AbortController();
    const get = await fetch(server.url + path, { signal: controller.signal });
    expect([head.status, head.headers.get("content-type")]).toEqual([get.status, get.headers.get("content-type")]);
    expect(await head.text()).toBe("");
    controller.abort();
  });
});

describe("CORS", () => {
  test("a page of an allowed origin may ask, preflight and read", async () => {
    const preflight = await fetch(`${server.url}/topics/t/records`, {
      method: "OPTIONS",
      headers: {
        origin: PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, idempotency-key",
      },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": PAGE,
      "access-control-allow-methods": "POST, OPTIONS",
      "access-control-allow-headers": "content-type, idempotency-key",
      vary: "origin",
    });
    const read = await fetch(`${server.url}/topics/t/partitions/0/records`, { headers: { origin: PAGE } });
    expect(read.headers.get("access-control-allow-origin")).toBe(PAGE);
    expect(read.headers.get("access-control-expose-headers")).toContain("kafka-next-offset");
    expect(read.headers.get("vary")).toContain("origin");
    expect((await ask(`${server.url}/topics/t/records`, jsonInit({ value: "v" }, { headers: { origin: PAGE } }))).status).toBe(
      200,
    );
  });

  test("a page of another origin can neither preflight nor write, nor see an answer", async () => {
    const origin = "https://evil.example.com";
    const preflight = await ask(`${server.url}/topics/t/records`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
    expect([preflight.status, preflight.body.code]).toEqual([403, "forbidden"]);
    const write = await ask(`${server.url}/topics/t/records`, jsonInit({ value: "v" }, { headers: { origin } }));
    expect([write.status, write.body.field]).toEqual([403, "Origin"]);
    const read = await fetch(`${server.url}/topics/t/partitions/0/records`, { headers: { origin } });
    expect(read.headers.get("access-control-allow-origin")).toBe(null);
  });

  test("the server's own pages may do everything", async () => {
    expect(
      (await ask(`${server.url}/topics/t/records`, jsonInit({ value: "v" }, { headers: { origin: server.url } }))).status,
    ).toBe(200);
  });

  test("every origin, when that is configured", async () => {
    const read = await fetch(`${open.url}/health`, { headers: { origin: "https://any.example.com" } });
    expect(read.headers.get("access-control-allow-origin")).toBe("*");
  });

  test("a plain OPTIONS tells the methods", async () => {
    const answer = await fetch(`${server.url}/topics/t/partitions/0/records`, { method: "OPTIONS" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([204, "POST, GET, HEAD, OPTIONS"]);
  });
});

describe("the connection", () => {
  test("a name that is not this machine's is refused: no page can point its own name here", async () => {
    const answer = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const sent = request(
        { host: "127.0.0.1", port: server.port, path: "/health", headers: { host: "rebound.example.com:8080" } },
        (response) => {
          let text = "";
          response.on("data", (piece) => {
            text += piece;
          });
          response.on("end", () => resolve({ status: response.statusCode, text }));
        },
      );
      sent.on("error", reject);
      sent.end();
    });
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "forbidden", field: "Host" });
  });

  test.each(["localhost", "127.0.0.1:1234", "[::1]:80", "LOCALHOST:8080", "x.localhost"])(
    "Host: %s is this machine's",
    async (host) => {
      expect(await speak(server.port, [`GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`], { until: "}" })).toMatch(
        /^HTTP\/1.1 200 /,
      );
    },
  );

  test("requests one after the other on a connection are answered in their order", async () => {
    const one = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const post = `POST /topics/t/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"value":"x"}`;
    const text = await speak(server.port, [one("/health") + post + one("/nowhere") + post + one("/health")], {
      until: /(status.*){2}/s,
    });
    expect([...text.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(["200", "200", "404", "200", "200"]);
  });

  test("a refusal that leaves a small body unread keeps the connection", async () => {
    const post = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n{"value":"x"}`;
    const get = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const text = await speak(server.port, [post("/topics/t/records") + post("/nowhere") + get], { until: '"ok"' });
    expect([...text.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(["415", "404", "200"]);
  });

  test("methods that are none of ours are answered, too", async () => {
    expect(await speak(server.port, ["PROPFIND /health HTTP/1.1\r\nHost: localhost\r\n\r\n"], { until: "}" })).toMatch(
      /^HTTP\/1.1 405 /,
    );
    expect(await speak(server.port, ["TRACE /health HTTP/1.1\r\nHost: localhost\r\n\r\n"], { until: "}" })).toMatch(
      /^HTTP\/1.1 (405|404) /,
    );
    const absolute = "GET http://localhost/v1/topics/t/partitions/0/offsets?at=earliest HTTP/1.1\r\nHost: localhost\r\n\r\n";
    expect(await speak(server.port, [absolute], { until: "}" })).toContain('"offset":0');
    expect(await speak(server.port, ["OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"], { until: /\r\n\r\n/ })).toMatch(
      /^HTTP\/1.1 4\d\d /,
    );
    expect(await speak(server.port, ["GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n"], { until: "}" })).toMatch(
      /^HTTP\/1.1 404 /,
    );
  });
});

describe("clients that go away", () => {
  test("at any moment, in any route, harm nobody", async () => {
    const chaotic = await startTestServer({ limits: { bodyIdleMs: 200, heartbeatMs: 20 } });
    await createTopic(chaotic, "t", 2);
    for (let i = 0; i < 20; i++) await ask(`${chaotic.url}/topics/t/partitions/0/records`, rawInit(batch(["x".repeat(100_000)])));
    const body = JSON.stringify({ records: Array.from({ length: 300 }, () => ({ value: "x".repeat(1000) })) });
    const post = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n`;
    const one = `{"value":"x"}`.repeat(2000);
    const requests = [
      post("/topics/t/records"),
      post("/topics/t/partitions/0/records"),
      post("/nowhere"),
      get("/topics/t/partitions/0/records?stream=true"),
      get("/topics/t/partitions/1/records?offset=latest&timeout=5000"),
      get("/topics/t/events"),
      get("/openapi.json"),
      `POST /v3/clusters/${chaotic.clusterId}/topics/t/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${one.length.toString(16)}\r\n${one}\r\n`,
    ];
    await Promise.all(
      Array.from({ length: 160 }, (_, i) => {
        const request = requests[i % requests.length] as string;
        const cut = i % 3 === 0 ? Math.floor((request.length * (i % 7)) / 7) : request.length;
        return speak(chaotic.port, [request.slice(0, cut), -1 - (i % 20)]);
      }),
    );
    expect((await ask(`${chaotic.url}/health`)).status).toBe(200);
    expect(chaotic.internalErrors).toEqual([]);
    await chaotic.close();
  });
});

describe("metrics and description", () => {
  test("requests are counted by operation and status, and their time is measured", async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/brokerless_http_requests_total\{operation="produceToTopic",status="200"\} \d+/);
    expect(text).toMatch(/brokerless_http_request_duration_ms_bucket\{operation="produceToTopic",status="200",le="\+Inf"\} \d+/);
    expect(text).toMatch(/# TYPE brokerless_http_request_duration_ms histogram/);
  });

  test("every route is described, with the errors' shape", async () => {
    const { body } = await ask(`${server.url}/openapi.json`);
    expect(body.openapi).toBe("3.1.0");
    const operations = Object.values(body.paths).flatMap((methods) => Object.values(methods as object)) as {
      operationId: string;
    }[];
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    expect(operations.length).toBeGreaterThan(25);
    expect(body.components.schemas.Error.properties.code.enum.toSorted()).toEqual(Object.keys(HTTP_ERRORS).toSorted());
    const { parameters } = body.paths["/topics/{topic}/partitions/{partition}/records"].get;
    expect(parameters.find(({ name }: { name: string }) => name === "max_bytes").schema).toMatchObject({
      type: "integer",
      minimum: 1,
    });
  });

  test("what is asked while the server stops is told so", async () => {
    const stopping = await startTestServer();
    stopping.stopping.abort();
    const answer = await ask(`${stopping.url}/health`);
    expect([answer.status, answer.body.code, answer.headers.get("connection")]).toEqual([503, "shutting_down", "close"]);
    await stopping.close();
  });
});
