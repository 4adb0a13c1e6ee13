/** The notifiers of docs/lag.md, run as they stand there: a server is given the list, and the receiver checks what comes. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Brokerless } from "../../../lib/client/index.ts";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";

const SECRET = "a secret of the test's own";

let folder: string;
let server: RunningServer | undefined;
let receiver: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "brokerless-notify-"));
});
afterEach(async () => {
  await server?.close();
  receiver?.kill();
  await rm(folder, { recursive: true, force: true });
});

async function block(language: string, word: string): Promise<string> {
  const page = await readFile("docs/lag.md", "utf8");
  const found = [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, text = ""]) => text);
  const one = found.find((text) => text.includes(word));
  if (one === undefined) throw new Error(`docs/lag.md has no block of ${language} with ${word}`);
  return one;
}

/** Answers the port that the receiver of the page took, and the lines that it says. */
async function receive(secret: string): Promise<{ port: number; lines: string[] }> {
  const program = join(folder, "receiver.ts");
  const text = await block("ts", "createServer");
  const listening = '.listen(0, "127.0.0.1", function () { console.log(this.address().port); });';
  await writeFile(program, text.replace('.listen(9200, "127.0.0.1");', listening));
  const lines: string[] = [];
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, LAG_SECRET: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  receiver = child;
  child.stdout.on("data", (data) => lines.push(...String(data).trim().split("\n")));
  await expect.poll(() => lines.length, { timeout: 20_000 }).toBe(1);
  return { port: Number(lines.shift()), lines };
}

async function serve(port: number, secret: string, said: string[]): Promise<Brokerless> {
  const list = (await block("json", '"pager"')).replace("9200", String(port));
  await writeFile(join(folder, "notifiers.json"), list);
  await writeFile(join(folder, "lag.secret"), `${secret}\n`);
  server = await startServer({
    storage: "memory",
    http: { host: "127.0.0.1", port: 0 },
    notifiers: join(folder, "notifiers.json"),
    lagIntervalMs: 100,
    onLine: (line) => said.push(line),
  });
  return new Brokerless({ url: server.url });
}

async function commit(group: string, offset: number): Promise<void> {
  const response = await fetch(`${server?.url}/v1/groups/${group}/offsets`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ offsets: [{ topic: "t", partition: 0, offset }] }),
  });
  expect(response.status, await response.text()).toBe(200);
}

test("the pager is told of a group that is in trouble and of its end, signed with the secret", { timeout: 60_000 }, async () => {
  const { port, lines } = await receive(SECRET);
  const client = await serve(port, SECRET, []);
  await client.admin.createTopic({ name: "t" });
  await client.producer().send({ topic: "t", value: "x" });
  await commit("billing", 5);
  await expect
    .poll(() => lines, { timeout: 20_000 })
    .toContain("group billing is ERR: 0 records and 0 s behind; t-0 is ERR, 0 records behind");
  await commit("billing", 1);
  await expect.poll(() => lines, { timeout: 20_000 }).toContain("group billing is OK again: 0 records and 0 s behind");
  expect(lines).toHaveLength(2);
});

test("a receiver with another secret refuses what comes, and the server says so", { timeout: 60_000 }, async () => {
  const said: string[] = [];
  const { port, lines } = await receive("another secret altogether");
  const client = await serve(port, SECRET, said);
  await client.admin.createTopic({ name: "t" });
  await commit("billing", 5);
  await expect
    .poll(() => said, { timeout: 20_000 })
    .toContain(`notifier pager could not tell of group billing, and tries again: 127.0.0.1:${port} answers 401`);
  expect(lines).toEqual([]);
});

test.each([
  [{ notifiers: "/nowhere/notifiers.json" }, "notifiers: /nowhere/notifiers.json cannot be read (ENOENT)"],
  [{ notifiers: "package.json", jobs: false }, "this server runs no jobs"],
  [{ notifiers: "package.json" }, "package.json: must hold a JSON list of notifiers: Invalid input: expected array"],
])("a server does not start with %j", async (config, message) => {
  await expect(startServer({ storage: "memory", http: { host: "127.0.0.1", port: 0 }, ...config })).rejects.toThrow(message);
});
