/** `__consumer_offsets` as Kafka's own tools read it, and the configs of groups as they set them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { installKafka } from "../../.ci/clients/install.ts";
import { startServer } from "../../lib/server/start.ts";
import type { RunningServer } from "../../lib/server/types.ts";
import { run } from "./run.ts";

const installed = installKafka();
installed.catch(() => {});
let server: RunningServer;

beforeAll(async () => {
  await installed;
  const any = { host: "127.0.0.1", port: 0 };
  server = await startServer({ storage: "memory", http: any, kafka: any });
});
afterAll(() => server.close());

async function classPath(skip: (why: string) => never): Promise<string> {
  const found = await installed;
  return found.missing === undefined ? found.classPath : skip(found.missing);
}

async function java(path: string, tool: string, ...args: string[]): Promise<string> {
  return run("java", ["-cp", path, tool, "--bootstrap-server", server.kafka as string, ...args]);
}

test("kafka-console-consumer with Kafka's own formatter shows every commit", async ({ skip }) => {
  const path = await classPath(skip);
  await server.log.createTopic({ name: "orders", partitions: 2 });
  const commit = async (offset: number, metadata: string): Promise<void> => {
    const response = await fetch(`${server.url}/v1/groups/billing/offsets`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ offsets: [{ topic: "orders", partition: 1, offset, metadata }] }),
    });
    expect(response.status).toBe(200);
  };
  for (const offset of [0, 1, 2]) await commit(offset, `after ${offset}`);
  const out = await java(
    path,
    "org.apache.kafka.tools.consumer.ConsoleConsumer",
    ...["--topic", "__consumer_offsets", "--from-beginning", "--max-messages", "3", "--timeout-ms", "60000"],
    ...["--formatter", "org.apache.kafka.tools.consumer.OffsetsMessageFormatter"],
  );
  // One after the other, with nothing between.
  const shown = JSON.parse(`[${out.trim().replaceAll("}{", "},{")}]`);
  expect(shown).toEqual(
    [0, 1, 2].map((offset) => ({
      key: { type: 1, data: { group: "billing", topic: "orders", partition: 1 } },
      value: {
        version: 3,
        data: { offset, leaderEpoch: -1, metadata: `after ${offset}`, commitTimestamp: expect.any(Number) },
      },
    })),
  );
  expect(await java(path, "org.apache.kafka.tools.TopicCommand", "--list", "--exclude-internal")).not.toContain("__");
  expect(await java(path, "org.apache.kafka.tools.TopicCommand", "--list")).toContain("__consumer_offsets");
});

test("kafka-configs sets and shows the configs of a group", async ({ skip }) => {
  const path = await classPath(skip);
  const configs = (...args: string[]): Promise<string> =>
    java(path, "kafka.admin.ConfigCommand", "--entity-type", "groups", "--entity-name", "billing", ...args);
  await configs("--alter", "--add-config", "consumer.session.timeout.ms=60000");
  expect(await configs("--describe")).toContain("consumer.session.timeout.ms=60000");
  expect(await configs("--describe", "--all")).toContain("consumer.heartbeat.interval.ms=5000");
  await configs("--alter", "--delete-config", "consumer.session.timeout.ms");
  expect(await configs("--describe")).not.toContain("consumer.session.timeout.ms=60000");
  await expect(configs("--alter", "--add-config", "consumer.session.timeout.ms=1")).rejects.toThrow("it takes a whole number");
});
