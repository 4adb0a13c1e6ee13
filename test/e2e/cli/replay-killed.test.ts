import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Brokerless, text } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "../client/server.ts";
import { start } from "./process.ts";

let server: RunningServer;
let client: Brokerless;
let folder: string;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url });
  folder = await mkdtemp(join(tmpdir(), "brokerless-replay-"));
  await client.admin.createTopic({ name: "source", partitions: 2 });
  await using producer = client.producer();
  const value = "x".repeat(2000);
  for (let i = 0; i < 10; i++) {
    await producer.sendBatch(
      Array.from({ length: 1000 }, (_, j) => ({ topic: "source", key: `k${j % 50}`, value: `${i * 1000 + j}-${value}` })),
    );
  }
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

async function read(topic: string): Promise<string[]> {
  const records = [];
  for await (const record of client.reader({ topic, follow: false })) {
    records.push(
      `${record.partition} ${record.offset} ${text(record.key)} ${record.timestampMs} ${text(record.value)?.split("-")[0]}`,
    );
  }
  return records.sort();
}

/** Starts the command again and again, and kills it at another moment each time, until it ends by itself. */
async function runUntilDone(args: readonly string[]): Promise<number> {
  for (let kills = 0; ; kills++) {
    const running = start([...args, "--url", server.url]);
    // Later each time, so that it ends at last; the first ones hit the start, the slices and what is between them.
    const timer = setTimeout(() => running.child.kill("SIGKILL"), 350 + kills * 60);
    const end = await running.ended;
    clearTimeout(timer);
    if (end === "SIGKILL") continue;
    expect(running.output.err).not.toContain("brokerless:");
    expect(end).toBe(0);
    return kills;
  }
}

test("a replay with --state that is killed at any moment leaves out nothing and doubles nothing", {
  timeout: 120_000,
}, async () => {
  await client.admin.createTopic({ name: "copy", partitions: 2 });
  const kills = await runUntilDone(["replay", "source", "--to-topic", "copy", "--state", join(folder, "state.json")]);
  expect(kills).toBeGreaterThan(0);
  expect(await read("copy")).toEqual(await read("source"));
});

test("the same into a topic with another number of partitions", { timeout: 120_000 }, async () => {
  await client.admin.createTopic({ name: "wide", partitions: 5 });
  await runUntilDone(["replay", "source", "--to-topic", "wide", "--by-key", "--state", join(folder, "wide.json")]);
  const values = (records: string[]) => records.map((record) => record.split(" ")[4]).sort();
  expect(values(await read("wide"))).toEqual(values(await read("source")));
});

test("a replay to a file that is killed at any moment goes on with --resume", { timeout: 120_000 }, async () => {
  const file = join(folder, "records.jsonl");
  await runUntilDone(["replay", "source", "--to-file", file, "--resume"]);
  await client.admin.createTopic({ name: "from-file", partitions: 2 });
  const produced = start(["produce", "from-file", "--json", file, "--url", server.url]);
  expect(await produced.ended).toBe(0);
  const content = (records: string[]) => records.map((record) => record.split(" ").toSpliced(1, 1).join(" ")).sort();
  expect(content(await read("from-file"))).toEqual(content(await read("source")));
});
