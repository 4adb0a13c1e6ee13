/** Kafka clients that are not on npm, unmodified: over TCP, and through the tunnel. A client that cannot be had says why. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { installFranz, installKafka, installKcat, installPython, VERSIONS } from "../../.ci/clients/install.ts";
import { overTcp, throughTunnel, type Way } from "../e2e/kafka/ways.ts";
import { run } from "./run.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const SCENARIOS = ["ok administers_topics", "ok writes_with_every_codec_and_acks", "ok idempotent_and_offsets"];
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

type Having<T> = Exclude<T, { readonly missing: string }>;

/** What is installed; skips the test where it cannot be. */
async function had<T extends { readonly missing?: undefined }>(
  install: Promise<T | { readonly missing: string }>,
  { skip }: TestContext,
): Promise<Having<T>> {
  const installed = await install;
  if (installed.missing !== undefined) skip(installed.missing);
  return installed as Having<T>;
}

const kcat = installKcat();
const python = installPython();
const franz = installFranz(FOLDER);
const kafka = installKafka();
for (const install of [kcat, python, franz, kafka]) install.catch(() => {});

// They are fetched before the clock of a test runs.
beforeAll(async () => {
  await Promise.all([kcat, python, franz, kafka]);
});

test("docs/clients.md has these versions", async () => {
  const page = await readFile("docs/clients.md", "utf8");
  for (const [name, version] of Object.entries(VERSIONS)) {
    const client = name === "kafka" ? "Kafka's own tools" : name;
    expect(
      page.split("\n").some((line) => line.startsWith(`| ${client}`) && line.includes(`| ${version} |`)),
      name,
    ).toBe(true);
  }
});

describe.each([
  ["over TCP", overTcp],
  ["through the tunnel", throughTunnel],
])("%s", (_name, open) => {
  let way: Way;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(() => way.close());

  for (const name of ["confluent", "kafka_python", "aio"]) {
    test.concurrent(`${name}.py`, async (context) => {
      const { command } = await had(python, context);
      expect((await run(command, [`${FOLDER}${name}.py`, way.broker])).trim().split("\n")).toEqual(SCENARIOS);
    });
  }

  test.concurrent("franz-go", async (context) => {
    const { command } = await had(franz, context);
    expect((await run(command, [way.broker])).trim().split("\n")).toEqual(SCENARIOS);
  });

  test.concurrent("kcat: lists, writes with every codec and acks, reads from any offset and time, writes once", async (context) => {
    const { command, env } = await had(kcat, context);
    const call = (args: string[], input = ""): Promise<string> => run(command, ["-b", way.broker, ...args], { env, input });
    for (const codec of CODECS) {
      for (const acks of ["0", "1", "-1"]) {
        const topic = `kcat-${codec}-${acks}`;
        await call(["-P", "-t", topic, "-K", ":", "-z", codec, "-X", `acks=${acks}`, "-H", "h=v"], "a:1\nb:2\nc:3\n");
        // Records without acks may still be on their way to the log.
        while ((await way.server.log.partitions(topic))[0]?.logEndOffset !== 3) await new Promise((go) => setTimeout(go, 20));
        expect(await call(["-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%o %k=%s %h\n"])).toBe(
          "0 a=1 h=v\n1 b=2 h=v\n2 c=3 h=v\n",
        );
        expect(await call(["-C", "-t", topic, "-o", "-1", "-e", "-q", "-f", "%o"])).toBe("2");
      }
    }
    expect(await call(["-L", "-t", "kcat-none-1"])).toContain(`broker 0 at ${way.broker}`);
    const lines = Array.from({ length: 500 }, (_, i) => `${i}`).join("\n");
    const once = ["-X", "enable.idempotence=true", "-X", "batch.num.messages=7"];
    await call(["-P", "-t", "kcat-once", "-p", "0", ...once], lines);
    expect((await call(["-C", "-t", "kcat-once", "-o", "beginning", "-e", "-q"])).trim()).toBe(lines);
    expect(await call(["-Q", "-t", "kcat-once:0:-1"])).toContain("offset 500");
    expect(await call(["-Q", "-t", "kcat-once:0:1"])).toContain("offset 0");
  });

  test.concurrent("Kafka's own tools: topics, configs, producer, consumer, offsets, records deleted", async (context) => {
    const { classPath } = await had(kafka, context);
    const tool = (name: string, args: string[], input = ""): Promise<string> =>
      run(
        "java",
        [
          "-XX:TieredStopAtLevel=1",
          "-XX:+UseSerialGC",
          `org.apache.kafka.tools.${name}`,
          "--bootstrap-server",
          way.broker,
          ...args,
        ],
        {
          env: { CLASSPATH: classPath },
          input,
        },
      );
    await tool("TopicCommand", ["--create", "--topic", "java", "--partitions", "2", "--config", "retention.ms=3600000"]);
    await tool("TopicCommand", ["--alter", "--topic", "java", "--partitions", "3"]);
    expect(await tool("TopicCommand", ["--describe", "--topic", "java"])).toMatch(/PartitionCount: 3.*retention.ms=3600000/);
    await expect(tool("TopicCommand", ["--create", "--topic", "java"])).rejects.toThrow("exists already");
    for (const [i, codec] of CODECS.entries()) {
      // Its default is an idempotent producer with acks=all.
      const acks = ["--producer-property", `acks=${["all", "1", "0", "-1", "all"][i]}`];
      const records = [1, 2].map((n) => `k:${codec}-${n}\n`).join("");
      const format = ["--property", "parse.key=true", "--property", "key.separator=:"];
      await tool("ConsoleProducer", ["--topic", "java", "--compression-codec", codec, ...acks, ...format], records);
    }
    const [keyed] = (await way.server.log.partitions("java")).filter(({ logEndOffset }) => logEndOffset > 0);
    const { partition } = keyed as { partition: number };
    while ((await way.server.log.partitions("java"))[partition]?.logEndOffset !== 10)
      await new Promise((go) => setTimeout(go, 20));
    const from = (offset: string, count: number): string[] => [
      ...["--topic", "java", "--partition", `${partition}`, "--offset", offset],
      ...["--max-messages", `${count}`, "--timeout-ms", "30000"],
    ];
    const all = CODECS.flatMap((codec) => [`${codec}-1`, `${codec}-2`]);
    expect((await tool("consumer.ConsoleConsumer", from("earliest", 10))).trim().split("\n")).toEqual(all);
    expect((await tool("consumer.ConsoleConsumer", from("8", 2))).trim().split("\n")).toEqual(all.slice(8));
    expect(await tool("GetOffsetShell", ["--topic", "java"])).toContain(`java:${partition}:10`);
    expect(await tool("GetOffsetShell", ["--topic", "java", "--time", "earliest"])).toContain(`java:${partition}:0`);
    expect(await tool("GetOffsetShell", ["--topic", "java", "--time", "1"])).toContain(`java:${partition}:0`);
    await tool("TopicCommand", ["--delete", "--topic", "java"]);
    expect(await tool("TopicCommand", ["--list"])).not.toContain("java");
  });
});
