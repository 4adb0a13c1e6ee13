/** KafkaJS's consumers in groups, over TCP and over HTTPS: joins, rebalances, commits, leaves, and its admin. */
import { type Consumer, Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningServer } from "../../../lib/server/types.ts";
import { overHttps, overTcp, type Way } from "./ways.ts";

describe.each([
  ["over TCP", overTcp],
  ["over HTTPS", overHttps],
])("KafkaJS in groups %s", (_name, open) => {
  let way: Way;
  let server: RunningServer;
  let kafka: Kafka;
  const running: Consumer[] = [];

  beforeAll(async () => {
    way = await open();
    server = way.server;
    kafka = new Kafka({ brokers: [way.broker], logLevel: logLevel.NOTHING, ...way.kafkajs });
  });
  afterAll(async () => {
    await Promise.all(running.map((consumer) => consumer.disconnect()));
    await way.close();
  });

  async function topicWith(name: string, partitions: number, values: readonly string[]): Promise<void> {
    await server.log.createTopic({ name, partitions });
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: name, messages: values.map((value, i) => ({ value, partition: i % partitions })) });
    await producer.disconnect();
  }

  async function consume(groupId: string, topic: string, got: string[], more: object = {}): Promise<Consumer> {
    const consumer = kafka.consumer({ groupId, sessionTimeout: 6_000, heartbeatInterval: 200, maxWaitTimeInMs: 200, ...more });
    running.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void got.push(String(message.value)) });
    return consumer;
  }

  test("two members share the partitions; when one leaves, the other goes on where it stopped", async () => {
    const values = Array.from({ length: 40 }, (_, i) => `v${i}`);
    await topicWith("shared", 4, values);
    const [first, second]: string[][] = [[], []];
    const one = await consume("pair", "shared", first as string[]);
    await consume("pair", "shared", second as string[]);
    const admin = kafka.admin();
    await admin.connect();
    const described = async () => (await admin.describeGroups(["pair"])).groups[0];
    await expect.poll(async () => (await described())?.members.length, { timeout: 20_000 }).toBe(2);
    await expect.poll(async () => (await described())?.state, { timeout: 20_000 }).toBe("Stable");
    await expect.poll(() => new Set([...(first as string[]), ...(second as string[])]).size, { timeout: 20_000 }).toBe(40);
    await one.disconnect();
    await expect.poll(async () => (await described())?.members.length, { timeout: 20_000 }).toBe(1);
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({
      topic: "shared",
      messages: Array.from({ length: 4 }, (_, partition) => ({ value: `late${partition}`, partition })),
    });
    await producer.disconnect();
    await expect
      .poll(() => (second as string[]).filter((value) => value.startsWith("late")).sort(), { timeout: 20_000 })
      .toEqual(["late0", "late1", "late2", "late3"]);
    // What was committed is not read again.
    expect((second as string[]).filter((value) => (first as string[]).includes(value))).toEqual([]);
    await admin.disconnect();
  }, 60_000);

  test("the admin lists groups, reads and resets their offsets, and deletes them", async () => {
    await topicWith("admin", 2, ["a", "b", "c", "d"]);
    const got: string[] = [];
    const consumer = await consume("of-admin", "admin", got);
    await expect.poll(() => got.length, { timeout: 20_000 }).toBe(4);
    await consumer.disconnect();
    const admin = kafka.admin();
    await admin.connect();
    expect((await admin.listGroups()).groups).toContainEqual({ groupId: "of-admin", protocolType: "consumer" });
    const offsets = async () =>
      (await admin.fetchOffsets({ groupId: "of-admin", topics: ["admin"] }))[0]?.partitions.map(({ offset }) => offset);
    expect(await offsets()).toEqual(["2", "2"]);
    await admin.resetOffsets({ groupId: "of-admin", topic: "admin", earliest: true });
    expect(await offsets()).toEqual(["-2", "-2"].map(() => expect.stringMatching(/^(0|-2)$/)));
    await admin.setOffsets({ groupId: "of-admin", topic: "admin", partitions: [{ partition: 0, offset: "1" }] });
    expect((await offsets())?.[0]).toBe("1");
    await admin.deleteGroups(["of-admin"]);
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain("of-admin");
    await admin.disconnect();
  }, 60_000);
});
