/**
 * `npm run bench:queue`: messages received and acknowledged in a second, one server at a time, medians over the rounds: ours over HTTP and
 * by its TypeScript client, beside NATS JetStream; and over Kafka's protocol, by Kafka's own ShareConsumerPerformance, ours beside
 * a real Kafka 4. A table (`--json`: as JSON) and `bench/results/queue.json`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { eachServer } from "../kafka/beside.ts";
import { kafkaClassPath } from "../kafka/broker.ts";
import { type MeasuredServer, startBrokerless } from "../kafka/servers.ts";
import { shareConsumerPerformance } from "../kafka/tools.ts";
import { inProcess } from "../support/processes.ts";
import { Results } from "../support/results.ts";
import { createTopic } from "../support/server.ts";
import { beginAtEarliest, fillOverKafka } from "./groups.ts";
import { natsProgram, startNats } from "./nats.ts";
import { fill, type WorkOrder } from "./work.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    records: { type: "string", default: "200000" },
    only: { type: "string", default: "http,wire" },
    json: { type: "boolean", default: false },
  },
});
const durationMs = Number(values.seconds) * 1000;
const records = Number(values.records);
const parts = values.only.split(",");

/** Records of each are enough for the fastest server; what is left over costs nobody. */
const SCENARIOS = [
  { what: "1 worker, one by one", workers: 1, messages: 1, records: records / 4 },
  { what: "16 workers, one by one", workers: 16, messages: 1, records },
  { what: "1 worker, 500 in a call", workers: 1, messages: 500, records: records * 4 },
] as const;
const BY_CLIENT = [
  { what: "for await, one by one", workers: 1, messages: 100, records: records / 4 },
  { what: "queue.work, 16 at once", workers: 16, messages: 100, records: records / 4 },
] as const;

const loadBefore = loadavg().map((load) => Number(load.toFixed(2)));
const dir = mkdtempSync(join(tmpdir(), "brokerless-bench-queue-"));
const results = new Results();

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(dir, "data-"));
  await use(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
}

async function ours(folder: string): Promise<void> {
  const server = await startBrokerless(folder);
  const url = server.url ?? "";
  try {
    for (const { by, name, scenarios } of [
      { by: "http", name: "Brokerless, HTTP", scenarios: SCENARIOS },
      { by: "client", name: "Brokerless, client", scenarios: BY_CLIENT },
    ] as const) {
      for (const { what, workers, messages, records } of scenarios) {
        const topic = `${by}-${workers}-${messages}`;
        await createTopic(Number(new URL(url).port), topic);
        await fill(url, topic, records);
        const order: WorkOrder = { by, url, topic, group: topic, workers, messages, durationMs };
        results.note(name, what, await inProcess("bench/queue/load.ts", order));
      }
    }
  } finally {
    await server.stop();
  }
}

/** Filled without syncs, which would only take longer; then started again as it is measured. */
async function nats(program: string, folder: string, sync: "default" | "always"): Promise<void> {
  const filling = await startNats(program, folder, "default");
  for (const { workers, messages, records } of SCENARIOS) await filling.fill(`jobs-${workers}-${messages}`, records);
  await filling.stop();
  const server = await startNats(program, folder, sync);
  try {
    for (const { what, workers, messages } of SCENARIOS) {
      const measured = await server.work(`jobs-${workers}-${messages}`, workers, messages, durationMs);
      results.note(`NATS JetStream, sync ${sync}`, what, measured);
    }
  } finally {
    await server.stop();
  }
}

async function wire(classPath: string, server: MeasuredServer): Promise<void> {
  for (const threads of [1, 4]) {
    const topic = `wire-${threads}`;
    await fillOverKafka(server.kafka, topic, records);
    await beginAtEarliest(server.kafka, topic);
    const measured = await shareConsumerPerformance(classPath, server.kafka, topic, records, threads);
    results.note(server.name, `ShareConsumerPerformance, ${threads} of them`, measured);
  }
}

try {
  const program = parts.includes("http") ? await natsProgram() : undefined;
  const classPath = parts.includes("wire") ? await kafkaClassPath() : undefined;
  for (let round = 0; round < Number(values.rounds); round++) {
    if (parts.includes("http")) await withFolder(ours);
    if (program !== undefined)
      for (const sync of ["default", "always"] as const) await withFolder((folder) => nats(program, folder, sync));
    if (classPath === undefined) continue;
    await eachServer(classPath, dir, (server) => wire(classPath, server));
  }
  const settings = { seconds: Number(values.seconds), rounds: Number(values.rounds), records, loadBefore };
  results.tell("queue", settings, values.json);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
