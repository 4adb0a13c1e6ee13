/**
 * Share groups (KIP-932) with the clients that have them: records that are accepted, released, rejected and renewed; two workers of one
 * partition. With Kafka's own tools: the console consumer; groups listed, described, reset and deleted. Over TCP, and through the tunnel.
 */
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from "vitest";
import { installFranz, installKafka, installPython } from "../../.ci/clients/install.ts";
import { overTcp, throughTunnel, type Way } from "../e2e/kafka/ways.ts";
import { batchOf } from "../unit/log/support.ts";
import { run } from "./run.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const PATIENCE = { timeout: 50_000, interval: 100 };
const TOOLS = "org.apache.kafka.tools";

const kafka = installKafka();
const python = installPython();
const franz = installFranz(FOLDER);
for (const install of [kafka, python, franz]) install.catch(() => {});
beforeAll(async () => {
  await Promise.allSettled([kafka, python, franz]);
});

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Programs that all do and print the same: see `ShareWorker.java`. */
const WORKERS: Readonly<Record<string, () => Promise<Program | { readonly missing: string }>>> = {
  KafkaShareConsumer: async () => {
    const installed = await kafka;
    if (installed.missing !== undefined) return installed;
    return { command: "java", args: ["-Xmx256m", `${FOLDER}ShareWorker.java`], env: { CLASSPATH: installed.classPath } };
  },
  "confluent-kafka": async () => {
    const installed = await python;
    return installed.missing !== undefined ? installed : { command: installed.command, args: [`${FOLDER}share_worker.py`] };
  },
  "franz-go": async () => {
    const installed = await franz;
    return installed.missing !== undefined ? installed : { command: installed.command, args: [] };
  },
};
const CLIENTS = Object.keys(WORKERS);
/** What cannot renew a lock. */
const WITHOUT_RENEWAL = ["confluent-kafka"];

describe.each([
  ["over TCP", overTcp],
  ["through the tunnel", throughTunnel],
] as const)("%s", (_name, open) => {
  let way: Way;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(() => way.close());

  async function tool(context: TestContext, name: string, args: readonly string[], input = ""): Promise<string> {
    const installed = await kafka;
    if (installed.missing !== undefined) return context.skip(installed.missing);
    const program = ["-Xmx256m", name, "--bootstrap-server", way.broker, ...args];
    return run("java", program, { env: { CLASSPATH: installed.classPath }, input });
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

  /** Works until so many records are finished: what it did, in order. */
  async function work(context: TestContext, client: string, topic: string, records: number, workers: number) {
    const program = await WORKERS[client]?.();
    if (program === undefined || "missing" in program) return context.skip(program?.missing ?? `there is no ${client}`);
    const { command, args, env = {} } = program;
    const out = await run(command, [...args, way.broker, topic, topic, `${records}`, `${workers}`], { env });
    const lines = out.trim().split("\n");
    return lines.map((line) => {
      const [worker, offset, deliveries, , type] = line.split(" ");
      return { worker, offset: Number(offset), deliveries: Number(deliveries), type };
    });
  }

  async function state(group: string): Promise<{ depth: number; in_flight: number; dead_letters: number }> {
    return (await fetch(`${way.server.url}/v1/queues/${group}`)).json() as never;
  }

  test.for(CLIENTS)("%s accepts, releases, rejects and renews records", async (client, context) => {
    const topic = `kinds-${client}`;
    await newGroup(topic);
    const third = WITHOUT_RENEWAL.includes(client) ? "accept" : "renew";
    await produce(topic, ["accept", "release", "reject", third, "accept"]);
    const done = await work(context, client, topic, 5, 1);
    const told = done.map(({ offset, deliveries, type }) => `${offset} ${deliveries} ${type}`);
    expect(told.toSorted()).toEqual([
      "0 1 accept",
      "1 1 release",
      "1 2 accept",
      "2 1 reject",
      "3 1 accept",
      ...(third === "renew" ? ["3 1 renew"] : []),
      "4 1 accept",
    ]);
    expect(await state(topic)).toMatchObject({ depth: 0, in_flight: 0, dead_letters: 1 });
  });

  test.for(CLIENTS)("two of %s work on one partition, and no record is given to both", async (client, context) => {
    const topic = `two-${client}`;
    await newGroup(topic);
    const values = Array.from({ length: 300 }, (_, i) => `v${i}`);
    for (let i = 0; i < values.length; i += 10) await produce(topic, values.slice(i, i + 10));
    const done = await work(context, client, topic, values.length, 2);
    expect(done.every(({ deliveries, type }) => deliveries === 1 && type === "accept")).toBe(true);
    expect(done.map(({ offset }) => offset).toSorted((a, b) => a - b)).toEqual([...values.keys()]);
    expect(new Set(done.map(({ worker }) => worker)).size).toBe(2);
  });

  test("what a worker over HTTP has taken and not settled, KafkaShareConsumer is given when its time is over", async (context) => {
    await newGroup("both");
    await produce("both", ["dies", "lives"]);
    const receive = { topics: ["both"], max_messages: 1, visibility_timeout_ms: 15_000 };
    const answer = await fetch(`${way.server.url}/v1/queues/both/receive`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(receive),
    });
    expect(await answer.json()).toMatchObject({ messages: [{ offset: 0, delivery_count: 1 }] });
    const done = await work(context, "KafkaShareConsumer", "both", 2, 1);
    expect(done.map(({ offset, deliveries }) => [offset, deliveries])).toEqual([
      [1, 1],
      [0, 2],
    ]);
  });

  test("a member is described while it works, with the partitions that it reads", async (context) => {
    await newGroup("members", 2);
    const working = work(context, "KafkaShareConsumer", "members", 1, 1);
    try {
      const show = ["--describe", "--group", "members", "--members"];
      await vi.waitFor(async () => {
        const shown = await tool(context, `${TOOLS}.consumer.group.ShareGroupCommand`, show);
        expect(shown).toMatch(/^members\s.*worker-0.*members:0,1/m);
      }, PATIENCE);
    } finally {
      await produce("members", ["accept"]);
      expect(await working).toHaveLength(1);
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
