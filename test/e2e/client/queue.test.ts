/** Queues, by the client, over a real server. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Brokerless, type Job, text } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { brokerless } from "../cli/run.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
let client: Brokerless;
let topic: string;
let made = 0;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url });
});
afterAll(() => server.close());
beforeEach(async () => {
  topic = `q${++made}`;
  await client.admin.createTopic({ name: topic, partitions: 2 });
});

async function produce(values: readonly string[]): Promise<void> {
  const producer = client.producer();
  await Promise.all(values.map((value) => producer.send({ topic, key: value, value, headers: [{ key: "h", value }] })));
  await producer.close();
}

test("a loop takes each message once, with key, value and headers, and acknowledges it", async () => {
  await produce(["a", "b", "c"]);
  const seen: unknown[] = [];
  for await (const job of client.queue({ group: topic, topics: topic })) {
    seen.push([text(job.key), text(job.value), job.headers.map(({ key, value }) => [key, text(value)]), job.deliveryCount]);
    await job.ack();
    if (seen.length === 3) break;
  }
  expect(seen.sort()).toEqual(["a", "b", "c"].map((one) => [one, one, [["h", one]], 1]));
  expect(await client.queues.stats(topic)).toMatchObject({ depth: 0, inFlight: 0 });
});

test("a loop that is left gives back what it was not handed", async () => {
  await produce(["a", "b", "c", "d"]);
  let first: Job | undefined;
  for await (const job of client.queue({ group: topic, topics: topic })) {
    first = job;
    break;
  }
  const { messages } = await client.queues.receive(topic, { topics: [topic] });
  expect(messages).toHaveLength(3);
  await first?.ack();
  const receipts = messages.map(({ receipt }) => receipt);
  expect(await client.queues.settle(topic, "ack", receipts)).toEqual([undefined, undefined, undefined]);
  await expect(first?.release()).rejects.toMatchObject({ code: "invalid_record_state" });
  expect(first?.signal.aborted).toBe(true);
});

test("workers side by side do all of it, and what one throws at comes again", async () => {
  await produce(Array.from({ length: 40 }, (_, i) => `${i}`));
  const stop = new AbortController();
  const counts = new Map<string, number>();
  let atOnce = 0;
  let most = 0;
  const queue = client.queue({ group: topic, topics: topic, signal: stop.signal, prefetch: 5 });
  const done = new Set<string>();
  await queue.work(
    async (job) => {
      most = Math.max(most, ++atOnce);
      await new Promise((go) => setImmediate(go));
      atOnce--;
      const value = text(job.value) as string;
      counts.set(value, (counts.get(value) ?? 0) + 1);
      expect(job.deliveryCount).toBe(counts.get(value));
      if (value === "7" && job.deliveryCount < 3) throw new Error("not yet");
      done.add(value);
      if (done.size === 40) stop.abort();
    },
    { concurrency: 4 },
  );
  expect(most).toBeGreaterThan(1);
  expect([...counts].filter(([, count]) => count !== 1)).toEqual([["7", 3]]);
});

test("options that cannot be are refused", () => {
  expect(() => client.queue({ group: "g", topics: [] })).toThrow("topics must name one at least");
  expect(() => client.queue({ group: "g", topics: "t", visibilityTimeoutMs: 1 })).toThrow("from 15,000 to 60,000");
});

test("the command line takes, settles, tells and redrives", async () => {
  await produce(["good", "bad"]);
  const run = async (args: string) => {
    const ran = await brokerless(args.split(" "), { url: server.url });
    expect([ran.code, ran.err]).toEqual([0, expect.not.stringContaining("brokerless:")]);
    return ran.out;
  };
  await client.groups.alterConfigs(topic, { "errors.deadletterqueue.topic.name": `${topic}.dead` });
  const printed = (await run(`queue receive ${topic} --topic ${topic} --json`))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const receiptOf = (value: string): string => printed.find((one) => one.value === value).receipt;
  expect(JSON.parse(await run(`queue ack ${topic} ${receiptOf("good")} --json`))).toMatchObject({ settled: 1 });
  await run(`queue reject ${topic} ${receiptOf("bad")}`);
  expect(JSON.parse(await run(`queue stats ${topic} --json`))).toMatchObject({ depth: 0, in_flight: 0, dead_letters: 1 });
  const listed = JSON.parse(await run("queue list --json")).find((one: { group: string }) => one.group === topic);
  expect(listed).toMatchObject({ topic, depth: 0, in_flight: 0, dead_letters: 1, oldest_age_ms: null, partitions: 2 });
  const [head, row] = (await run(`lag ${topic}`)).trim().split("\n");
  expect(head?.split(/ +/)).toEqual(["GROUP", "TOPIC", "DEPTH", "IN-FLIGHT", "PARKED", "DYING", "DEAD-LETTERS", "OLDEST"]);
  expect(row?.split(/ +/)).toEqual([topic, topic, "0", "0", "0", "0", "1", "-"]);
  expect(await run(`queue redrive ${topic}`)).toBe("1 redriven, 0 skipped, 0 failed\n");
  expect(await run(`queue receive ${topic} --topic ${topic} --ack`)).toMatch(/\tbad\n$/);
  const late = await brokerless(["queue", "release", topic, receiptOf("good")], { url: server.url });
  expect([late.code, late.err]).toEqual([1, expect.stringContaining("brokerless: share group")]);
  expect((await brokerless(["queue", "receive", topic], { url: server.url })).code).toBe(2);
});
