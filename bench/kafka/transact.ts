/** Consume-transform-produce, over and over: records to two topics and the offset of the one they come from, in one transaction. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, type Producer } from "kafkajs";
import { Brokerless } from "../../lib/client/index.ts";
import { kafkaOverHttps } from "../../lib/tunnel/kafkajs.ts";
import type { Measured } from "../load/order.ts";
import { Meter } from "../support/meter.ts";

export interface TransactOrder {
  /** KafkaJS over TCP or through `POST /kafka`; or `transaction` of our client, one request each. */
  readonly by: "tcp" | "https" | "request";
  readonly kafka: string;
  readonly url: string;
  readonly workers: number;
  /** Of 1,000 bytes, to each of the two topics. */
  readonly records: number;
  readonly durationMs: number;
}

export const INPUT = "orders";
export const OUTPUTS = ["entries", "mails"] as const;
/** Of each topic; a worker has one of its own until there are more workers. */
export const PARTITIONS = 16;

const VALUE = Buffer.alloc(1000, "v");

/** One worker's transaction, up to the next offset of its partition. */
type Transact = (offset: number) => Promise<unknown>;

/** Transactions in a second; the latency is that of a whole one. */
export async function transact(order: TransactOrder): Promise<Measured> {
  const closing: (() => Promise<void>)[] = [];
  const workers = await Promise.all(
    Array.from({ length: order.workers }, async (_, worker): Promise<Transact> => {
      if (order.by === "request") return request(order, worker);
      const producer = await transactional(order, worker);
      closing.push(() => producer.disconnect());
      return overKafka(producer, order, worker);
    }),
  );
  await Promise.all(workers.map(first));
  const meter = new Meter(order.durationMs);
  await Promise.all(
    workers.map(async (one) => {
      for (let offset = 2; !meter.isOver; offset++) {
        const since = performance.now();
        await one(offset);
        meter.note(since, 1);
      }
    }),
  );
  await Promise.all(closing.map((close) => close()));
  const measured = meter.measured();
  const megabytesPerSecond = ((measured.perSecond ?? 0) * OUTPUTS.length * order.records * VALUE.byteLength) / 1e6;
  return { ...measured, megabytesPerSecond };
}

/** It finds its coordinators and makes its group, for which a Kafka that has just started takes a while. */
async function first(one: Transact): Promise<void> {
  for (let left = 40; ; left--) {
    try {
      await one(1);
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(250);
    }
  }
}

function groupOf(order: TransactOrder, worker: number): string {
  return `${order.by}-${order.workers}-${order.records}-${worker}`;
}

async function transactional(order: TransactOrder, worker: number): Promise<Producer> {
  const over = order.by === "https" ? { socketFactory: kafkaOverHttps({ url: order.url }) } : {};
  const kafka = new Kafka({ brokers: [order.kafka], logLevel: logLevel.NOTHING, ...over });
  const producer = kafka.producer({ transactionalId: groupOf(order, worker), idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return producer;
}

function overKafka(producer: Producer, order: TransactOrder, worker: number): Transact {
  const partition = worker % PARTITIONS;
  const messages = Array.from({ length: order.records }, () => ({ value: VALUE, partition }));
  const topicMessages = OUTPUTS.map((topic) => ({ topic, messages }));
  const consumerGroupId = groupOf(order, worker);
  return async (offset) => {
    const transaction = await producer.transaction();
    try {
      await transaction.sendBatch({ topicMessages });
      const topics = [{ topic: INPUT, partitions: [{ partition, offset: String(offset) }] }];
      await transaction.sendOffsets({ consumerGroupId, topics });
      await transaction.commit();
    } catch (error) {
      if (transaction.isActive()) await transaction.abort();
      throw error;
    }
  };
}

function request(order: TransactOrder, worker: number): Transact {
  const client = new Brokerless({ url: order.url });
  const partition = worker % PARTITIONS;
  const group = groupOf(order, worker);
  return (offset) =>
    client.transaction((tx) => {
      for (const topic of OUTPUTS) for (let i = 0; i < order.records; i++) tx.send({ topic, partition, key: null, value: VALUE });
      tx.commit(group, { topic: INPUT, partition, offset });
    });
}
