/** Load by the Node clients, in a process of its own: one order over IPC, one answer. */
import { Consumer, type Message, ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import type { Measured } from "../load/order.ts";
import { percentiles } from "../load/percentiles.ts";
import { answering } from "../support/processes.ts";

export interface ClientOrder {
  readonly client: "kafkajs" | "platformatic";
  readonly kind: "single" | "batch" | "consume";
  readonly kafka: string;
  readonly topic: string;
  readonly durationMs: number;
  /** Of `consume`: so many records are read. */
  readonly records: number;
}

const VALUE = "v".repeat(1000);
/** Records in one send of `batch`, and sends under way. */
const BATCH = { records: 100, underWay: 16 };
const SINGLE_UNDER_WAY = 64;

type Send = (records: number) => Promise<unknown>;

async function kafkajs(order: ClientOrder): Promise<{ send: Send; close(): Promise<void> }> {
  const kafka = new Kafka({ brokers: [order.kafka], logLevel: logLevel.ERROR });
  // KafkaJS sends one request at a time on a connection unless it is told otherwise.
  const producer = kafka.producer();
  await producer.connect();
  return {
    send: (records) =>
      producer.send({
        topic: order.topic,
        acks: -1,
        messages: Array.from({ length: records }, () => ({ value: VALUE, partition: 0 })),
      }),
    close: () => producer.disconnect(),
  };
}

async function platformatic(order: ClientOrder): Promise<{ send: Send; close(): Promise<void> }> {
  const producer = new Producer({
    clientId: "bench",
    bootstrapBrokers: [order.kafka],
    serializers: stringSerializers,
    autocreateTopics: false,
    acks: ProduceAcks.ALL,
    // Its default of 5 would measure the time of one request.
    maxInflights: SINGLE_UNDER_WAY,
  });
  return {
    send: (records) =>
      producer.send({ messages: Array.from({ length: records }, () => ({ topic: order.topic, value: VALUE, partition: 0 })) }),
    close: async () => {
      await producer.close();
    },
  };
}

async function produce(order: ClientOrder): Promise<Measured> {
  const { send, close } = await (order.client === "kafkajs" ? kafkajs(order) : platformatic(order));
  const records = order.kind === "single" ? 1 : BATCH.records;
  await send(1);
  const latencies: number[] = [];
  const warm = performance.now() + order.durationMs / 4;
  const until = warm + order.durationMs;
  await Promise.all(
    Array.from({ length: order.kind === "single" ? SINGLE_UNDER_WAY : BATCH.underWay }, async () => {
      while (performance.now() < until) {
        const sent = performance.now();
        await send(records);
        const now = performance.now();
        if (sent >= warm && now <= until) latencies.push(now - sent);
      }
    }),
  );
  await close();
  const perSecond = (latencies.length * records * 1000) / order.durationMs;
  return { perSecond, megabytesPerSecond: perSecond / 1000, ...percentiles(latencies) };
}

/** Counts from the first record on: joining is not reading. */
function meter(records: number): { note(count: number): boolean; measured(): Measured } {
  let [seen, begun, ended] = [0, 0, 0];
  return {
    note(count) {
      if (seen === 0) begun = performance.now();
      seen += count;
      ended = performance.now();
      return seen >= records;
    },
    measured() {
      const perSecond = (seen * 1000) / (ended - begun);
      return { perSecond, megabytesPerSecond: perSecond / 1000 };
    },
  };
}

async function consumeWithKafkajs(order: ClientOrder): Promise<Measured> {
  const consumer = new Kafka({ brokers: [order.kafka], logLevel: logLevel.NOTHING }).consumer({
    groupId: `bench-${process.pid}`,
    maxBytes: 16 * 2 ** 20,
    maxBytesPerPartition: 4 * 2 ** 20,
  });
  const read = meter(order.records);
  await consumer.connect();
  await consumer.subscribe({ topic: order.topic, fromBeginning: true });
  await new Promise<void>((resolve) => {
    void consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        if (read.note(batch.messages.length)) resolve();
      },
    });
  });
  await consumer.disconnect();
  return read.measured();
}

async function consumeWithPlatformatic(order: ClientOrder): Promise<Measured> {
  const consumer = new Consumer({
    clientId: "bench",
    groupId: `bench-${process.pid}`,
    bootstrapBrokers: [order.kafka],
    maxBytes: 4 * 2 ** 20,
  });
  const stream = await consumer.consume({ topics: [order.topic], mode: "earliest", autocommit: false });
  const read = meter(order.records);
  for await (const _ of stream as AsyncIterable<Message<Buffer, Buffer, Buffer, Buffer>>) if (read.note(1)) break;
  await consumer.close(true);
  return read.measured();
}

answering((order: ClientOrder) => {
  if (order.kind !== "consume") return produce(order);
  return order.client === "kafkajs" ? consumeWithKafkajs(order) : consumeWithPlatformatic(order);
});
