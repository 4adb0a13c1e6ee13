import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type RunningServer, type ServerOptions, startServer } from "../../../lib/server/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { ask, jsonInit, speak } from "./harness.ts";

const running: RunningServer[] = [];

async function start(options: ServerOptions = {}): Promise<RunningServer> {
  const server = await startServer({ storage: "memory", http: { host: "127.0.0.1", port: 0 }, ...options });
  running.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

describe("start", () => {
  test("it listens, is ready, and says where", async () => {
    const server = await start();
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect((await ask(`${server.url}/health`)).body).toEqual({ status: "ok", cluster_id: server.clusterId });
    expect(server.durability).toContain("memory");
    expect((await ask(`${server.url}/openapi.json`)).body.info.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("over an open storage, whose records it finds again", async () => {
    const storage = memoryStorage({ clock: systemClock });
    let closed = 0;
    const kept = { ...storage, close: async () => void closed++ };
    const first = await start({ storage: kept });
    await first.log.createTopic({ name: "t" });
    await ask(`${first.url}/topics/t/records`, jsonInit({ value: "v" }));
    await first.close();
    expect(closed).toBe(1);
    const second = await start({ storage: kept });
    expect((await ask(`${second.url}/topics/t/partitions/0/records`)).body.records).toHaveLength(1);
    expect(second.clusterId).toBe(first.clusterId);
  });

  test("over a log that is given, which stays the caller's", async () => {
    const { log } = await start();
    const other = await start({ log });
    expect((await ask(`${other.url}/health`)).status).toBe(200);
    await other.close();
    expect(await log.listTopics()).toEqual([]);
  });

  test("a port that is taken is one clear line", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await new Promise((go) => blocker.once("listening", go));
    const { port } = blocker.address() as { port: number };
    await expect(start({ http: { host: "127.0.0.1", port } })).rejects.toMatchObject({
      code: "invalid_config",
      message: `cannot listen on 127.0.0.1:${port}: another program listens there already; stop it, or choose another port with --http`,
    });
    blocker.close();
  });

  test("an address that others reach is not opened without insecure, before anything else is", async () => {
    const wide = { http: { host: "0.0.0.0", port: 0 }, data: "/nowhere/at/all", auth: "none" } as const;
    await expect(startServer(wide)).rejects.toMatchObject({ code: "invalid_config", field: "http" });
    const open = await start({ http: { host: "0.0.0.0", port: 0 }, insecure: true });
    expect(await speak(open.port, ["GET /health HTTP/1.1\r\nHost: any.example.com\r\n\r\n"], { until: "}" })).toContain("200 OK");
  });

  test("an address that others reach asks for tokens, and so does any that is told to", async () => {
    for (const options of [{ http: { host: "0.0.0.0", port: 0 } }, { auth: "token" } as const]) {
      const server = await start(options);
      expect(server).toMatchObject({ auth: "token", hasTokens: false });
      const call = `GET /v3/clusters HTTP/1.1\r\nHost: log.example.com\r\n\r\n`;
      expect(await speak(server.port, [call], { until: "}" })).toMatch(/^HTTP\/1\.1 401 .*www-authenticate: Bearer/is);
    }
  });

  test("a log alone has no place for tokens", async () => {
    const server = await start({});
    await expect(startServer({ log: server.log, auth: "token" })).rejects.toMatchObject({
      code: "invalid_config",
      field: "auth",
    });
  });

  test("an address that is not this machine's is said to be none", async () => {
    await expect(start({ http: { host: "192.0.2.1", port: 0 }, insecure: true })).rejects.toThrow(
      /this machine has no such address/,
    );
  });

  test("its limits are those of the configuration", async () => {
    const server = await start({ maxBodyBytes: 2000, cors: ["https://a.example"] });
    await server.log.createTopic({ name: "t" });
    expect((await ask(`${server.url}/topics/t/records`, jsonInit({ value: "x".repeat(3000) }))).status).toBe(413);
    const seen = await fetch(`${server.url}/health`, { headers: { origin: "https://a.example" } });
    expect(seen.headers.get("access-control-allow-origin")).toBe("https://a.example");
  });
});

describe("stop", () => {
  test("lets a request under way finish, ends long polls and streams at once, and takes no more", async () => {
    const server = await start();
    await server.log.createTopic({ name: "t" });
    const poll = ask(`${server.url}/topics/t/partitions/0/records?timeout=20000`);
    const events = fetch(`${server.url}/topics/t/events`).then((response) => response.text());
    const body = '{"value":"v"}';
    const upload = speak(server.port, [
      `POST /topics/t/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
      400,
      body.slice(5),
    ]);
    await new Promise((go) => setTimeout(go, 100));
    const begun = performance.now();
    const closing = server.close();
    expect(await poll).toMatchObject({ status: 200, body: { records: [] } });
    expect(await events).toContain("retry:");
    expect(performance.now() - begun).toBeLessThan(250);
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    expect(await upload).toMatch(/200 OK[\s\S]*connection: close[\s\S]*"base_offset":0/i);
    await closing;
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  test("cuts what does not finish in time", async () => {
    const server = await start({ shutdownTimeoutMs: 200 });
    await server.log.createTopic({ name: "t" });
    const stuck = speak(server.port, [
      "POST /topics/t/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ]);
    await new Promise((go) => setTimeout(go, 50));
    const begun = performance.now();
    await server.close();
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(await stuck).toBe("");
  });

  test("can be asked for twice", async () => {
    const server = await start();
    await Promise.all([server.close(), server.close()]);
  });
});
