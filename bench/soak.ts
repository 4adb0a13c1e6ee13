/**
 * A soak: an embedded server in a process of its own, produced to and consumed from for a long time while all jobs run on their
 * schedules; topics by time, by size and compacted, and one that is deleted and made again. Prints a line a minute, and at the
 * end whether memory and files stayed bounded. `npm run soak -- --minutes 60`; the folder is left where it is with --keep.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Brokerless } from "../lib/client/index.ts";
import { nodeCodecs } from "../lib/kafka/codecs/node.ts";
import { served } from "./support/processes.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    "kilobytes-per-second": { type: "string", default: "1024" },
    keep: { type: "boolean", default: false },
  },
});
const MINUTES = Number(values.minutes);
const BYTES_PER_SECOND = Number(values["kilobytes-per-second"]) * 1024;
const VALUE_BYTES = 1000;
const TICK_MS = 100;

const TOPICS = {
  "by-time": { partitions: 3, configs: { "retention.ms": "300000", "segment.bytes": "16777216" }, share: 0.4 },
  "by-size": { partitions: 2, configs: { "retention.bytes": "33554432", "segment.bytes": "8388608" }, share: 0.4 },
  compacted: { partitions: 2, configs: { "cleanup.policy": "compact", "segment.bytes": "8388608" }, share: 0.15 },
  passing: { partitions: 1, configs: {}, share: 0.05 },
} as const;
type Name = keyof typeof TOPICS;
const NAMES = Object.keys(TOPICS) as Name[];
/** Of the compacted topic. */
const KEYS = 5000;

const data = await mkdtemp(join(tmpdir(), "brokerless-soak-"));
const server = await served("bin/brokerless.ts", ["serve", "--http", "127.0.0.1:0", "--kafka", "off", "--data", data]);
const client = new Brokerless({ url: `http://127.0.0.1:${server.port}`, codecs: nodeCodecs });
for (const name of NAMES) await client.admin.createTopic({ name, ...TOPICS[name] });

const counts = { produced: 0, consumed: 0, wrong: 0, failures: 0 };
const stop = new AbortController();
const startedAtMs = performance.now();
const producers = NAMES.map((name) => produce(name));
const consumers = (["by-time", "by-size"] as const).map((name) => consume(name));
interface Sample {
  readonly minute: number;
  readonly rssMb: number;
  readonly dataMb: number;
  readonly files: number;
  readonly tableMb: number;
}
const samples: Sample[] = [];
console.log("minute  produced  consumed  rss MB  data MB  files  table MB");
for (let minute = 1; minute <= MINUTES && server.process.exitCode === null; minute++) {
  await new Promise((resolve) => setTimeout(resolve, 60_000));
  const sample = await measure(minute);
  samples.push(sample);
  const { rssMb, dataMb, files, tableMb } = sample;
  console.log(
    [minute, counts.produced, counts.consumed, rssMb, dataMb, files, tableMb].map((cell) => String(cell).padStart(8)).join(" "),
  );
  if (minute % 10 === 0) await anew();
}
stop.abort();
await Promise.allSettled([...producers, ...consumers]);
const problems = await verify();
await server.stop();
if (!values.keep) await rm(data, { recursive: true });
judge();

/** What one topic gets, at its share of the rate, in order: each value says its number. */
async function produce(name: Name): Promise<void> {
  const perTick = Math.max(1, Math.round((BYTES_PER_SECOND * TOPICS[name].share * TICK_MS) / 1000 / VALUE_BYTES));
  const padding = "x".repeat(VALUE_BYTES - 12);
  const producer = client.producer();
  for (let n = 0; !stop.signal.aborted; ) {
    const until = performance.now() + TICK_MS;
    const sent = Array.from({ length: perTick }, () => {
      const value = `${String(n).padStart(12, "0")}${padding}`;
      const key = `key-${name === "compacted" ? (n * 7919) % KEYS : n}`;
      n++;
      return producer.send({ topic: name, key, value });
    });
    const settled = await Promise.allSettled(sent);
    counts.produced += settled.filter(({ status }) => status === "fulfilled").length;
    // Of the topic that comes and goes some fail.
    if (name !== "passing") counts.failures += settled.filter(({ status }) => status === "rejected").length;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, until - performance.now())));
  }
  await producer.close().catch(() => {});
}

/** Reads everything as it comes; offsets follow each other without a gap. */
async function consume(name: Name): Promise<void> {
  const next = new Map<number, number>();
  for await (const batch of client.reader({ topic: name, from: "earliest", signal: stop.signal }).batches()) {
    if (batch.firstOffset !== (next.get(batch.partition) ?? batch.firstOffset)) counts.wrong++;
    next.set(batch.partition, batch.nextOffset);
    counts.consumed += batch.nextOffset - batch.firstOffset;
  }
}

/** The topic that comes and goes. */
async function anew(): Promise<void> {
  await client.admin.deleteTopic("passing").catch(() => {});
  await client.admin.createTopic({ name: "passing", ...TOPICS.passing }).catch(() => {});
}

async function verify(): Promise<number> {
  let found = 0;
  for (const name of NAMES) for await (const line of client.admin.verify(name)) if (line.kind === "problem") found++;
  return found;
}

async function measure(minute: number): Promise<Sample> {
  const { sizeBytes, files } = await sizeOf(data);
  const tableBytes = (await stat(join(data, "brokerless.db"))).size;
  return { minute, rssMb: Math.round(server.memoryMegabytes()), dataMb: mb(sizeBytes), files, tableMb: mb(tableBytes) };
}

async function sizeOf(folder: string): Promise<{ sizeBytes: number; files: number }> {
  const total = { sizeBytes: 0, files: 0 };
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    // A file may go while it is looked at.
    total.sizeBytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
    total.files++;
  }
  return total;
}

function mb(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** Once the retention is in force, the last third is not above the third before it by more than a quarter. */
function judge(): void {
  const third = Math.floor(samples.length / 3);
  const most = (name: keyof Sample, from: number, to: number): number =>
    Math.max(...samples.slice(from, to).map((one) => one[name]));
  let flat = true;
  for (const name of ["rssMb", "dataMb", "files", "tableMb"] as const) {
    const before = most(name, third, 2 * third);
    const after = most(name, 2 * third, samples.length);
    const holds = third === 0 || after <= before * 1.25 + 10;
    flat &&= holds;
    console.log(`${name}: at most ${before} in the second third, ${after} in the last: ${holds ? "bounded" : "GROWS"}`);
  }
  const { produced, consumed, wrong, failures } = counts;
  console.log(
    `${produced} produced, ${consumed} consumed, ${wrong} out of order, ${failures} failed, ${problems} problems found by verify`,
  );
  if (!flat || wrong > 0 || failures > 0 || problems > 0) process.exitCode = 1;
  console.log(`${Math.round((performance.now() - startedAtMs) / 60_000)} minutes: ${process.exitCode === 1 ? "FAILED" : "ok"}`);
}
