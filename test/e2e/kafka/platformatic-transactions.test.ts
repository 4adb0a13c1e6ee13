/** Transactions by @platformatic/kafka: over TCP, and through the tunnel. */
import {
  Admin,
  Consumer,
  FetchIsolationLevels,
  type Message,
  Producer,
  stringDeserializers,
  stringSerializers,
} from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchOf } from "../../unit/log/support.ts";
import { overTcp, throughTunnel, type Way } from "./ways.ts";

type Text = Message<string, string, string, string>;
/** Who takes a transactional id over must say so: of itself it names producer 0, and who names a wrong one is fenced. */
const NO_PRODUCER_ID = { producerId: -1n, producerEpoch: -1 };

let made = 0;

describe.each([
  ["over TCP", overTcp],
  ["through the tunnel", throughTunnel],
])("@platformatic/kafka %s", (_name, open) => {
  let way: Way;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(() => way.close());

  async function topics(): Promise<[string, string, string]> {
    made++;
    const [input, output] = [`p-in-${made}`, `p-out-${made}`];
    for (const name of [input, output]) await way.server.log.createTopic({ name, partitions: 2 });
    return [input, output, `tx-${made}`];
  }

  const producerOf = (transactionalId: string, retries = 1) =>
    new Producer({
      clientId: "test",
      bootstrapBrokers: [way.broker],
      retries,
      idempotent: true,
      transactionalId,
      serializers: stringSerializers,
    });

  const consumerOf = (groupId: string) =>
    new Consumer({
      clientId: "test",
      groupId,
      bootstrapBrokers: [way.broker],
      retries: 1,
      deserializers: stringDeserializers,
      maxWaitTime: 100,
    });

  /** All values up to a last record of each partition, which is written for this. */
  async function values(topic: string, isolationLevel: 0 | 1): Promise<string[]> {
    const ends: Promise<unknown>[] = [];
    for (const partition of [0, 1]) ends.push(way.server.log.append({ topic, partition, batches: batchOf(["end"]) }));
    await Promise.all(ends);
    const wanted = (await way.server.log.partitions(topic)).map(({ logEndOffset }) => BigInt(logEndOffset - 1));
    const consumer = consumerOf(`r-${topic}-${isolationLevel}`);
    const stream = await consumer.consume({ topics: [topic], mode: "earliest", isolationLevel, autocommit: false });
    const seen: string[] = [];
    let left = 2;
    for await (const { partition, offset, value } of stream as AsyncIterable<Text>) {
      if (value !== "end") seen.push(value);
      if (offset === wanted[partition] && --left === 0) break;
    }
    await consumer.close(true);
    return seen.sort();
  }

  const committed = (topic: string) => values(topic, FetchIsolationLevels.READ_COMMITTED);
  const all = (topic: string) => values(topic, FetchIsolationLevels.READ_UNCOMMITTED);

  test("commits over partitions and topics, and an abort is seen by who asks for it alone", async () => {
    const [input, output, id] = await topics();
    const producer = producerOf(id);
    const good = await producer.beginTransaction();
    await good.send({ messages: [0, 1].map((partition) => ({ topic: output, partition, value: `a${partition}` })) });
    await good.send({ messages: [{ topic: input, partition: 0, value: "b" }] });
    await good.commit();
    const bad = await producer.beginTransaction();
    await bad.send({ messages: [{ topic: output, partition: 0, value: "never" }] });
    await bad.abort();
    const later = await producer.beginTransaction();
    await later.send({ messages: [{ topic: output, partition: 0, value: "c" }] });
    await later.commit();
    await producer.close();
    expect(await committed(output)).toEqual(["a0", "a1", "c"]);
    expect(await all(output)).toEqual(["a0", "a1", "c", "never"]);
    expect(await committed(input)).toEqual(["b"]);
  });

  test("consumes, transforms and produces once, with the offsets in the transaction", async () => {
    const [input, output, id] = await topics();
    for (let i = 0; i < 20; i++) await way.server.log.append({ topic: input, partition: i % 2, batches: batchOf([`${i}`]) });
    const group = `g-${made}`;
    const producer = producerOf(id);
    const consumer = consumerOf(group);
    const stream = await consumer.consume({ topics: [input], mode: "earliest", autocommit: false });
    const write = async (message: Text, commit: boolean): Promise<void> => {
      const tx = await producer.beginTransaction();
      await tx.addConsumer(consumer);
      await tx.send({ messages: [{ topic: output, partition: message.partition, value: `x${message.value}` }] });
      await tx.addOffset(message);
      await (commit ? tx.commit() : tx.abort());
    };
    let done = 0;
    for await (const message of stream as AsyncIterable<Text>) {
      if (done === 5) await write(message, false);
      await write(message, true);
      if (++done === 20) break;
    }
    await consumer.close(true);
    await producer.close();
    expect(await committed(output)).toEqual(Array.from({ length: 20 }, (_, i) => `x${i}`).sort());
    const admin = new Admin({ clientId: "test", bootstrapBrokers: [way.broker] });
    const [found] = await admin.listConsumerGroupOffsets({ groups: [group] });
    await admin.close();
    expect(found?.topics[0]?.partitions.map(({ committedOffset }) => committedOffset)).toEqual([10n, 10n]);
  });

  test("a producer whose transactional id was taken over is fenced", async () => {
    const [, output, id] = await topics();
    const [zombie, heir] = [producerOf(id, 0), producerOf(id, 0)];
    const lost = await zombie.beginTransaction();
    await lost.send({ messages: [{ topic: output, partition: 0, value: "never" }] });
    const tx = await heir.beginTransaction(NO_PRODUCER_ID);
    await tx.send({ messages: [{ topic: output, partition: 0, value: "kept" }] });
    await expect(lost.commit()).rejects.toMatchObject({ errors: [{ apiId: "PRODUCER_FENCED" }] });
    await tx.commit();
    await Promise.all([zombie.close(), heir.close()]);
    expect(await committed(output)).toEqual(["kept"]);
  });
});
