/**
 * Consumer groups of clients that are not on npm: a member joins, another one shares the partitions with it so that each record comes to one of them, one is killed, the
 * other takes over and leaves, and who comes later goes on from what was committed. Over TCP, and through the tunnel.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { installFranz, installKafka, installKcat, installPython } from "../../.ci/clients/install.ts";
import { overTcp, throughTunnel, type Way } from "../e2e/kafka/ways.ts";
import { batchOf } from "../unit/log/support.ts";
import { run } from "./run.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const PARTITIONS = 6;
const PATIENCE = { timeout: 60_000, interval: 200 };

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

type Installing = (broker: string, group: string, topic: string) => Promise<Program | { readonly missing: string }>;

const kcat = installKcat();
const python = installPython();
const franz = installFranz(FOLDER);
const kafka = installKafka();
for (const install of [kcat, python, franz, kafka]) install.catch(() => {});

function inPython(library: string): Installing {
  return async (broker, group, topic) => {
    const installed = await python;
    if (installed.missing !== undefined) return installed;
    return { command: installed.command, args: [`${FOLDER}member.py`, library, broker, group, topic] };
  };
}

function consoleConsumer(...properties: string[]): Installing {
  return async (broker, group, topic) => {
    const installed = await kafka;
    if (installed.missing !== undefined) return installed;
    const set = ["auto.offset.reset=earliest", "auto.commit.interval.ms=200", ...properties];
    const args = [
      ...[
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xmx128m",
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "--bootstrap-server",
        broker,
        "--topic",
        topic,
      ],
      ...["--group", group, ...set.flatMap((one) => ["--consumer-property", one])],
      ...["partition", "offset"].flatMap((one) => ["--property", `print.${one}=true`]),
    ];
    return { command: "java", args, env: { CLASSPATH: installed.classPath } };
  };
}

const MEMBERS: Readonly<Record<string, Installing>> = {
  "confluent-kafka, classic": inPython("classic"),
  "confluent-kafka, server-driven": inPython("consumer"),
  "kafka-python": inPython("kafka-python"),
  aiokafka: inPython("aiokafka"),
  "franz-go": async (broker, group, topic) => {
    const installed = await franz;
    return installed.missing !== undefined ? installed : { command: installed.command, args: [broker, group, topic] };
  },
  kcat: async (broker, group, topic) => {
    const installed = await kcat;
    if (installed.missing !== undefined) return installed;
    const set = [
      "auto.offset.reset=earliest",
      "session.timeout.ms=6000",
      "heartbeat.interval.ms=1000",
      "auto.commit.interval.ms=200",
    ];
    const args = ["-b", broker, "-q", "-u", "-f", "%p %o %s\n", ...set.flatMap((one) => ["-X", one]), "-G", group, topic];
    return { command: installed.command, args, env: installed.env };
  },
  "Kafka's console consumer, classic": consoleConsumer("session.timeout.ms=6000", "heartbeat.interval.ms=1000"),
  "Kafka's console consumer, server-driven": consoleConsumer("group.protocol=consumer"),
};

/** A process that is a member, and the values that it was given. */
class Member {
  readonly values: string[] = [];
  readonly #child: ChildProcess;
  #rest = "";
  #errors = "";

  constructor({ command, args, env }: Program) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.on("data", (data) => this.#take(String(data)));
    this.#child.stderr?.on("data", (data) => {
      this.#errors = (this.#errors + data).slice(-2000);
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get errors(): string {
    return this.#errors;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    for (const line of lines) {
      const found = /^(?:Partition:)?\d+\s+(?:Offset:)?\d+\s+(\S+)$/.exec(line.trim());
      if (found !== null) this.values.push(found[1] as string);
    }
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!this.isRunning) return;
    const gone = once(this.#child, "exit");
    this.#child.kill(signal);
    await gone;
  }
}

beforeAll(async () => {
  await Promise.allSettled([kcat, python, franz, kafka]);
});

