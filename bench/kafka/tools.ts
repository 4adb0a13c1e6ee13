/** Kafka's own ProducerPerformance and ConsumerPerformance, and what they print. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Measured } from "../load/order.ts";

const PRODUCER = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER = "org.apache.kafka.tools.ConsumerPerformance";

async function java(classPath: string, main: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("java", ["-Xmx512m", "-cp", classPath, main, ...args], {
    maxBuffer: 2 ** 26,
    timeout: 300_000,
  });
  return stdout;
}

/** So many records of 1,000 bytes, as fast as it goes, with the given settings of the producer. */
export async function producerPerformance(
  classPath: string,
  kafka: string,
  topic: string,
  records: number,
  settings: readonly string[],
): Promise<Measured> {
  const args = ["--topic", topic, "--num-records", String(records), "--record-size", "1000", "--throughput", "-1"];
  const out = await java(classPath, PRODUCER, [...args, "--producer-props", `bootstrap.servers=${kafka}`, ...settings]);
  const last = out.trim().split("\n").at(-1) ?? "";
  const found = /([\d.]+) records\/sec .* ([\d.]+) ms 50th, .* ([\d.]+) ms 99th/.exec(last);
  if (found === null) throw new Error(`ProducerPerformance printed: ${out}`);
  const perSecond = Number(found[1]);
  return { perSecond, megabytesPerSecond: perSecond / 1000, p50Ms: Number(found[2]), p99Ms: Number(found[3]) };
}

/** Reads so many records of a topic in a group of its own; joining is not counted. */
export async function consumerPerformance(
  classPath: string,
  folder: string,
  kafka: string,
  topic: string,
  records: number,
): Promise<Measured> {
  const config = join(folder, "consumer.properties");
  writeFileSync(config, "auto.offset.reset=earliest\n");
  const args = ["--bootstrap-server", kafka, "--topic", topic, "--messages", String(records), "--consumer.config", config];
  const out = await java(classPath, CONSUMER, [...args, "--timeout", "60000", "--hide-header"]);
  // start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s
  const row = out.trim().split("\n").at(-1)?.split(", ") ?? [];
  if (row.length < 10 || Number(row[4]) < records) throw new Error(`ConsumerPerformance printed: ${out}`);
  return { perSecond: Number(row[9]), megabytesPerSecond: (Number(row[8]) * 2 ** 20) / 1e6 };
}
