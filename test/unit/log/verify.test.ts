/** What is damaged is found and named, the rest stays readable. */
import { beforeEach, describe, expect, test } from "vitest";
import { SEAL_POLICY } from "../../../lib/log/append/seal.ts";
import { roll } from "../../../lib/log/jobs/index.ts";
import { ROLL_POLICY } from "../../../lib/log/jobs/plan-roll.ts";
import type { VerifyEvent } from "../../../lib/log/types.ts";
import type { Item } from "../../../lib/ports/index.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { type Bench, batchOf, logOverMemory, readAll, texts } from "./support.ts";

type Problem = Extract<VerifyEvent, { kind: "problem" }>;
let bench: Bench;

/** Two segments (offsets 0 to 7 and 8 to 15), a run (16 to 19) and a tail (20 to 21), two records an append. */
beforeEach(async () => {
  bench = logOverMemory({ sealing: { ...SEAL_POLICY, runRefs: 2 } });
  await bench.log.createTopic({ name: "t", partitions: 2 });
  const append = async (count: number) => {
    for (let i = 0; i < count; i++) await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["x".repeat(50), "y"]) });
  };
  for (let i = 0; i < 2; i++) {
    await append(4);
    const { storage, clock } = bench;
    const parts = { storage, clock, ids: systemIds(clock), policy: { ...ROLL_POLICY, graceMs: 0 } };
    clock.ms += 10;
    await roll(parts, { untilMs: Number.POSITIVE_INFINITY });
  }
  await append(3);
});

async function verify(): Promise<VerifyEvent[]> {
  const events: VerifyEvent[] = [];
  for await (const event of bench.log.verify("t", [0])) events.push(event);
  return events;
}

async function problems(): Promise<string[]> {
  const found = (await verify()).filter((event): event is Problem => event.kind === "problem");
  return found.map(({ baseOffset, lastOffset, where, what }) => `${baseOffset}-${lastOffset} ${kindOf(where)}: ${what}`);
}

function kindOf(where: string): string {
  return where.startsWith("segments/") ? "segment" : where.startsWith("blob ") ? "blob" : where;
}

async function segments(): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of bench.storage.bucket.list("segments/")) keys.push(...page.map(({ key }) => key));
  return keys.sort((a, b) => (a.slice(-24) < b.slice(-24) ? -1 : 1));
}

async function rewrite(index: number, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const key = (await segments())[index] as string;
  const bytes = (await bench.storage.bucket.get(key)) as Uint8Array;
  await bench.storage.bucket.delete([key]);
  await bench.storage.bucket.put(key, change(bytes));
}

async function changeSegmentItem(change: (item: Item) => Item): Promise<void> {
  const { id } = await bench.log.topic("t");
  const [first] = await bench.storage.table.range(`P#${id}#0`, { from: "S#", to: "S#~" });
  if (first !== undefined) await bench.storage.table.write({ op: "put", key: first.key, item: change(first.item) });
}

test("a log as it was written has no problem, and everything in it is counted", async () => {
  const events = await verify();
  expect(events.at(-1)).toMatchObject({
    kind: "partition",
    logStartOffset: 0,
    logEndOffset: 22,
    records: 22,
    segments: 2,
    blobs: 3,
    problems: 0,
  });
  expect(events.filter(({ kind }) => kind === "progress").at(-1)).toMatchObject({ offset: 22, logEndOffset: 22 });
});

