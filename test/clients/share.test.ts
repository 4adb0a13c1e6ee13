/**
 * Share groups (KIP-932) with Kafka's own client and tools: records that are accepted, released, rejected and renewed; two workers of one
 * partition; the console consumer; groups listed, described, reset and deleted. Over TCP, and through the tunnel.
 */
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from "vitest";
import { installKafka } from "../../.ci/clients/install.ts";
import { overTcp, throughTunnel, type Way } from "../e2e/kafka/ways.ts";
import { batchOf } from "../unit/log/support.ts";
import { run } from "./run.ts";

const WORKER = new URL("ShareWorker.java", import.meta.url).pathname;
const PATIENCE = { timeout: 50_000, interval: 100 };
const TOOLS = "org.apache.kafka.tools";

const kafka = installKafka();
kafka.catch(() => {});
beforeAll(async () => {
  await Promise.allSettled([kafka]);
});

describe.each([
  ["over TCP", overTcp],
  ["through the tunnel", throughTunnel],
] as const)("%s", (_name, open) => {
  let way: Way;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(() => way.close());

  async function java(context: TestContext, program: readonly string[], input = ""): Promise<string> {
    const installed = await kafka;
    if (installed.missing !== undefined) return context.skip(installed.missing);
    return run("java", ["-Xmx256m", ...program], { env: { CLASSPATH: installed.classPath }, input });
  }

  function tool(context: TestContext, name: string, args: readonly string[], input = ""): Promise<string> {
    return java(context, [name, "--bootstrap-server", way.broker, ...args], input);
  }

  /** Its group begins at the earliest record. */
  async function newGroup(group: string, partitions = 1): Promise<void> {
    await way.server.log.createTopic({ name: group, partitions });
    const configs = [{ name: "share.auto.offset.reset", operation: "SET", value: "earliest" }];
    const answer = await fetch(`${way.server.url}/v1/groups/${group}/configs:alter`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ data: configs }),
    });
    expect(answer.ok).toBe(true);
  }

  async function produce(topic: string, values: readonly string[]): Promise<void> {
    await way.server.log.append({ topic, partition: 0, batches: batchOf(values) });
  }

  /** Runs `ShareWorker` until so many records are finished: what it did, in order. */
  async function work(context: TestContext, topic: string, records: number, workers: number) {
    const out = await java(context, [WORKER, way.broker, topic, topic, `${records}`, `${workers}`]);
    const lines = out.trim().split("\n");
    return {
      locks: lines.filter((line) => / lock /.test(line)).map((line) => line.split(" ")[2]),
      done: lines
        .filter((line) => !/ lock /.test(line))
        .map((line) => {
          const [worker, offset, deliveries, value, type] = line.split(" ") as [string, string, string, string, string];
          return { worker, offset: Number(offset), deliveries: Number(deliveries), value, type };
        }),
    };
  }

  async function state(group: string): Promise<{ depth: number; in_flight: number; dead_letters: number }> {
    return (await fetch(`${way.server.url}/v1/queues/${group}`)).json() as never;
  }

  test("KafkaShareConsumer accepts, releases, rejects and renews records", async (context) => {
    await newGroup("kinds");
    await produce("kinds", ["accept-0", "release-1", "reject-2", "renew-3", "accept-4"]);
    const { done, locks } = await work(context, "kinds", 5, 1);
    expect(locks).toEqual(["30000"]);
    const told = done.map(({ offset, deliveries, type }) => `${offset} ${deliveries} ${type}`);
    expect(told.toSorted()).toEqual([
      "0 1 accept",
      "1 1 release",
      "1 2 accept",
      "2 1 reject",
      "3 1 accept",
      "3 1 renew",
      "4 1 accept",
    ]);
    expect(await state("kinds")).toMatchObject({ depth: 0, in_flight: 0, dead_letters: 1 });
  });

  test("two KafkaShareConsumers work on one partition, and no record is given to both", async (context) => {
    await newGroup("two");
    const count = 300;
    for (let i = 0; i < count; i += 10)
      await produce(
        "two",
        Array.from({ length: 10 }, (_, j) => `v${i + j}`),
      );
    const { done } = await work(context, "two", count, 2);
    expect(done.every(({ deliveries, type }) => deliveries === 1 && type === "accept")).toBe(true);
    expect(done.map(({ offset }) => offset).toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(new Set(done.map(({ worker }) => worker)).size).toBe(2);
  });

  test("a member is described while it works, with the partitions that it reads", async (context) => {
    await newGroup("members", 2);
    const working = work(context, "members", 1, 1);
    try {
      const show = ["--describe", "--group", "members", "--members"];
      await vi.waitFor(async () => {
        const shown = await tool(context, `${TOOLS}.consumer.group.ShareGroupCommand`, show);
        expect(shown).toMatch(/^members\s.*worker-0.*members:0,1/m);
      }, PATIENCE);
    } finally {
      await produce("members", ["accept"]);
      expect((await working).done).toHaveLength(1);
    }
  });

  test("the console share consumer reads what the console producer wrote; the group is listed, described, reset and deleted", {
    timeout: 170_000,
  }, async (context) => {
    await newGroup("tools", 2);
    await tool(context, `${TOOLS}.ConsoleProducer`, ["--topic", "tools"], "a\nb\nc\n");
    const read = ["--topic", "tools", "--group", "tools", "--max-messages", "3", "--timeout-ms", "30000"];
    const formatted = [...read, "--formatter-property", "print.delivery=true"];
    const shown = await tool(context, `${TOOLS}.consumer.ConsoleShareConsumer`, formatted);
    expect(shown.trim().split("\n").toSorted()).toEqual(["Delivery:1\ta", "Delivery:1\tb", "Delivery:1\tc"]);

    const groups = (...args: string[]) => tool(context, `${TOOLS}.consumer.group.ShareGroupCommand`, args);
    const group = ["--group", "tools"];
    expect(await groups("--list")).toMatch(/^tools$/m);
    expect(await groups("--list", "--state", "empty")).toMatch(/^tools\s+Empty/m);
    expect(await groups("--describe", ...group, "--state")).toMatch(/^tools\s.*\sEmpty\s+0/m);
    const described = async (): Promise<number[][]> =>
      [...(await groups("--describe", ...group, "--offsets")).matchAll(/^tools\s+tools\s+\d\s+(\d+)\s+(\d+)/gm)]
        .map(([, start, lag]) => [Number(start), Number(lag)])
        .toSorted(([a = 0], [b = 0]) => a - b);
    expect(await described()).toEqual([
      [0, 0],
      [3, 0],
    ]);
    const reset = ["--reset-offsets", ...group, "--topic", "tools", "--to-earliest"];
    expect(await groups(...reset, "--dry-run")).toMatch(/^tools\s+tools\s+1\s+0/m);
    expect((await described()).at(-1)).toEqual([3, 0]);
    await groups(...reset, "--execute");
    expect((await described()).reduce((sum, [, lag = 0]) => sum + lag, 0)).toBe(3);
    expect((await tool(context, `${TOOLS}.consumer.ConsoleShareConsumer`, read)).trim().split("\n").toSorted()).toEqual([
      "a",
      "b",
      "c",
    ]);
    expect(await groups("--delete-offsets", ...group, "--topic", "tools")).toMatch(/^tools\s+Successful/m);
    expect(await groups("--delete", ...group)).toContain("successful");
    expect(await groups("--list")).not.toMatch(/^tools$/m);
  });
});
