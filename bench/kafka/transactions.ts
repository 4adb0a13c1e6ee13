/**
 * `npm run bench:transactions`: transactions in a second, one server at a time, medians over the rounds: Kafka's own producer, KafkaJS over TCP and through
 * `POST /kafka`, and our own atomic request, beside a real Kafka 4; and Kafka's ProducerPerformance with a transactional id. A table (`--json`: as JSON) and
 * `bench/results/transactions.json`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import { inProcess } from "../support/processes.ts";
import { Results } from "../support/results.ts";
import { eachServer } from "./beside.ts";
import { kafkaClassPath } from "./broker.ts";
import type { MeasuredServer } from "./servers.ts";
import { javaTransactions, producerPerformance } from "./tools.ts";
import { INPUT, OUTPUTS, PARTITIONS, type TransactOrder } from "./transact.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    records: { type: "string", default: "100000" },
    json: { type: "boolean", default: false },
  },
});
const durationMs = Number(values.seconds) * 1000;
const records = Number(values.records);

const SIZES = [
  { workers: 1, records: 1 },
  { workers: 16, records: 1 },
  { workers: 16, records: 100 },
] as const;
const WAYS = { tcp: "KafkaJS", https: "KafkaJS by POST /kafka", request: "client.transaction" } as const;

const loadBefore = loadavg().map((load) => Number(load.toFixed(2)));
const dir = mkdtempSync(join(tmpdir(), "brokerless-bench-transactions-"));
const results = new Results();

async function createTopics(server: MeasuredServer): Promise<void> {
  const admin = new Kafka({ brokers: [server.kafka], logLevel: logLevel.NOTHING, retry: { retries: 20 } }).admin();
  await admin.connect();
  const topics = [INPUT, ...OUTPUTS].map((topic) => ({ topic, numPartitions: PARTITIONS, replicationFactor: 1 }));
  await admin.createTopics({ topics: [...topics, { topic: "perf", numPartitions: 1, replicationFactor: 1 }] });
  await admin.disconnect();
}

async function measure(classPath: string, server: MeasuredServer): Promise<void> {
  await createTopics(server);
  const { kafka, url = "" } = server;
  for (const size of SIZES) {
    const what = `${size.workers} at once, 2 x ${size.records} records and an offset`;
    results.note(server.name, `${what}, Kafka's producer`, await javaTransactions(classPath, { kafka, ...size, durationMs }));
    for (const by of url === "" ? (["tcp"] as const) : (["tcp", "https", "request"] as const)) {
      const order: TransactOrder = { by, kafka, url, ...size, durationMs };
      results.note(server.name, `${what}, ${WAYS[by]}`, await inProcess("bench/kafka/transact-load.ts", order));
    }
  }
  const committing = ["--transactional-id", "perf", "--transaction-duration-ms", "100"];
  const what = "ProducerPerformance, a commit every 100 ms (records per second)";
  results.note(server.name, what, await producerPerformance(classPath, kafka, "perf", records, ["acks=all"], committing));
}

try {
  const classPath = await kafkaClassPath();
  for (let round = 0; round < Number(values.rounds); round++) {
    await eachServer(classPath, dir, (server) => measure(classPath, server));
  }
  const settings = { seconds: Number(values.seconds), rounds: Number(values.rounds), records, loadBefore };
  results.tell("transactions", settings, values.json);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
