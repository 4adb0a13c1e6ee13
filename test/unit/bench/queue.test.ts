/** What `bench:queue` and `bench:transactions` do, for a moment: it is counted only where it was done. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { INPUT, OUTPUTS, PARTITIONS, transact } from "../../../bench/kafka/transact.ts";
import { fill, work } from "../../../bench/queue/work.ts";
import { Brokerless } from "../../../lib/client/index.ts";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";

const ANY_PORT = { host: "127.0.0.1", port: 0 };
let server: RunningServer;
let client: Brokerless;

beforeAll(async () => {
  server = await startServer({ storage: "memory", http: ANY_PORT, kafka: ANY_PORT });
  client = new Brokerless({ url: server.url });
});
afterAll(() => server.close());

test.each([
  { by: "http", workers: 1, messages: 1 },
  { by: "http", workers: 4, messages: 10 },
  { by: "client", workers: 1, messages: 10 },
  { by: "client", workers: 4, messages: 10 },
] as const)("$workers by $by, $messages in a call, count what they acknowledged", async ({ by, workers, messages }) => {
  const topic = `${by}-${workers}-${messages}`;
  await client.admin.createTopic({ name: topic, partitions: 1 });
  await fill(server.url, topic, 5000);
  const { perSecond } = await work({ by, url: server.url, topic, group: topic, workers, messages, durationMs: 200 });
  expect(perSecond).toBeGreaterThan(0);
  const { depth, inFlight } = await client.queues.stats(topic);
  expect(depth + inFlight).toBeLessThan(5000);
});

test.each(["tcp", "https", "request"] as const)("transactions by %s write to both topics and commit the offset", async (by) => {
  const topics = [INPUT, ...OUTPUTS];
  for (const name of topics) await client.admin.createTopic({ name, partitions: PARTITIONS });
  const order = { by, kafka: server.kafka as string, url: server.url, workers: 2, records: 3, durationMs: 100 };
  const { perSecond } = await transact(order);
  expect(perSecond).toBeGreaterThan(0);
  const [committed] = await client.groups.offsets(`${by}-2-3-1`);
  expect(committed).toMatchObject({ topic: INPUT, partition: 1 });
  const transactions = Number(committed?.offset);
  expect(transactions).toBeGreaterThan(1);
  for (const topic of OUTPUTS) {
    let seen = 0;
    for await (const _ of client.reader({ topic, partitions: 1, follow: false })) seen++;
    expect(seen).toBe(transactions * 3);
  }
  for (const name of topics) await client.admin.deleteTopic(name);
});
