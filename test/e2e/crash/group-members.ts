/** Members of consumer groups that live on when the server dies: whatever breaks, they begin anew, until they are stopped. */
import { setTimeout as sleep } from "node:timers/promises";
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { Brokerless, text } from "../../../lib/client/index.ts";

export interface Place {
  readonly url: string;
  /** `host:port` */
  readonly kafka: string;
  readonly topic: string;
  readonly group: string;
}

/** What a member tells. */
export interface Told {
  processed(value: string): void;
  /** The server has said so. */
  committed(partition: number, nextOffset: number): void;
}

/** One life of a member: resolves or rejects when it is over. */
type Life = (place: Place, told: Told, stop: AbortSignal) => Promise<void>;

export const MEMBERS: Readonly<Record<string, Life>> = {
  async kafkajs({ kafka, topic, group }, told, stop) {
    const consumer = new Kafka({ brokers: [kafka], logLevel: logLevel.NOTHING, retry: { retries: 1 } }).consumer({
      groupId: group,
      maxWaitTimeInMs: 100,
      heartbeatInterval: 200,
      sessionTimeout: 6000,
      retry: { retries: 1, restartOnFailure: async () => false },
    });
    const over = Promise.withResolvers<void>();
    // `commitOffsets` of a consumer that is stopping returns as if it had committed.
    consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      for (const { partitions } of payload.topics)
        for (const one of partitions) told.committed(Number(one.partition), Number(one.offset));
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => over.reject(payload.error));
    stop.addEventListener("abort", () => over.resolve(), { once: true });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message }) => {
          const offset = Number(message.offset);
          told.processed(String(message.value));
          await consumer.commitOffsets([{ topic, partition, offset: String(offset + 1) }]);
        },
      });
      await over.promise;
    } finally {
      await consumer.disconnect().catch(() => undefined);
    }
  },

  async platformatic({ kafka, topic, group }, told, stop) {
    const consumer = new Consumer({
      clientId: "crash",
      groupId: group,
      groupProtocol: "consumer",
      bootstrapBrokers: [kafka],
      deserializers: stringDeserializers,
      retries: 1,
      maxWaitTime: 100,
    });
    try {
      const stream = await consumer.consume({ topics: [topic], mode: "committed", fallbackMode: "earliest", autocommit: false });
      stop.addEventListener("abort", () => void stream.close().catch(() => undefined), { once: true });
      for await (const message of stream) {
        const offset = Number(message.offset);
        told.processed(message.value ?? "");
        await message.commit();
        told.committed(message.partition, offset + 1);
        if (stop.aborted) break;
      }
    } finally {
      await consumer.close(true).catch(() => undefined);
    }
  },

  async http({ url, topic, group }, told, stop) {
    const client = new Brokerless({ url, retry: { minMs: 20, maxMs: 200 }, requestTimeoutMs: 5000 });
    const options = { group, topics: topic, autoOffsetReset: "earliest", autoCommit: false, waitMs: 100, signal: stop } as const;
    const consumer = client.consumer({ ...options, retryTimeoutMs: 500 });
    for await (const batch of consumer) {
      for (const record of batch.records()) told.processed(text(record.value) ?? "");
      await client.transaction((tx) => tx.commit(consumer, batch));
      told.committed(batch.partition, batch.nextOffset);
    }
  },
};

/** Lives again and again. */
export async function keepAlive(life: Life, place: Place, told: Told, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await life(place, told, stop).catch(() => undefined);
    if (!stop.aborted) await sleep(50 + Math.random() * 100);
  }
}
