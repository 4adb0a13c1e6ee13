/** Bulk replay over S3's presigned URLs, through an agent. */
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, inject, test } from "vitest";
import { Brokerless } from "../../lib/client/index.ts";
import { encodeBatch } from "../../lib/kafka/index.ts";
import { roll } from "../../lib/log/jobs/index.ts";
import { ROLL_POLICY } from "../../lib/log/jobs/plan-roll.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";
import { start } from "../e2e/cli/process.ts";
import { startAgent } from "./support/agent.ts";
import { dropPlaces, makePlace, openStorage } from "./support/storage.ts";
import { openLog } from "./support/writer.ts";

afterAll(dropPlaces);

test("a replay takes what is rolled from S3 and the rest through the agent: every record once, in order", async () => {
  const place = await makePlace(inject("awsEndpoint"));
  const storage = openStorage(place);
  const log = openLog(storage);
  await log.createTopic({ name: "t", partitions: 2 });
  const append = (partition: number, from: number) =>
    log.append({
      topic: "t",
      partition,
      batches: encodeBatch(
        Array.from({ length: 50 }, (_, i) => ({ key: null, value: Buffer.from(`${partition}:${from + i}`.padEnd(200, ".")) })),
        { timestampMs: systemClock.nowMs() },
      ),
    });
  const ROLLED = 4000;
  await Promise.all(
    [0, 1].map(async (partition) => {
      for (let from = 0; from < ROLLED; from += 50) await append(partition, from);
    }),
  );
  const policy = { ...ROLL_POLICY, graceMs: Number.NEGATIVE_INFINITY, segmentBytes: 128 * 1024 };
  const report = await roll(
    { storage, clock: systemClock, ids: systemIds(systemClock), policy },
    { untilMs: Number.POSITIVE_INFINITY },
  );
  expect(report.segments).toBeGreaterThan(4);
  await Promise.all([0, 1].map((partition) => append(partition, ROLLED)));

  const agent = await startAgent(place, ["--jobs", "false"]);
  const fromBucket: string[] = [];
  const client = new Brokerless({
    url: agent.url,
    storageFetch: async (input, init) => {
      const { host } = new URL(input);
      fromBucket.push(host);
      const response = await fetch(input, init);
      expect(response.status).toBe(206);
      return response;
    },
  });
  const expected = (partition: number) => Array.from({ length: ROLLED + 50 }, (_, i) => `${partition}:${i}`);
  for (const partition of [0, 1]) {
    const seen: string[] = [];
    for await (const { offset, value } of client.reader({ topic: "t", partitions: partition, follow: false })) {
      expect(offset).toBe(seen.length);
      seen.push(
        Buffer.from(value ?? [])
          .toString()
          .replaceAll(".", ""),
      );
    }
    expect(seen).toEqual(expected(partition));
  }
  expect(fromBucket.length).toBeGreaterThan(4);
  expect(fromBucket).not.toContain(new URL(agent.url).host);

  const file = join(tmpdir(), `bulk-${randomUUID()}.jsonl`);
  expect(await start(["replay", "t", "--to-file", file, "--url", agent.url]).ended).toBe(0);
  const lines = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { partition: number; offset: number });
  for (const partition of [0, 1]) {
    const offsets = lines.filter((one) => one.partition === partition).map(({ offset }) => offset);
    expect(offsets).toEqual(Array.from({ length: ROLLED + 50 }, (_, i) => i));
  }
  await rm(file);
  expect(await agent.stop()).toBe(0);
  await log.close();
  await storage.close();
});
