import { beforeEach, describe, expect, test } from "vitest";
import { SEAL_POLICY } from "../../../lib/log/append/seal.ts";
import { retain, roll } from "../../../lib/log/jobs/index.ts";
import { startAfterRetention } from "../../../lib/log/jobs/plan-retention.ts";
import { ROLL_POLICY } from "../../../lib/log/jobs/plan-roll.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { type Bench, batchOf, logOverMemory, readAll, texts } from "./support.ts";

const NO_LIMIT = { retentionMs: -1, retentionBytes: -1 };

describe("the policy", () => {
  const pieces = [100, 300, 200, 400].map((maxTimestampMs, i) => ({ end: (i + 1) * 10, maxTimestampMs, sizeBytes: 50 }));

  test("by time gives up a prefix only: an old piece behind a young one stays", () => {
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionMs: 100 }, 350)).toBe(10);
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionMs: 100 }, 450)).toBe(30);
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionMs: 100 }, 501)).toBe(40);
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionMs: 100 }, 200)).toBe(0);
  });

  test("by size gives up what is over the limit as a whole", () => {
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionBytes: 200 }, 0)).toBe(0);
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionBytes: 151 }, 0)).toBe(0);
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionBytes: 150 }, 0)).toBe(10);
    expect(startAfterRetention(pieces, 0, { ...NO_LIMIT, retentionBytes: 0 }, 0)).toBe(40);
  });

  test("-1 is no limit, and the start never goes back", () => {
    expect(startAfterRetention(pieces, 5, NO_LIMIT, 1e15)).toBe(5);
    expect(startAfterRetention([], 7, { retentionMs: 0, retentionBytes: 0 }, 1e15)).toBe(7);
  });
});

describe("the job", () => {
  let bench: Bench;

  beforeEach(() => {
    bench = logOverMemory();
  });

  const append = (value: string) => bench.log.append({ topic: "t", partition: 0, batches: batchOf([value]) });

  async function rollAndRetain() {
    const { storage, clock } = bench;
    await roll(
      { storage, clock, ids: systemIds(clock), policy: { ...ROLL_POLICY, graceMs: 0 } },
      { untilMs: Number.POSITIVE_INFINITY },
    );
    return retain({ storage, clock, ids: systemIds(clock), graceMs: 0 }, { untilMs: Number.POSITIVE_INFINITY });
  }

  async function keptBytes(): Promise<number> {
    let bytes = 0;
    for await (const page of bench.storage.blobs.list(new Uint8Array(16).fill(255)))
      for (const one of page) bytes += one.sizeBytes;
    for await (const page of bench.storage.bucket.list("segments/")) for (const one of page) bytes += one.sizeBytes;
    return bytes;
  }

  test("deletes what is older than retention.ms, segments, runs and tail alike, and leaves no bytes behind", async () => {
    await bench.log.createTopic({ name: "t", configs: { "retention.ms": "1000" } });
    for (let i = 0; i < 40; i++) await append(`v${i}`);
    bench.clock.ms += 500;
    expect(await rollAndRetain()).toMatchObject({ records: 0 });
    bench.clock.ms += 1000;
    expect(await rollAndRetain()).toMatchObject({ records: 40, segmentsDeleted: 1 });
    expect(await bench.log.partitions("t")).toMatchObject([{ partition: 0, logStartOffset: 40, logEndOffset: 40 }]);
    expect(await keptBytes()).toBe(0);
    await append("new");
    expect(texts(await readAll(bench.log, "t", 0, 40))).toEqual(["new"]);
  });

  test("takes a tail away that is longer than one update may drop", async () => {
    bench = logOverMemory({ sealing: { ...SEAL_POLICY, runRefs: 1000 } });
    await bench.log.createTopic({ name: "t" });
    for (let i = 0; i < 230; i++) await append(`v${i}`);
    await bench.log.deleteRecords("t", 0, 225);
    for (let run = 0; run < 3; run++) await rollAndRetain();
    expect(texts(await readAll(bench.log, "t", 0, 225))).toEqual(["v225", "v226", "v227", "v228", "v229"]);
    expect(await keptBytes()).toBeLessThan(6 * 80);
  });

  test("keeps a log within retention.bytes, and takes a changed policy up at its next run", async () => {
    await bench.log.createTopic({ name: "t" });
    for (let i = 0; i < 100; i++) await append("x".repeat(1000));
    bench.clock.ms += 100;
    expect(await rollAndRetain()).toMatchObject({ records: 0 });
    await bench.log.alterConfigs("t", { "retention.bytes": "3000" });
    await rollAndRetain();
    expect(await keptBytes()).toBeLessThanOrEqual(5000);
    const { logStartOffset = -1, logEndOffset } = (await bench.log.partitions("t"))[0] ?? {};
    expect(logEndOffset).toBe(100);
    await expect(bench.log.read({ topic: "t", partition: 0, offset: logStartOffset - 1 })).rejects.toMatchObject({
      code: "offset_out_of_range",
    });
    expect(await readAll(bench.log, "t", 0, logStartOffset)).toHaveLength(100 - logStartOffset);
  });

  test("does not delete by policy where the policy is compact, and takes away what DeleteRecords left below the start", async () => {
    await bench.log.createTopic({ name: "t", configs: { "retention.ms": "1" } });
    for (let i = 0; i < 40; i++) await append(`v${i}`);
    await bench.log.alterConfigs("t", { "cleanup.policy": "compact" });
    bench.clock.ms += 10_000;
    await bench.log.deleteRecords("t", 0, 36);
    expect(await rollAndRetain()).toMatchObject({ records: 0 });
    expect(await readAll(bench.log, "t", 0, 36)).toHaveLength(4);
    expect(await keptBytes()).toBeLessThan(40 * 71);
  });
});
