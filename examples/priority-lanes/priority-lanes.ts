/**
 * Priority lanes: VIP customers' orders go to partitions of their own, so that a reader of these alone has them at
 * once, however long the queue of the others is. Run a server, then `node examples/priority-lanes/priority-lanes.ts`.
 */
import { Brokerless, json, priorityLanes, text } from "../../lib/client/index.ts";

const LANES = 2;
const client = new Brokerless({ url: process.env["BROKERLESS_URL"] ?? "http://127.0.0.1:8080" });
const topic = `orders-${Date.now()}`;
await client.admin.createTopic({ name: topic, partitions: 8 });

// Partitions 0 and 1 are for VIPs, 2 to 7 for everybody else. Decided by key, so that every customer's orders stay in order.
const vips = new Set(["ada", "grace"]);
await using producer = client.producer({
  partitioner: priorityLanes({ lanes: LANES, isVip: ({ key }) => vips.has(text(key) ?? ""), random: Math.random }),
});
const customers = ["bob", "ada", "cyd", "dan", "grace", "eve"];
await producer.sendBatch(
  Array.from({ length: 600 }, (_, i) => {
    const key = customers[i % customers.length] as string;
    return { topic, key, value: json({ customer: key, order: i }) };
  }),
);

async function countBy(partitions: readonly number[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const { key } of client.reader({ topic, partitions, follow: false })) {
    const name = text(key) ?? "";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const fast = await countBy([0, 1]);
const rest = await countBy([2, 3, 4, 5, 6, 7]);
console.log("the fast lanes:", Object.fromEntries([...fast].sort()));
console.log("the others:    ", Object.fromEntries([...rest].sort()));
