/**
 * `npm run bench:kafka`: Kafka's own performance tools and two Node clients against this server and against a real Kafka 4, one
 * server at a time, medians over the rounds; connections with their memory; how long rebalances take. A table and
 * `bench/results/kafka.json`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import type { Measured } from "../load/order.ts";
import { inProcess } from "../support/processes.ts";
import { Results } from "../support/results.ts";
import { eachServer } from "./beside.ts";
import { kafkaClassPath } from "./broker.ts";
import { memoryOfConnections } from "./connections.ts";
import type { ClientOrder } from "./load.ts";
import { rebalance } from "./rebalance.ts";
import type { MeasuredServer } from "./servers.ts";
import { consumerPerformance, producerPerformance } from "./tools.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    records: { type: "string", default: "300000" },
    members: { type: "string", default: "2,10,50" },
    connections: { type: "string", default: "2000" },
    json: { type: "boolean", default: false },
  },
});
const durationMs = Number(values.seconds) * 1000;
const records = Number(values.records);
const sizes = values.members.split(",").map(Number);

const classPath = await kafkaClassPath();
const dir = mkdtempSync(join(tmpdir(), "brokerless-bench-kafka-"));
const results = new Results();

async function createTopics(server: MeasuredServer): Promise<void> {
  const admin = new Kafka({ brokers: [server.kafka], logLevel: logLevel.NOTHING, retry: { retries: 20 } }).admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      ...["perf", "acked", "node"].map((topic) => ({ topic, numPartitions: 1, replicationFactor: 1 })),
      ...sizes.map((members) => ({ topic: `members-${members}`, numPartitions: 2 * members, replicationFactor: 1 })),
    ],
  });
  await admin.disconnect();
}

const client = (order: ClientOrder): Promise<Measured> => inProcess("bench/kafka/load.ts", order);
const note = (server: MeasuredServer, what: string, measured: Measured): void => results.note(server.name, what, measured);

async function measure(server: MeasuredServer): Promise<void> {
  await createTopics(server);
  note(server, "connections, KB each (per second column)", {
    perSecond: await memoryOfConnections(server, Number(values.connections)),
  });
  const big = ["batch.size=262144", "linger.ms=5", "acks=all"];
  note(
    server,
    "ProducerPerformance, batches of 256 KB",
    await producerPerformance(classPath, server.kafka, "perf", records, big),
  );
  const plain = await producerPerformance(classPath, server.kafka, "acked", Math.ceil(records / 3), ["acks=all"]);
  note(server, "ProducerPerformance, its defaults", plain);
  note(server, "ConsumerPerformance", await consumerPerformance(classPath, server.kafka, "perf", records));
  for (const name of ["kafkajs", "platformatic"] as const) {
    const order = { client: name, kafka: server.kafka, topic: "node", durationMs, records: 0 };
    note(server, `${name}, 64 x 1 record`, await client({ ...order, kind: "single" }));
    note(server, `${name}, 16 x 100 records`, await client({ ...order, kind: "batch" }));
    note(server, `${name}, consume`, await client({ ...order, topic: "perf", kind: "consume", records: records - 1000 }));
  }
  for (const members of sizes) {
    for (const overHttps of server.url === undefined ? [false] : [false, true]) {
      const way = overHttps ? "HTTP" : "TCP";
      const times = await rebalance(server, `members-${members}`, `${way}-${members}`, members, overHttps);
      note(server, `group of ${members} over ${way}, forms`, { p50Ms: times.formMs });
      note(server, `group of ${members} over ${way}, one joins`, { p50Ms: times.joinMs });
      note(server, `group of ${members} over ${way}, one leaves`, { p50Ms: times.leaveMs });
    }
  }
  note(server, "memory after it, MB (per second column)", { perSecond: server.memoryMegabytes() });
}

try {
  for (let round = 0; round < Number(values.rounds); round++) {
    await eachServer(classPath, dir, measure);
  }
  const settings = { seconds: Number(values.seconds), rounds: Number(values.rounds), records };
  results.tell("kafka", settings, values.json);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