describe("damage is named, and the rest is checked and read all the same:", () => {
  test("a flipped bit", async () => {
    await rewrite(0, (bytes) => bytes.with(70, (bytes[70] as number) ^ 1));
    expect(await problems()).toEqual(["0-1 segment: the batch does not match its CRC"]);
    expect(await readAll(bench.log, "t", 0, 8)).toHaveLength(14);
  });

  test("a segment that is gone", async () => {
    const [first = ""] = await segments();
    await bench.storage.bucket.delete([first]);
    expect(await problems()).toEqual(["0-7 segment: the index names it, and it is not there"]);
    const error = await bench.log.read({ topic: "t", partition: 0, offset: 0 }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "corrupt_log", details: { object: first, nextOffset: 8 } });
    expect(error.message).toBe(`segment ${first} (offsets 0 to 7) is not in the bucket`);
    expect(await readAll(bench.log, "t", 0, 8)).toHaveLength(14);
  });

  test("a segment that was cut", async () => {
    await rewrite(1, (bytes) => bytes.subarray(0, bytes.byteLength - 20));
    expect(await problems()).toEqual([
      expect.stringMatching(/^8-15 segment: the object has \d+ bytes; the index says \d+$/),
      expect.stringMatching(/^14-15 segment: byte \d+: \d+ bytes that are no whole batch$/),
    ]);
    await expect(bench.log.read({ topic: "t", partition: 0, offset: 14 })).rejects.toMatchObject({
      code: "corrupt_log",
      details: { nextOffset: 16 },
    });
    expect(texts(await readAll(bench.log, "t", 0, 16))).toHaveLength(6);
  });

  test("bytes that were put behind a segment's end", async () => {
    await rewrite(1, (bytes) => new Uint8Array([...bytes, 0, 0]));
    expect(await problems()).toEqual([expect.stringMatching(/^8-15 segment: the object has more than the \d+ bytes/)]);
  });

  test("a segment of garbage", async () => {
    await rewrite(0, (bytes) => bytes.fill(255));
    expect(await problems()).toEqual([expect.stringMatching(/^0-7 segment: byte 0: /)]);
    await expect(bench.log.read({ topic: "t", partition: 0, offset: 3 })).rejects.toMatchObject({ code: "corrupt_log" });
  });

  test("an index that points between batches, and one with a wrong timestamp", async () => {
    await changeSegmentItem((item) => {
      const index = (item["x"] as Uint8Array).slice();
      index[7] = 3;
      return { ...item, x: index };
    });
    expect(await problems()).toEqual([
      "0-0 segment: the entry of the index for offset 0 points to byte 3, where no batch begins",
      "0-0 segment: the entry of the index for offset 0 says -140737488355328 for the largest timestamp before it, which is 1700000000000",
    ]);
    await changeSegmentItem((item) => ({ ...item, m: 5 }));
    expect(await problems()).toContainEqual(expect.stringContaining("the index says 5"));
  });

  test("a segment whose item was lost: no offset is given for the records of another", async () => {
    const { id } = await bench.log.topic("t");
    const [first] = await bench.storage.table.range(`P#${id}#0`, { from: "S#", to: "S#~" });
    if (first !== undefined) await bench.storage.table.write({ op: "delete", key: first.key });
    expect(await problems()).toEqual(["0-7 index: no segment and no run has these offsets"]);
  });

  test("a blob that is gone", async () => {
    const infos = [];
    for await (const page of bench.storage.blobs.list(new Uint8Array(16).fill(255))) infos.push(...page);
    await bench.storage.blobs.delete(infos);
    expect(await problems()).toEqual(
      ["16-17", "18-19", "20-21"].map((range) => `${range} blob: the index names it, and it is not there`),
    );
    await expect(bench.log.read({ topic: "t", partition: 0, offset: 17 })).rejects.toMatchObject({
      code: "corrupt_log",
      message: expect.stringMatching(/^the stored bytes of offsets 16 to 17 \(blob [0-9A-Z]{26}\) are not in the storage$/),
      details: { nextOffset: 18 },
    });
  });
});

test("an index item of a newer program is refused clearly", async () => {
  await changeSegmentItem((item) => ({ ...item, v: 2 }));
  const refused = { code: "unsupported_version", message: expect.stringContaining("a segment has format version 2") };
  await expect(verify()).rejects.toMatchObject(refused);
  await expect(bench.log.read({ topic: "t", partition: 0, offset: 0 })).rejects.toMatchObject(refused);
});

test("a partition that does not exist is refused", async () => {
  await expect(async () => {
    for await (const _ of bench.log.verify("t", [2]));
  }).rejects.toMatchObject({ code: "unknown_partition" });
});
