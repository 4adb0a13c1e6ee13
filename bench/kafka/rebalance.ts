/** How long a group of KafkaJS members needs until every partition has an owner again: after one joins, after one leaves. */
import { type Consumer, Kafka, logLevel } from "kafkajs";
import { kafkaOverHttps } from "../../lib/tunnel/kafkajs.ts";
import type { MeasuredServer } from "./servers.ts";

export interface Rebalanced {
  /** From the first member's start until all members have their partitions. */
  readonly formMs: number;
  readonly joinMs: number;
  readonly leaveMs: number;
}

/** Partitions of each live member, as it was last told. */
class Assignments {
  readonly #of = new Map<number, readonly number[]>();
  #changed: (() => void) | undefined;

  set(member: number, partitions: readonly number[] | undefined): void {
    if (partitions === undefined) this.#of.delete(member);
    else this.#of.set(member, partitions);
    this.#changed?.();
  }

  /** Resolves when these members own all partitions, each once and none nothing. */
  async settled(members: number, partitions: number): Promise<void> {
    const until = performance.now() + 120_000;
    const isSettled = (): boolean => {
      const all = [...this.#of.values()];
      return (
        all.length === members &&
        all.every((one) => one.length > 0) &&
        new Set(all.flat()).size === partitions &&
        all.flat().length === partitions
      );
    };
    while (!isSettled()) {
      if (performance.now() > until) throw new Error("the group did not settle within two minutes");
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
        setTimeout(resolve, 1000).unref();
      });
    }
  }
}

/** `overHttps`: the frames go through `POST /kafka`. The topic has to be there, with twice as many partitions as members. */
export async function rebalance(
  server: MeasuredServer,
  topic: string,
  group: string,
  members: number,
  overHttps: boolean,
): Promise<Rebalanced> {
  const partitions = 2 * members;
  const assignments = new Assignments();
  const consumers: Consumer[] = [];
  const start = async (member: number): Promise<void> => {
    const kafka = new Kafka({
      clientId: `member-${member}`,
      brokers: [server.kafka],
      logLevel: logLevel.NOTHING,
      ...(overHttps ? { socketFactory: kafkaOverHttps({ url: server.url ?? "" }) } : {}),
    });
    // KafkaJS sends heartbeats between fetches: a long wait for records would be measured, not the group.
    const consumer = kafka.consumer({
      maxWaitTimeInMs: 100,
      groupId: group,
      heartbeatInterval: 500,
      sessionTimeout: 30_000,
      rebalanceTimeout: 30_000,
    });
    consumers[member] = consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => assignments.set(member, payload.memberAssignment[topic] ?? []));
    consumer.on(consumer.events.REBALANCING, () => assignments.set(member, []));
    await consumer.connect();
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async () => {} });
  };
  try {
    let begun = performance.now();
    await Promise.all(Array.from({ length: members - 1 }, (_, member) => start(member)));
    await assignments.settled(members - 1, partitions);
    const formMs = performance.now() - begun;
    begun = performance.now();
    await start(members - 1);
    await assignments.settled(members, partitions);
    const joinMs = performance.now() - begun;
    const gone = consumers.pop();
    begun = performance.now();
    assignments.set(members - 1, undefined);
    await gone?.disconnect();
    await assignments.settled(members - 1, partitions);
    return { formMs, joinMs, leaveMs: performance.now() - begun };
  } finally {
    await Promise.allSettled(consumers.map((consumer) => consumer.disconnect()));
  }
}
