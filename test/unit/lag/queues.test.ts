/** Queues as the reporter tells of them. */
import { expect, test } from "vitest";
import { reportQueues } from "../../../lib/lag/queues.ts";
import { NO_METRICS } from "../../../lib/ports/index.ts";
import { sharesOverMemory } from "../groups/share/support.ts";

async function bench() {
  const made = await sharesOverMemory({ partitions: 2 });
  const report = async () => {
    const told: Record<string, number> = {};
    const gauge = (name: string, value: number, labels = {}): void => {
      told[[name, ...Object.values(labels)].join(" ")] = value;
    };
    const { clock, shares } = made;
    const run = { untilMs: clock.monotonicMs() + 60_000 };
    return { ...(await reportQueues({ clock, shares, metrics: { ...NO_METRICS, gauge } }, run)), told };
  };
  return { ...made, report };
}

test("a queue is told of by group and topic: what waits, what is in flight, how old the oldest is, and its dead letters", async () => {
  const b = await bench();
  await b.produce(["a", "b", "c"]);
  b.clock.ms += 40_000;
  await b.produce(["d", "e"], {}, 1);
  b.clock.ms += 20_000;
  await b.take("w", 2);
  await b.take("w", 1, { partitions: [1] });
  const { queues, left, told } = await b.report();
  expect({ queues, left }).toEqual({ queues: 1, left: false });
  expect(told).toEqual({
    "queue_depth g t": 2,
    "queue_in_flight g t": 3,
    "queue_dead_letters g t": 0,
    "queue_oldest_seconds g t": 60,
  });
});

test("what waits in the dead-letter topic for a redrive is no work that is late", async () => {
  const b = await bench();
  await b.log.createTopic({ name: "dead" });
  await b.produce(["bad"]);
  const [given] = (await b.take("w", 1)).partitions;
  await b.groups.alterConfigs("g", { "errors.deadletterqueue.topic.name": "dead" });
  b.clock.ms += 31_000;
  expect(given).toBeDefined();
  const { id: topicId } = await b.log.topic("dead");
  await b.shares.acquire({
    group: "g",
    holder: "w",
    partitions: [{ topicId, partition: 0 }],
    maxRecords: 1,
    maxBytes: 1000,
    maxWaitMs: 0,
    firstFrom: "earliest",
  });
  const { told } = await b.report();
  expect(Object.keys(told).map((name) => name.split(" ")[2])).toEqual(["t", "t", "t", "t"]);
});

test("consumer groups are no queues; a run that has no time left says so", async () => {
  const b = await bench();
  await b.groups.commit({ group: "a-consumer", offsets: [{ topic: "t", partition: 0, offset: 0 }] });
  expect(await b.report()).toEqual({ queues: 0, left: false, told: {} });
  await b.take("w", 1);
  await b.take("w", 1);
  const run = { untilMs: b.clock.monotonicMs() - 1 };
  expect(await reportQueues({ clock: b.clock, shares: b.shares, metrics: NO_METRICS }, run)).toEqual({ queues: 1, left: true });
});
