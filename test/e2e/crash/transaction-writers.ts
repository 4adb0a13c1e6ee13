/** Writers of transactions that live on when the server dies. Transaction `i` of a writer has one record at each place, and commits offset i + 1. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { Brokerless } from "../../../lib/client/index.ts";

export const INPUT = "input";
export const OUTPUTS = ["left", "right"];
export const PLACES = [
  { topic: "left", partition: 0 },
  { topic: "left", partition: 1 },
  { topic: "right", partition: 0 },
];

/** What a writer knows of a transaction. `aborted`: it never asked to commit it. */
export type Outcome = "committed" | "aborted" | "unknown";

export interface Place {
  readonly url: string;
  /** `host:port` */
  readonly kafka: string;
  /** Of the writer: its transactional id and its group. */
  readonly name: string;
}

/** One life of a writer, which notes the outcome of each transaction; over after `most` of them, or when something breaks. */
type Life = (place: Place, told: Outcome[], stop: AbortSignal, most?: number) => Promise<void>;

interface Steps {
  begin(): Promise<void>;
  send(topic: string, partition: number, value: string): Promise<void>;
  commitOffset(offset: number): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** Every fourth transaction is aborted; the last that is asked for is not. */
async function transact(steps: Steps, { name }: Place, told: Outcome[], stop: AbortSignal, most: number): Promise<void> {
  for (let count = 0; count < most && !stop.aborted; count++) {
    const i = told.length;
    told.push("aborted");
    await steps.begin();
    for (const { topic, partition } of PLACES) await steps.send(topic, partition, `${name}/${i}`);
    await steps.commitOffset(i + 1);
    if (i % 4 === 3 && most > 1) await steps.abort();
    else {
      told[i] = "unknown";
      await steps.commit();
      told[i] = "committed";
    }
  }
}

export const WRITERS: Readonly<Record<string, Life>> = {
  async kafkajs(place, told, stop, most = Number.POSITIVE_INFINITY) {
    const kafka = new Kafka({ brokers: [place.kafka], logLevel: logLevel.NOTHING, retry: { retries: 1 } });
    const producer = kafka.producer({ transactionalId: place.name, idempotent: true, maxInFlightRequests: 1 });
    let open: Awaited<ReturnType<typeof producer.transaction>> | undefined;
    const current = (): NonNullable<typeof open> => open as NonNullable<typeof open>;
    const steps: Steps = {
      async begin() {
        open = await producer.transaction();
      },
      async send(topic, partition, value) {
        await current().send({ topic, messages: [{ partition, value }] });
      },
      async commitOffset(offset) {
        const topics = [{ topic: INPUT, partitions: [{ partition: 0, offset: String(offset) }] }];
        await current().sendOffsets({ consumerGroupId: place.name, topics });
      },
      commit: () => current().commit(),
      abort: () => current().abort(),
    };
    try {
      await producer.connect();
      await transact(steps, place, told, stop, most);
    } finally {
      await producer.disconnect().catch(() => undefined);
    }
  },

  async http({ url, name }, told, stop, most = Number.POSITIVE_INFINITY) {
    const client = new Brokerless({ url, retry: { minMs: 20, maxMs: 200 }, requestTimeoutMs: 5000 });
    for (let count = 0; count < most && !stop.aborted; count++) {
      const i = told.length;
      told.push("unknown");
      const fails = i % 4 === 3 && most > 1;
      const done = client.transaction((tx) => {
        for (const at of PLACES) tx.send({ ...at, value: `${name}/${i}` });
        tx.commit(name, { topic: INPUT, partition: 0, offset: i + 1 });
        if (fails) throw new Error("changed its mind");
      });
      if (fails) {
        await done.catch(() => undefined);
        told[i] = "aborted";
      } else {
        await done;
        told[i] = "committed";
      }
    }
  },
};

/** Lives again and again. */
export async function keepWriting(life: Life, place: Place, told: Outcome[], stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await life(place, told, stop).catch(() => undefined);
    if (!stop.aborted) await sleep(20 + Math.random() * 50);
  }
}
