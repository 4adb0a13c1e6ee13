/** The real log over AWS, or what stands for it, by several processes at once. */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, inject, test } from "vitest";
import { dropPlaces, makePlace, openStorage, type Place } from "./support/storage.ts";
import { type Job, openLog, type Report, readAll, violations } from "./support/writer.ts";

const PARTITIONS = 2;

function runProcess(place: Place, job: Job): Promise<Report> {
  const script = fileURLToPath(new URL("./support/writer-process.ts", import.meta.url));
  const child = fork(script, [JSON.stringify({ place, job })], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  return new Promise((resolve, reject) => {
    let report: Report | undefined;
    child.on("message", (message) => {
      report = message as Report;
    });
    child.on("error", reject);
    child.on("exit", (code) => (report === undefined ? reject(new Error(`${job.name} exited with ${code}`)) : resolve(report)));
  });
}

function manyWriters(endpoint: string, s3Endpoint: string): void {
  test("four processes append to two partitions at once: dense offsets, every record where its sender was told", async () => {
    const place = await makePlace(endpoint, s3Endpoint);
    const storage = openStorage(place);
    const log = openLog(storage);
    const topic = `t-${randomBytes(4).toString("hex")}`;
    await log.createTopic({ name: topic, partitions: PARTITIONS });
    const reports = await Promise.all(
      [0, 1, 2, 3].map((i) =>
        runProcess(place, { topic, partitions: PARTITIONS, name: `p${i}`, plain: 2, idempotent: 2, requests: 15 }),
      ),
    );
    expect(reports.flatMap(({ errors }) => errors)).toEqual([]);
    // 15 requests of one, two and three records.
    expect(reports.map(({ acked }) => acked.length)).toEqual(reports.map(() => 4 * PARTITIONS * 30));
    expect(await violations(log, topic, PARTITIONS, reports)).toEqual([]);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      expect((await readAll(log, topic, partition)).length).toBe(4 * 4 * 30);
    }
    await log.close();
    await storage.close();
  });

  test("a partition is read again from any offset by a process that did not write it", async () => {
    const place = await makePlace(endpoint, s3Endpoint);
    const [writing, reading] = [openStorage(place), openStorage(place)];
    const [writer, reader] = [openLog(writing), openLog(reading)];
    await writer.createTopic({ name: "t", partitions: 1 });
    const encoder = new TextEncoder();
    const { encodeBatch } = await import("../../lib/kafka/index.ts");
    for (let i = 0; i < 40; i++) {
      const key = new Uint8Array(i % 5 === 0 ? 5000 : 5);
      const batches = encodeBatch([{ key, value: encoder.encode(`v${i}`) }], { timestampMs: Date.now() });
      expect((await writer.append({ topic: "t", partition: 0, batches })).baseOffset).toBe(i);
    }
    const texts = (await readAll(reader, "t", 0)).map(({ value }) => new TextDecoder().decode(value ?? undefined));
    expect(texts).toEqual(Array.from({ length: 40 }, (_, i) => `v${i}`));
    await Promise.all([writer.close(), reader.close()]);
    await Promise.all([writing.close(), reading.close()]);
  });
}

afterAll(dropPlaces);

const endpoint = inject("awsEndpoint");
const dynamodbLocal = inject("dynamodbLocalEndpoint");

describe("DynamoDB and S3 of one endpoint", () => manyWriters(endpoint, endpoint));
describe.skipIf(dynamodbLocal === undefined)("DynamoDB Local (needs Java and Maven, and no AWS_ENDPOINT_URL)", () =>
  manyWriters(dynamodbLocal ?? "", endpoint),
);
