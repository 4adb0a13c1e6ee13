/** KafkaJS's consumers in groups, over TCP and over HTTPS: joins, rebalances, commits, seeks, pauses, leaves, kills, and its admin. */
import { type Consumer, Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningServer } from "../../../lib/server/types.ts";
import { batchOf } from "../../unit/log/support.ts";
import { startChild } from "../crash/child.ts";
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

  async function consume(
    groupId: string,
    topic: string,
    got: { push(value: string): unknown },
    more: object = {},
  ): Promise<Consumer> {
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

  test("one that is killed: its partitions go to the other one, nothing is missed, and a later one goes on where that stopped", async () => {
    const values = Array.from({ length: 8 }, (_, i) => `v${i}`);
    await topicWith("killed", 4, values);
    const [mine, theirs]: [string[], string[]] = [[], []];
    const url = way.kafkajs.socketFactory === undefined ? [] : [server.url];
    const other = startChild(
      new URL("member.ts", import.meta.url).pathname,
      ["kafkajs", way.broker, "of-killed", "killed", ...url],
      (line) => theirs.push(line),
      (line) => line === "joined",
    );
    try {
      await other.ready;
      const one = await consume("of-killed", "killed", mine);
      const owned = async (): Promise<number[]> => {
        const reply = await fetch(`${server.url}/v1/groups/of-killed`);
        const { members } = (await reply.json()) as { members: { assignment: { partitions: number[] }[] }[] };
        return members.map(({ assignment }) => assignment.flatMap(({ partitions }) => partitions).length);
      };
      await expect.poll(owned, { timeout: 20_000 }).toEqual([2, 2]);
      const produce = async (name: string): Promise<string[]> => {
        const made = [0, 1, 2, 3].map((partition) => ({ value: `${name}${partition}`, partition }));
        const producer = kafka.producer();
        await producer.connect();
        await producer.send({ topic: "killed", messages: made });
        await producer.disconnect();
        return made.map(({ value }) => value);
      };
      const shared = await produce("shared");
      const seen = (): string[] => [...new Set([...mine, ...theirs])].sort();
      await expect.poll(seen, { timeout: 20_000 }).toEqual([...values, ...shared].sort());
      for (const some of [mine, theirs]) expect(some.filter((value) => shared.includes(value))).toHaveLength(2);
      other.kill();
      await other.ended;
      const after = await produce("after");
      await expect.poll(() => mine.filter((value) => after.includes(value)).sort(), { timeout: 30_000 }).toEqual(after);
      expect(await owned()).toEqual([4]);
      expect(seen()).toEqual([...values, ...shared, ...after].sort());
      await one.disconnect();
      const [later, heirs]: [string[], string[]] = [await produce("later"), []];
      await consume("of-killed", "killed", heirs);
      await expect.poll(() => heirs.toSorted(), { timeout: 20_000 }).toEqual(later);
    } finally {
      other.kill();
    }
  }, 90_000);

  test("seek goes on where it says, ahead and back", async () => {
    await topicWith("sought", 1, ["a", "b", "c", "d", "e"]);
    const got: string[] = [];
    let isAhead = false;
    const push = (value: string): void => {
      got.push(value);
      if (value !== "b" || isAhead) return;
      isAhead = true;
      consumer.seek({ topic: "sought", partition: 0, offset: "4" });
    };
    const consumer: Consumer = await consume("of-sought", "sought", { push });
    await expect.poll(() => got, { timeout: 20_000 }).toEqual(["a", "b", "e"]);
    consumer.seek({ topic: "sought", partition: 0, offset: "1" });
    await expect.poll(() => got.slice(3), { timeout: 20_000 }).toEqual(["b", "c", "d", "e"]);
    await server.log.append({ topic: "sought", partition: 0, batches: batchOf(["f"]) });
    await expect.poll(() => got.slice(7), { timeout: 20_000 }).toEqual(["f"]);
  }, 60_000);

  test("a partition that is paused rests, the others do not; resumed it goes on without a gap", async () => {
    await topicWith("paused", 2, ["p0", "p1"]);
    const got: string[] = [];
    const consumer = await consume("of-paused", "paused", got);
    await expect.poll(() => got.toSorted(), { timeout: 20_000 }).toEqual(["p0", "p1"]);
    consumer.pause([{ topic: "paused", partitions: [0] }]);
    expect(consumer.paused()).toEqual([{ topic: "paused", partitions: [0] }]);
    const append = (partition: number, value: string) =>
      server.log.append({ topic: "paused", partition, batches: batchOf([value]) });
    await append(0, "rests");
    for (const value of ["one", "two", "three"]) {
      await append(1, value);
      await expect.poll(() => got.at(-1), { timeout: 20_000 }).toBe(value);
    }
    expect(got.slice(2)).toEqual(["one", "two", "three"]);
    consumer.resume([{ topic: "paused", partitions: [0] }]);
    await append(0, "goes on");
    await expect.poll(() => got.slice(5), { timeout: 20_000 }).toEqual(["rests", "goes on"]);
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
