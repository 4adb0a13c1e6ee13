/**
 * Transactions of clients that are not on npm: commits and aborts, records with the offsets they were made of, a producer whose
 * transactional id was taken over. Over TCP, and through the tunnel.
 */
import { Producer, stringSerializers } from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { installFranz, installKafka, installPython } from "../../.ci/clients/install.ts";
import { overTcp, throughTunnel, type Way } from "../e2e/kafka/ways.ts";
import { batchOf } from "../unit/log/support.ts";
import { run } from "./run.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const SCENARIOS = ["ok commits_and_aborts", "ok consumes_transforms_produces", "ok fences"];

type Client = (broker: string, prefix: string) => Promise<string | { readonly missing: string }>;

const python = installPython();
const franz = installFranz(FOLDER);
const kafka = installKafka();
for (const install of [python, franz, kafka]) install.catch(() => {});

function inPython(library: string): Client {
  return async (broker, prefix) => {
    const installed = await python;
    if (installed.missing !== undefined) return installed;
    return run(installed.command, [`${FOLDER}transactions.py`, library, broker, prefix]);
  };
}

const CLIENTS: Readonly<Record<string, Client>> = {
  "confluent-kafka": inPython("confluent-kafka"),
  "kafka-python": inPython("kafka-python"),
  aiokafka: inPython("aiokafka"),
  "Kafka's own, in Java": async (broker, prefix) => {
    const installed = await kafka;
    if (installed.missing !== undefined) return installed;
    const options = ["-cp", installed.classPath, "-XX:TieredStopAtLevel=1", "-Xmx256m"];
    return run("java", [...options, `${FOLDER}Transactions.java`, broker, prefix]);
  },
  "franz-go": async (broker, prefix) => {
    const installed = await franz;
    return installed.missing !== undefined ? installed : run(installed.command, [broker, "transactions", prefix]);
  },
};

beforeAll(async () => {
  await Promise.allSettled([python, franz, kafka]);
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

  test.for(Object.entries(CLIENTS))("%s", { concurrent: true }, async ([name, client], context: TestContext) => {
    const prefix = name.replaceAll(/[^a-z]/g, "");
    for (const topic of ["commits", "in", "out", "out-classic", "out-consumer", "fenced"]) {
      await way.server.log.createTopic({ name: `${prefix}-${topic}`, partitions: 2 });
    }
    for (let i = 0; i < 20; i++) {
      await way.server.log.append({ topic: `${prefix}-in`, partition: i % 2, batches: batchOf([`${i}`]) });
    }
    const out = await client(way.broker, prefix);
    if (typeof out !== "string") return context.skip(out.missing);
    context.expect(out.trim().split("\n")).toEqual(SCENARIOS);
  });

  test("Kafka's own tools: transactions listed, described, their producers, one ended by force, and what a reader sees", async ({
    skip,
  }) => {
    const installed = await kafka;
    if (installed.missing !== undefined) return skip(installed.missing);
    const tool = (name: string, ...args: string[]): Promise<string> => {
      const options = ["-XX:TieredStopAtLevel=1", `org.apache.kafka.tools.${name}`, "--bootstrap-server", way.broker];
      return run("java", [...options, ...args], { env: { CLASSPATH: installed.classPath } });
    };
    const asked = (...args: string[]): Promise<string> => tool("TransactionsCommand", ...args);
    await way.server.log.createTopic({ name: "tools" });
    const producer = new Producer({
      clientId: "tools",
      bootstrapBrokers: [way.broker],
      idempotent: true,
      retries: 0,
      transactionalId: "tools-id",
      serializers: stringSerializers,
    });
    const first = await producer.beginTransaction();
    await first.send({ messages: [{ topic: "tools", partition: 0, value: "kept" }] });
    await first.commit();
    const second = await producer.beginTransaction();
    await second.send({ messages: [{ topic: "tools", partition: 0, value: "lost" }] });
    const { producerId, producerEpoch } = producer;
    const [list, described, producers, hanging] = await Promise.all([
      asked("list"),
      asked("describe", "--transactional-id", "tools-id"),
      asked("describe-producers", "--topic", "tools", "--partition", "0"),
      asked("find-hanging", "--broker-id", "0"),
    ]);
    expect(list).toMatch(new RegExp(`tools-id\\s+0\\s+${producerId}\\s+Ongoing`));
    expect(described).toMatch(new RegExp(`tools-id\\s+${producerId}\\s+${producerEpoch}\\s+Ongoing.*tools-0`));
    expect(producers).toMatch(new RegExp(`${producerId}\\s+${producerEpoch}\\s+.*\\s+2\\s*$`, "m"));
    expect(hanging).not.toContain("tools");
    await asked("forceTerminateTransaction", "--transactionalId", "tools-id");
    await way.server.log.append({ topic: "tools", partition: 0, batches: batchOf(["last"]) });
    const [after, committed, all] = await Promise.all([
      asked("list"),
      ...(["read_committed", "read_uncommitted"] as const).map((isolation) =>
        tool(
          "consumer.ConsoleConsumer",
          ...["--topic", "tools", "--from-beginning", "--isolation-level", isolation],
          ...["--max-messages", isolation === "read_committed" ? "2" : "3", "--timeout-ms", "60000"],
        ),
      ),
    ]);
    expect(after).toMatch(/tools-id\s+0\s+\d+\s+Empty/);
    expect(committed?.trim().split("\n")).toEqual(["kept", "last"]);
    expect(all?.trim().split("\n")).toEqual(["kept", "lost", "last"]);
    await expect(second.commit()).rejects.toMatchObject({ errors: [{ apiId: "PRODUCER_FENCED" }] });
    await producer.close();
  });
});
