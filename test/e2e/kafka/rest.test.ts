/** REST consumers and Kafka clients in one group: beside each other by the server-driven protocol, after each other by the classic one. */
import { Consumer as PlatformaticConsumer, stringDeserializers } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";

let server: RunningServer;
let kafka: Kafka;

beforeAll(async () => {
  server = await startServer({ storage: "memory", http: { host: "127.0.0.1", port: 0 }, kafka: { host: "127.0.0.1", port: 0 } });
  kafka = new Kafka({ brokers: [server.kafka as string], logLevel: logLevel.NOTHING });
});
afterAll(() => server.close());

const TYPES = { "content-type": "application/vnd.kafka.json.v2+json" };

async function produce(topic: string, from: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({ value: from + i, partition: (from + i) % 4 }));
  const answer = await fetch(`${server.url}/topics/${topic}`, {
    method: "POST",
    headers: TYPES,
    body: JSON.stringify({ records }),
  });
  expect(answer.status).toBe(200);
}

async function restConsumer(group: string, topic: string): Promise<string> {
  const post = (url: string, body: unknown) =>
    fetch(url, { method: "POST", headers: { "content-type": "application/vnd.kafka.v2+json" }, body: JSON.stringify(body) });
  const made = await post(`${server.url}/consumers/${group}`, { format: "json", "auto.offset.reset": "earliest" });
  const { base_uri } = (await made.json()) as { base_uri: string };
  expect((await post(`${base_uri}/subscription`, { topics: [topic] })).status).toBe(204);
  return base_uri;
}

async function read(at: string): Promise<number[]> {
  const answer = await fetch(`${at}/records?timeout=200`);
  const body = (await answer.json()) as { value: number }[];
  expect([answer.status, JSON.stringify(body)]).toEqual([200, expect.any(String)]);
  return body.map(({ value }) => value);
}

const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
const inOrder = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

test("KafkaJS goes on where a REST consumer has left, and a REST consumer where KafkaJS has", { timeout: 60_000 }, async () => {
  await server.log.createTopic({ name: "relay", partitions: 4 });
  await produce("relay", 0, 12);
  const first = await restConsumer("relay", "relay");
  expect(inOrder(await read(first))).toEqual(numbers(0, 12));
  expect((await fetch(first, { method: "DELETE" })).status).toBe(204);

  await produce("relay", 12, 12);
  const got: number[] = [];
  const consumer = kafka.consumer({ groupId: "relay", sessionTimeout: 6_000, heartbeatInterval: 200, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic: "relay", fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void got.push(Number(message.value)) });
  await expect.poll(() => inOrder(got), { timeout: 30_000 }).toEqual(numbers(12, 12));

  // While a classic member is there, the server cannot assign: a REST consumer is told so.
  const second = await restConsumer("relay", "relay");
  const refused = await fetch(`${second}/records?timeout=0`);
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect(((await refused.json()) as { message: string }).message).toContain("classic group with members");
  await consumer.disconnect();

  await produce("relay", 24, 4);
  expect(inOrder(await read(second))).toEqual(numbers(24, 4));
});

test("a REST consumer and a Kafka client of the server-driven protocol share the partitions", { timeout: 60_000 }, async () => {
  await server.log.createTopic({ name: "shared", partitions: 4 });
  const rest = await restConsumer("shared", "shared");
  await read(rest);
  const client = new PlatformaticConsumer({
    clientId: "platformatic",
    bootstrapBrokers: [server.kafka as string],
    groupId: "shared",
    groupProtocol: "consumer",
    deserializers: stringDeserializers,
    maxWaitTime: 100,
  });
  const stream = await client.consume({ topics: ["shared"], mode: "committed", fallbackMode: "earliest", autocommit: 100 });
  const theirs: number[] = [];
  const mine: number[] = [];
  stream.on("data", ({ value }) => void theirs.push(Number(value)));
  const assigned = async (): Promise<number> =>
    ((await (await fetch(`${rest}/assignments`)).json()) as { partitions: unknown[] }).partitions.length;
  await expect
    .poll(
      async () => {
        mine.push(...(await read(rest)));
        return assigned();
      },
      { timeout: 30_000 },
    )
    .toBe(2);
  await produce("shared", 0, 40);
  await expect
    .poll(
      async () => {
        mine.push(...(await read(rest)));
        return new Set([...mine, ...theirs]).size;
      },
      { timeout: 30_000 },
    )
    .toBe(40);
  expect([mine.length > 0, theirs.length > 0]).toEqual([true, true]);
  await fetch(rest, { method: "DELETE" });
  await client.close(true);
});
