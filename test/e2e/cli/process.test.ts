import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Brokerless } from "../../../lib/client/index.ts";
import { type Running, start } from "./process.ts";

let folder: string;
const running: Running[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "brokerless-serve-"));
});
afterEach(async () => {
  for (const one of running.splice(0)) {
    one.child.kill("SIGKILL");
    await one.ended;
  }
});
afterAll(() => rm(folder, { recursive: true }));

function run(args: readonly string[], env: Record<string, string> = {}): Running {
  const one = start(args, env);
  running.push(one);
  return one;
}

async function serve(args: readonly string[] = ["--storage", "memory"]): Promise<Running & { url: string }> {
  const server = run(["serve", "--http", "127.0.0.1:0", "--json", ...args]);
  await server.says('"listening"');
  return { ...server, url: JSON.parse(server.output.out.split("\n")[0] as string).url as string };
}

describe("serve", () => {
  test("says where it listens and what to try, which works, and stops with 0 on Ctrl-C", async () => {
    const server = run(["serve", "--http", "127.0.0.1:0", "--data", join(folder, "a")]);
    await server.says("Ctrl-C stops it.");
    expect(server.output.out).toMatch(
      /^Brokerless listens on http:\/\/127\.0\.0\.1:\d+ \(one copy on this machine.*; in .*a\)\n/,
    );
    const commands = server.output.out.split("\n").filter((line) => line.startsWith("  "));
    expect(commands).toHaveLength(3);
    for (const command of commands) {
      const shell = spawn("sh", ["-c", command.replaceAll("brokerless ", `${process.execPath} bin/brokerless.ts `)]);
      let out = "";
      shell.stdout.on("data", (data) => (out += data));
      const [code] = await once(shell, "close");
      expect(code).toBe(0);
      if (command.includes("consume")) expect(out).toBe("hello, world\n");
    }
    server.child.kill("SIGINT");
    expect(await server.ended).toBe(0);
    expect(server.output.err).toContain("stopped");
  });

  test("keeps what it has acknowledged over a stop and a kill", async () => {
    const data = ["--data", join(folder, "b")];
    for (const [round, signal] of (["SIGTERM", "SIGKILL", "SIGINT"] as const).entries()) {
      const server = await serve(data);
      const client = new Brokerless({ url: server.url });
      if (round === 0) await client.admin.createTopic({ name: "kept" });
      await using producer = client.producer();
      expect(await producer.send({ topic: "kept", value: `round ${round}` })).toMatchObject({ offset: round });
      server.child.kill(signal);
      expect(await server.ended).toBe(signal === "SIGKILL" ? "SIGKILL" : 0);
    }
  });

  test("lets a request finish, and a second Ctrl-C does not wait for it", async () => {
    const server = await serve();
    const client = new Brokerless({ url: server.url });
    await client.admin.createTopic({ name: "t" });
    const slow = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("{")) });
    const request = fetch(`${server.url}/topics/t/partitions/0/records`, {
      method: "POST",
      body: slow,
      duplex: "half",
    } as RequestInit).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    server.child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(server.child.exitCode).toBeNull();
    server.child.kill("SIGINT");
    expect(await server.ended).toBe(130);
    await request;
  });

  test("flags go before the environment, that before the config file", async () => {
    const config = join(folder, "config.json");
    await writeFile(config, JSON.stringify({ storage: "tape", http: "127.0.0.1:0", shutdownTimeoutMs: 100 }));
    expect(await run(["serve", "--config", config]).ended).toBe(2);
    const server = run(["serve", "--config", config, "--json"], {
      BROKERLESS_STORAGE: "memory",
      BROKERLESS_URL: "http://x",
      BROKERLESS_HTTP: "nowhere",
    });
    expect(await server.ended).toBe(2);
    expect(server.output.err).toContain("BROKERLESS_HTTP");
    const works = run(["serve", "--config", config, "--json", "--http", "127.0.0.1:0"], {
      BROKERLESS_STORAGE: "memory",
      BROKERLESS_HTTP: "nowhere",
    });
    await works.says("listening");
    const unknown = run(["serve", "--config", config], { BROKERLESS_STORAGES: "memory" });
    expect(await unknown.ended).toBe(2);
    expect(unknown.output.err).toContain("BROKERLESS_STORAGES is not known");
  });

  test("a port that is taken, and a folder that is in use, are told in one line", async () => {
    const server = await serve(["--data", join(folder, "c")]);
    const taken = run(["serve", "--http", server.url.replace("http://", ""), "--data", join(folder, "d")]);
    expect(await taken.ended).toBe(2);
    expect(taken.output.err).toMatch(/^brokerless: .*\d+.*\n$/);
    const inUse = run(["serve", "--http", "127.0.0.1:0", "--data", join(folder, "c")]);
    expect(await inUse.ended).toBe(1);
    expect(inUse.output.err).toMatch(/^brokerless: .*in use.*\n$/);
  });
});

describe("signals and pipes", () => {
  test("Ctrl-C ends consume with a summary and 130", async () => {
    const server = await serve();
    const client = new Brokerless({ url: server.url });
    await client.admin.createTopic({ name: "t" });
    await using producer = client.producer();
    await producer.send({ topic: "t", value: "hello" });
    const consume = run(["consume", "t", "--url", server.url]);
    await consume.says("hello");
    consume.child.kill("SIGINT");
    expect(await consume.ended).toBe(130);
    expect(consume.output.err).toMatch(/^1 record, 6 B in /);
  });

  test("Ctrl-C ends produce after what was read is written", async () => {
    const server = await serve();
    const client = new Brokerless({ url: server.url });
    await client.admin.createTopic({ name: "t" });
    const produce = run(["produce", "t", "-T", "--url", server.url]);
    produce.child.stdin?.write("one\ntwo\n");
    await produce.says("two");
    produce.child.kill("SIGTERM");
    expect(await produce.ended).toBe(143);
    expect(produce.output.err).toMatch(/^2 records, 6 B to t in /);
    expect((await client.admin.partitions("t"))[0]?.logEndOffset).toBe(2);
  });

  test("a reader of the output that goes away ends it quietly", async () => {
    const server = await serve();
    const client = new Brokerless({ url: server.url });
    await client.admin.createTopic({ name: "t" });
    await using producer = client.producer();
    await producer.sendBatch(Array.from({ length: 50_000 }, (_, i) => ({ topic: "t", value: `${i} ${"x".repeat(100)}` })));
    const shell = spawn("sh", ["-c", `${process.execPath} bin/brokerless.ts consume t --url ${server.url} | head -n 2`]);
    let out = "";
    let err = "";
    shell.stdout.on("data", (data) => (out += data));
    shell.stderr.on("data", (data) => (err += data));
    await once(shell, "close");
    expect(out.split("\n").map((line) => line.split(" ")[0])).toEqual(["0", "1", ""]);
    expect(err).toBe("");
  });
});
