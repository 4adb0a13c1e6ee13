/** Kafka's own performance tools, and what they print. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Measured } from "../load/order.ts";
import { INPUT, OUTPUTS, PARTITIONS, type TransactOrder } from "./transact.ts";

const PRODUCER = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER = "org.apache.kafka.tools.ConsumerPerformance";
const SHARE_CONSUMER = "org.apache.kafka.tools.ShareConsumerPerformance";

async function java(classPath: string, main: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("java", ["-Xmx512m", "-cp", classPath, main, ...args], {
    maxBuffer: 2 ** 26,
    timeout: 300_000,
  });
  return stdout;
}

/** So many records of 1,000 bytes, as fast as it goes, with the given settings of the producer and more arguments. */
export async function producerPerformance(
  classPath: string,
  kafka: string,
  topic: string,
  records: number,
  settings: readonly string[],
  more: readonly string[] = [],
): Promise<Measured> {
  const args = ["--bootstrap-server", kafka, "--topic", topic, "--num-records", String(records), "--record-size", "1000"];
  const out = await java(classPath, PRODUCER, [...args, "--throughput", "-1", ...more, "--command-property", ...settings]);
  const last = out.trim().split("\n").at(-1) ?? "";
  const found = /([\d.]+) records\/sec .* ([\d.]+) ms 50th, .* ([\d.]+) ms 99th/.exec(last);
  if (found === null) throw new Error(`ProducerPerformance printed: ${out}`);
  const perSecond = Number(found[1]);
  return { perSecond, megabytesPerSecond: perSecond / 1000, p50Ms: Number(found[2]), p99Ms: Number(found[3]) };
}

/** Reads so many records of a topic in a group of its own; joining is not counted. */
export async function consumerPerformance(classPath: string, kafka: string, topic: string, records: number): Promise<Measured> {
  const args = ["--bootstrap-server", kafka, "--topic", topic, "--num-records", String(records)];
  const out = await java(classPath, CONSUMER, [...args, "--timeout", "60000", "--hide-header"]);
  // start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s
  const row = out.trim().split("\n").at(-1)?.split(", ") ?? [];
  if (row.length < 10 || Number(row[4]) < records) throw new Error(`ConsumerPerformance printed: ${out}`);
  return { perSecond: Number(row[9]), megabytesPerSecond: (Number(row[8]) * 2 ** 20) / 1e6 };
}

/**
 * Takes and acknowledges so many records of a topic, in a share group of the topic's name, with so many consumers in one process. What was
 * taken is acknowledged with the next poll. Joining is not counted: time begins where the first consumer tells of its first records.
 */
export async function shareConsumerPerformance(
  classPath: string,
  kafka: string,
  topic: string,
  records: number,
  threads: number,
): Promise<Measured> {
  const args = ["--bootstrap-server", kafka, "--topic", topic, "--group", topic, "--num-records", String(records)];
  const telling = ["--show-detailed-stats", "--reporting-interval", "100", "--hide-header", "--timeout", "60000"];
  const out = await java(classPath, SHARE_CONSUMER, [...args, "--threads", String(threads), ...telling]);
  // start, end, MB, MB/s, records/s, records so far, ms; the last row is the sum
  const rows = out
    .trim()
    .split("\n")
    .map((line) => line.split(", "))
    .map(([, end, , , , seen]) => ({ endMs: javaTimeMs(end), seen: Number(seen) }));
  const [first, last] = [rows.find(({ seen }) => seen > 0), rows.at(-1)];
  if (first === undefined || last === undefined || !(last.seen >= records) || first === last)
    throw new Error(`ShareConsumerPerformance printed: ${out}`);
  const perSecond = ((last.seen - first.seen) * 1000) / (last.endMs - first.endMs);
  return { perSecond, megabytesPerSecond: perSecond / 1000 };
}

/** What `transact` does, by Kafka's own producer: `Transact.java`. */
export async function javaTransactions(classPath: string, order: Omit<TransactOrder, "by" | "url">): Promise<Measured> {
  const { kafka, workers, records, durationMs } = order;
  const sizes = [workers, records, durationMs, PARTITIONS].map(String);
  const args = [kafka, `java-${workers}-${records}`, ...sizes, INPUT, ...OUTPUTS];
  const program = fileURLToPath(new URL("Transact.java", import.meta.url));
  return JSON.parse(await java(classPath, program, args)) as Measured;
}

/** Of `2026-01-31 23:59:59:999`. */
function javaTimeMs(text = ""): number {
  return Date.parse(`${text.slice(0, 19).replace(" ", "T")}.${text.slice(20)}Z`);
}