describe.each([
  ["over TCP", overTcp, "/127.0.0.1"],
  ["through the tunnel", throughTunnel, "/http"],
])("%s", (_name, open, host) => {
  let way: Way;
  let made = 0;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(() => way.close());

  async function ask(path: string, body?: object): Promise<Record<string, unknown>> {
    const init = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const reply = await fetch(`${way.server.url}${path}`, init);
    return reply.status === 200 ? ((await reply.json()) as Record<string, unknown>) : {};
  }

  async function produce(topic: string, from: number, count: number): Promise<void> {
    for (let i = from; i < from + count; i++) {
      await way.server.log.append({ topic, partition: i % PARTITIONS, batches: batchOf([`v${i}`]) });
    }
  }

  /** Partitions of each member, as the group has it. */
  async function owned(group: string): Promise<number[][]> {
    const { members = [] } = (await ask(`/v1/groups/${group}`)) as {
      members?: { assignment: { partitions: number[] }[] }[];
    };
    return members
      .map(({ assignment }) => assignment.flatMap(({ partitions }) => partitions))
      .sort((a, b) => a.length - b.length);
  }

  const values = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `v${from + i}`).sort();

  test.for(Object.entries(MEMBERS))("%s", { concurrent: true, timeout: 170_000 }, async ([, install], context: TestContext) => {
    const { expect: soft } = context;
    const number = ++made;
    const [topic, group] = [`topic-${number}`, `group-${number}`];
    await way.server.log.createTopic({ name: topic, partitions: PARTITIONS });
    await ask(`/v1/groups/${group}/configs:alter`, { data: [{ name: "consumer.session.timeout.ms", value: "6000" }] });
    const program = await install(way.broker, group, topic);
    if ("missing" in program) return context.skip(program.missing);
    const members: Member[] = [];
    const join = (): Member => {
      const member = new Member(program);
      members.push(member);
      return member;
    };
    const seen = (some: readonly Member[]): string[] => [...new Set(some.flatMap((one) => one.values))].sort();
    try {
      await produce(topic, 0, 30);
      const first = join();
      await soft.poll(() => seen([first]), PATIENCE).toEqual(values(0, 30));
      const second = join();
      await soft.poll(() => owned(group), PATIENCE).toSatisfy(isShared);
      // Nobody reads a partition that is the other's: from here on each record comes once, to one of them.
      const from = [first, second].map((one) => one.values.length);
      await produce(topic, 30, 30);
      await soft.poll(() => seen([first, second]), PATIENCE).toEqual(values(0, 60));
      await soft.poll(() => committed(group), PATIENCE).toBe(60);
      await produce(topic, 60, 30);
      await soft.poll(() => seen([first, second]), PATIENCE).toEqual(values(0, 90));
      await soft.poll(() => committed(group), PATIENCE).toBe(90);
      const [ofFirst = [], ofSecond = []] = [first, second].map((one, i) => one.values.slice(from[i]));
      soft([...ofFirst, ...ofSecond].sort()).toEqual(values(30, 60));
      soft([ofFirst.length, ofSecond.length]).toEqual([30, 30]);
      await first.end("SIGKILL");
      await produce(topic, 90, 30);
      await soft.poll(() => seen([first, second]), PATIENCE).toEqual(values(0, 120));
      await soft.poll(() => committed(group), PATIENCE).toBe(120);
      await second.end("SIGTERM");
      await soft.poll(async () => (await owned(group)).length, PATIENCE).toBe(0);
      await produce(topic, 120, 6);
      const later = join();
      await soft.poll(() => seen([later]), PATIENCE).toEqual(values(120, 6));
      await later.end("SIGTERM");
    } catch (error) {
      const said = members.map(
        (one, i) => `member ${i + 1} (${one.isRunning ? "runs" : "ended"}, ${one.values.length} values): ${one.errors}`,
      );
      throw new Error(`${(error as Error).message}\n${said.join("\n")}`, { cause: error });
    } finally {
      await Promise.all(members.map((member) => member.end("SIGKILL")));
    }
  });

  function isShared(all: readonly number[][]): boolean {
    return all.length === 2 && all.every((one) => one.length === 3) && new Set(all.flat()).size === PARTITIONS;
  }

  async function committed(group: string): Promise<number> {
    const { offsets = [] } = (await ask(`/v1/groups/${group}/offsets`)) as { offsets?: { offset: number }[] };
    return offsets.reduce((sum, { offset }) => sum + offset, 0);
  }

  test.for(["classic", "consumer"])(
    "kafka-consumer-groups: members, state and offsets of a group of the %s protocol",
    {
      concurrent: true,
      timeout: 170_000,
    },
    async (protocol, { expect: soft, skip }) => {
      const [topic, group, name] = [`shown-${protocol}`, `readers-${protocol}`, `reader-of-${protocol}`];
      await way.server.log.createTopic({ name: topic, partitions: 3 });
      const program = await consoleConsumer(`group.protocol=${protocol}`, `client.id=${name}`)(way.broker, group, topic);
      if ("missing" in program) return skip(program.missing);
      const member = new Member(program);
      try {
        for (const partition of [0, 1, 2]) await way.server.log.append({ topic, partition, batches: batchOf(["v"]) });
        await soft.poll(() => committed(group), PATIENCE).toBe(3);
        // A table of what is asked, without its head: a list of words for each row.
        const describe = async (...args: string[]): Promise<string[][]> => {
          const tool = ["org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", way.broker];
          const out = await run(
            "java",
            ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", ...tool, "--describe", "--group", group, ...args],
            {
              env: program.env ?? {},
            },
          );
          const rows = out.split("\n").map((line) => line.trim().split(/\s+/));
          return rows.filter(([first]) => first === group);
        };
        const [members, membersVerbose, state, stateVerbose, offsets] = await Promise.all([
          describe("--members"),
          describe("--members", "--verbose"),
          describe("--state"),
          describe("--state", "--verbose"),
          describe("--offsets"),
        ]);
        const [[id] = []] = members.map((row) => row.slice(1));
        // A classic member's id begins with its client's; the other protocol's members name themselves by a UUID.
        soft(id).toMatch(protocol === "classic" ? new RegExp(`^${name}-[0-9a-f-]{36}$`) : /^[\w-]{22}$/);
        const row = [group, id, host, name, "3"];
        soft(members).toEqual([row]);
        const [current, target] = [`${topic}:0,1,2`, protocol === "classic" ? "-" : `${topic}:0,1,2`];
        const epoch = protocol === "classic" ? "-" : soft.stringMatching(/^\d+$/);
        soft(membersVerbose).toEqual([[...row, epoch, current, epoch, target]]);
        const assignor = protocol === "classic" ? "range" : "uniform";
        soft(state).toEqual([[group, way.broker, "(0)", assignor, "Stable", "1"]]);
        soft(stateVerbose).toEqual([[group, way.broker, "(0)", assignor, "Stable", epoch, epoch, "1"]]);
        soft(offsets).toEqual(["0", "1", "2"].map((partition) => [group, topic, partition, "1", "1", "0", id, host, name]));
      } finally {
        await member.end("SIGKILL");
      }
    },
  );

  test("Kafka's own tools: groups listed, described, reset and deleted, configs of topics and groups", {
    timeout: 170_000,
  }, async ({ skip }) => {
    const installed = await kafka;
    if (installed.missing !== undefined) return skip(installed.missing);
    const folder = await mkdtemp(join(tmpdir(), "brokerless-tools-"));
    const tool = (name: string, args: string[]): Promise<string> =>
      run("java", ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", name, "--bootstrap-server", way.broker, ...args], {
        env: { CLASSPATH: installed.classPath },
      });
    const groups = (...args: string[]) => tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", args);
    try {
      await way.server.log.createTopic({ name: "tools", partitions: 2 });
      for (let i = 0; i < 10; i++) await way.server.log.append({ topic: "tools", partition: i % 2, batches: batchOf([`v${i}`]) });
      await ask("/v1/groups/tools/offsets", { offsets: [0, 1].map((partition) => ({ topic: "tools", partition, offset: 5 })) });
      expect(await groups("--list")).toContain("tools");
      expect(await groups("--describe", "--group", "tools")).toMatch(/tools\s+tools\s+0\s+5\s+5\s+0/);
      expect(await groups("--describe", "--group", "tools", "--state")).toMatch(/Empty\s+0/);
      const reset = ["--reset-offsets", "--group", "tools", "--topic", "tools", "--shift-by", "-2"];
      expect(await groups(...reset, "--dry-run")).toMatch(/tools\s+tools\s+1\s+3/);
      expect(await groups("--describe", "--group", "tools")).toMatch(/tools\s+tools\s+0\s+5\s+5\s+0/);
      await groups(...reset, "--execute");
      expect(await groups("--describe", "--group", "tools")).toMatch(/tools\s+tools\s+0\s+3\s+5\s+2/);
      await groups("--delete-offsets", "--group", "tools", "--topic", "tools:1");
      expect(await groups("--describe", "--group", "tools")).toMatch(/tools\s+tools\s+0\s+3/);
      expect(await groups("--delete", "--group", "tools")).toMatch(/success/);
      expect(await groups("--list")).not.toContain("tools");

      const configs = (...args: string[]) => tool("kafka.admin.ConfigCommand", args);
      await configs("--alter", "--entity-type", "topics", "--entity-name", "tools", "--add-config", "retention.ms=123456");
      expect(await configs("--describe", "--entity-type", "topics", "--entity-name", "tools")).toContain("retention.ms=123456");
      const entity = ["--entity-type", "groups", "--entity-name", "some"];
      await configs("--alter", ...entity, "--add-config", "consumer.session.timeout.ms=7000");
      expect(await configs("--describe", ...entity)).toContain("consumer.session.timeout.ms=7000");

      const properties = join(folder, "client.properties");
      await writeFile(properties, "request.timeout.ms=20000\n");
      expect(await tool("org.apache.kafka.tools.GetOffsetShell", ["--topic", "tools", "--command-config", properties])).toContain(
        "tools:0:5",
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
