/** Transactions by KafkaJS (the first version of the protocol), over TCP and over HTTPS. */
import { type Consumer, Kafka, type KafkaConfig, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { overHttps, overTcp, type Way } from "./ways.ts";

let made = 0;
/** How often each topic was read to its end: each time writes one record more to each partition. */
const read = new Map<string, number>();

describe.each([
  ["over TCP", overTcp],
  ["over HTTPS", overHttps],
])("KafkaJS %s", (_name, open) => {
  let way: Way;
  let kafka: Kafka;
  let [input, output] = ["", ""];

  beforeAll(async () => {
    way = await open();
    const config: KafkaConfig = { clientId: "test", brokers: [way.broker], logLevel: logLevel.NOTHING, ...way.kafkajs };
    kafka = new Kafka(config);
  });
  afterAll(() => way.close());

  async function topics(): Promise<void> {
    made++;
    [input, output] = [`in-${made}`, `out-${made}`];
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [input, output].map((topic) => ({ topic, numPartitions: 2 })) });
    await admin.disconnect();
  }

  /** All values that a reader of this isolation has seen once the marker of the end has come. */
  async function values(topic: string, readUncommitted: boolean): Promise<string[]> {
    const times = (read.get(topic) ?? 0) + 1;
    read.set(topic, times);
    const last = kafka.producer();
    await last.connect();
    for (const partition of [0, 1]) await last.send({ topic, messages: [{ value: "end", partition }] });
    await last.disconnect();
    const consumer: Consumer = kafka.consumer({
      groupId: `r-${topic}-${readUncommitted}-${Math.random()}`,
      readUncommitted,
      maxWaitTimeInMs: 100,
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const seen: string[] = [];
    let ends = 0;
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ message }) => {
          const value = String(message.value);
          if (value !== "end") seen.push(value);
          else if (++ends === 2 * times) resolve();
        },
      });
    });
    await consumer.disconnect();
    return seen.sort();
  }

  test("commits over partitions and topics, and an abort is seen by who asks for it alone", async () => {
    await topics();
    const producer = kafka.producer({ transactionalId: `tx-${made}`, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const good = await producer.transaction();
    await good.send({ topic: output, messages: [0, 1].map((partition) => ({ value: `a${partition}`, partition })) });
    await good.send({ topic: input, messages: [{ value: "b", partition: 0 }] });
    await good.commit();
    const bad = await producer.transaction();
    await bad.send({ topic: output, messages: [{ value: "never", partition: 0 }] });
    await bad.abort();
    const later = await producer.transaction();
    await later.send({ topic: output, messages: [{ value: "c", partition: 0 }] });
    await later.commit();
    await producer.disconnect();
    expect(await values(output, false)).toEqual(["a0", "a1", "c"]);
    expect(await values(output, true)).toEqual(["a0", "a1", "c", "never"]);
    expect(await values(input, false)).toEqual(["b"]);
  });

  test("consumes, transforms and produces once, with the offsets in the transaction", async () => {
    await topics();
    const feed = kafka.producer();
    await feed.connect();
    await feed.send({ topic: input, messages: Array.from({ length: 20 }, (_, i) => ({ value: String(i), key: String(i) })) });
    await feed.disconnect();
    const groupId = `g-${made}`;
    const producer = kafka.producer({ transactionalId: `ctp-${made}`, maxInFlightRequests: 1 });
    await producer.connect();
    const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topic: input, fromBeginning: true });
    let done = 0;
    let failed = false;
    await new Promise<void>((resolve) => {
      void consumer.run({
        autoCommit: false,
        eachMessage: async ({ topic, partition, message }) => {
          const write = async (): Promise<void> => {
            const tx = await producer.transaction();
            await tx.send({ topic: output, messages: [{ value: `x${message.value}` }] });
            const offset = String(Number(message.offset) + 1);
            await tx.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions: [{ partition, offset }] }] });
            if (done === 5 && !failed) {
              failed = true;
              return tx.abort();
            }
            await tx.commit();
            done++;
          };
          await write();
          if (failed && done === 5) await write();
          if (done === 20) resolve();
        },
      });
    });
    await consumer.disconnect();
    await producer.disconnect();
    expect(await values(output, false)).toEqual(Array.from({ length: 20 }, (_, i) => `x${i}`).sort());
    const admin = kafka.admin();
    await admin.connect();
    const offsets = await admin.fetchOffsets({ groupId, topics: [input] });
    await admin.disconnect();
    expect(offsets[0]?.partitions.reduce((sum, { offset }) => sum + Number(offset), 0)).toBe(20);
  });

  test("a producer whose transactional id was taken over is fenced", async () => {
    await topics();
    const make = () => kafka.producer({ transactionalId: `fence-${made}`, maxInFlightRequests: 1, retry: { retries: 0 } });
    const [zombie, heir] = [make(), make()];
    await zombie.connect();
    const lost = await zombie.transaction();
    await lost.send({ topic: output, messages: [{ value: "never", partition: 0 }] });
    await heir.connect();
    const tx = await heir.transaction();
    await tx.send({ topic: output, messages: [{ value: "kept", partition: 0 }] });
    await expect(lost.commit()).rejects.toMatchObject({ type: expect.stringMatching(/PRODUCER_FENCED|INVALID_PRODUCER_EPOCH/) });
    await tx.commit();
    await Promise.all([zombie.disconnect(), heir.disconnect()]);
    expect(await values(output, false)).toEqual(["kept"]);
  });
});
