import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { COMPRESSION_NAMES } from "../../../lib/kafka/index.ts";
import { decodeSegment, segmentObject } from "../../../lib/log/items/segment.ts";
import { retain } from "../../../lib/log/jobs/index.ts";
import { openEmbedded } from "../../../lib/storage/embedded/index.ts";
import { CompactedTopic, FOREVER, timed } from "./compact-support.ts";
import { Died, dyingStorage } from "./crashing-storage.ts";
import { batchOf, readAll, TestClock } from "./support.ts";

/** Sixteen batches over a few keys, with tombstones, rolled into several segments. */
async function filled(topic: CompactedTopic): Promise<void> {
  for (let i = 0; i < 16; i++) {
    await topic.append([
      [`k${i % 5}`, `v${i}`],
      [`k${(i * 3) % 7}`, i % 4 === 0 ? null : `w${i}`],
    ]);
    if (i % 4 === 3) await topic.roll();
  }
}

async function objects(topic: CompactedTopic): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of topic.parts.storage.bucket.list("segments/")) keys.push(...page.map(({ key }) => key));
  return keys.toSorted();
}

async function named(topic: CompactedTopic): Promise<string[]> {
  const { id } = await topic.bench.log.topic("t");
  const found = await topic.parts.storage.table.range(`P#${id}#0`, { from: "S#", to: "S#~" });
  return found.map(({ key, item }) => segmentObject(id, 0, decodeSegment(key, item))).toSorted();
}

const folder = mkdtempSync(join(tmpdir(), "brokerless-compact-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("compaction", () => {
  test("takes nothing out by what is damaged, and does not write it again with a CRC that fits", async () => {
    const topic = await CompactedTopic.make();
    await filled(topic);
    const { bucket } = topic.parts.storage;
    const [first = ""] = await objects(topic);
    const bytes = (await bucket.get(first)) as Uint8Array;
    bytes[bytes.byteLength - 2] = (bytes[bytes.byteLength - 2] as number) ^ 1;
    await bucket.delete([first]);
    await bucket.put(first, bytes);
    const before = await objects(topic);
    const warned: string[] = [];
    expect(await topic.compact({ warn: (line) => warned.push(line) })).toMatchObject({
      passes: 0,
      recordsRemoved: 0,
      left: true,
    });
    expect(warned).toEqual([expect.stringMatching(/^t-0: object segments\/.* does not match its CRC$/)]);
    expect(await objects(topic)).toEqual(before);
    expect(await bucket.get(first)).toEqual(bytes);
  });

  test("keeps the latest record of each key, offsets and order as they were", async () => {
    const topic = await CompactedTopic.make();
    await filled(topic);
    const before = (await topic.left()).length;
    expect(await topic.compact()).toMatchObject({ passes: 1, left: false });
    await topic.checkCompacted();
    expect((await topic.left()).length).toBeLessThan(before);
    expect(await objects(topic)).toEqual(await named(topic));
  });

  test("over files does the same, and by time a record is found that is left", async () => {
    const clock = new TestClock();
    const storage = await openEmbedded({ folder: mkdtempSync(join(folder, "d-")), clock });
    const topic = await CompactedTopic.make({}, { storage });
    await filled(topic);
    await topic.compact({ byHand: true });
    await topic.checkCompacted();
    const [first] = await topic.left();
    expect(await topic.bench.log.listOffset("t", 0, { timestampMs: 0 })).toMatchObject({ offset: first?.offset });
    await storage.close();
  });

  test("is due when more than min.cleanable.dirty.ratio is dirty, or when it is asked for by hand", async () => {
    const topic = await CompactedTopic.make({ "min.cleanable.dirty.ratio": "0.9" });
    await filled(topic);
    expect(await topic.compact()).toMatchObject({ passes: 1 });
    for (let i = 0; i < 4; i++) await topic.append([["k1", `later ${i}`]]);
    await topic.roll();
    expect(await topic.compact()).toMatchObject({ passes: 0, left: false });
    await topic.bench.log.alterConfigs("t", { "min.cleanable.dirty.ratio": "0.1" });
    expect(await topic.compact({ dryRun: true, byHand: true })).toMatchObject({ passes: 0 });
    expect(await topic.compact()).toMatchObject({ passes: 1 });
    for (let i = 0; i < 4; i++) await topic.append([["k2", `latest ${i}`]]);
    await topic.roll();
    await topic.bench.log.alterConfigs("t", { "min.cleanable.dirty.ratio": "1" });
    const said: string[] = [];
    expect(await topic.compact({ dryRun: true, byHand: true, say: (line) => said.push(line) })).toMatchObject({ passes: 0 });
    expect(said).toEqual([
      expect.stringMatching(/^t-0: \d+ of \d+ bytes are dirty, offsets \d+ to \d+, and would be compacted$/),
    ]);
    expect(await topic.compact({ byHand: true })).toMatchObject({ passes: 1 });
    await topic.checkCompacted();
  });

  test("leaves records alone that are younger than min.compaction.lag.ms, and looks again when they are older", async () => {
    const topic = await CompactedTopic.make({ "min.compaction.lag.ms": "5000" });
    await filled(topic);
    const before = await topic.left();
    expect(await topic.compact()).toMatchObject({ passes: 0 });
    expect(await topic.left()).toEqual(before);
    topic.bench.clock.ms += 6000;
    expect(await topic.compact()).toMatchObject({ passes: 1 });
    await topic.checkCompacted();
  });

  test("does not wait longer than max.compaction.lag.ms", async () => {
    const topic = await CompactedTopic.make({ "min.cleanable.dirty.ratio": "1", "max.compaction.lag.ms": "60000" });
    await filled(topic);
    expect(await topic.compact()).toMatchObject({ passes: 0 });
    topic.bench.clock.ms += 30_000;
    expect(await topic.compact()).toMatchObject({ passes: 0 });
    topic.bench.clock.ms += 31_000;
    expect(await topic.compact()).toMatchObject({ passes: 1 });
    await topic.checkCompacted();
  });

  test("keeps a tombstone delete.retention.ms from when it was first compacted, and then takes it away", async () => {
    const topic = await CompactedTopic.make({ "delete.retention.ms": "1000", "min.cleanable.dirty.ratio": "0" });
    await topic.append([
      ["a", "1"],
      ["b", "1"],
    ]);
    await topic.append([["a", null]]);
    await topic.roll();
    topic.bench.clock.ms += 100_000;
    await topic.compact();
    expect(await topic.left()).toEqual([
      { offset: 1, key: "b", value: "1" },
      { offset: 2, key: "a", value: null },
    ]);
    const more = async (key: string) => {
      await topic.append([[key, "x"]]);
      await topic.append([[key, "y"]]);
      await topic.roll();
      await topic.compact();
    };
    topic.bench.clock.ms += 900;
    await more("c");
    expect((await topic.left()).map(({ key }) => key)).toEqual(["b", "a", "c"]);
    topic.bench.clock.ms += 200;
    await more("d");
    expect((await topic.left()).map(({ key }) => key)).toEqual(["b", "c", "d"]);
    await topic.checkCompacted();
  });

  test("takes effect on a topic whose policy was changed, without anything being appended; keyless records go", async () => {
    const topic = await CompactedTopic.make();
    await topic.bench.log.alterConfigs("t", { "cleanup.policy": "delete" });
    await topic.bench.log.append({ topic: "t", partition: 0, batches: batchOf(["without a key"]) });
    await topic.append([["a", "1"]]);
    await topic.append([["a", "2"]]);
    await topic.append([["b", "2"]]);
    await topic.roll();
    expect(await topic.compact()).toMatchObject({ passes: 0 });
    await topic.merge();
    await topic.bench.log.alterConfigs("t", { "cleanup.policy": "compact" });
    expect(await topic.compact()).toMatchObject({ passes: 1, recordsRemoved: 2 });
    expect(await topic.left()).toEqual([
      { offset: 2, key: "a", value: "2" },
      { offset: 3, key: "b", value: "2" },
    ]);
  });

  test("goes with deletion by age where the policy is both", async () => {
    const topic = await CompactedTopic.make({ "cleanup.policy": "compact,delete", "retention.ms": "50000" });
    await filled(topic);
    await topic.compact();
    await topic.checkCompacted();
    topic.bench.clock.ms += 40_000;
    await topic.append([["new", "1"]]);
    await topic.append([["new", "2"]]);
    await topic.roll();
    topic.bench.clock.ms += 11_000;
    await retain({ ...topic.parts, graceMs: 0 }, FOREVER);
    expect((await topic.left()).map(({ value }) => value)).toEqual(["1", "2"]);
    await topic.compact({ byHand: true });
    expect((await topic.left()).map(({ value }) => value)).toEqual(["2"]);
  });

  test("keeps what tells a producer's repetition, though its records have gone", async () => {
    const topic = await CompactedTopic.make({ "min.cleanable.dirty.ratio": "0" });
    await topic.append(
      [
        ["a", "1"],
        ["b", "1"],
      ],
      "zstd",
      { id: 7, sequence: 0 },
    );
    await topic.append(
      [
        ["a", "2"],
        ["b", "2"],
        ["c", "2"],
      ],
      "zstd",
      { id: 7, sequence: 2 },
    );
    for (let i = 0; i < 40; i++)
      await topic.append(
        [
          ["a", `${i}`],
          ["b", `${i}`],
          ["c", `${i}`],
        ],
        "none",
        { id: 8 + (i % 4), sequence: 3 * Math.floor(i / 4) },
      );
    await topic.roll();
    await topic.compact();
    await topic.checkCompacted();
    expect(
      await topic.append(
        [
          ["a", "2"],
          ["b", "2"],
          ["c", "2"],
        ],
        "zstd",
        { id: 7, sequence: 2 },
      ),
    ).toMatchObject({ duplicate: true, baseOffset: 2 });
    expect(await topic.append([["a", "9"]], "none", { id: 7, sequence: 5 })).toMatchObject({ duplicate: false });
  });

  test("does as much as its map and its time allow, and goes on where it stopped", async () => {
    const topic = await CompactedTopic.make(
      { "min.cleanable.dirty.ratio": "0", "segment.bytes": "1048576" },
      { groupSegments: 2 },
    );
    for (let i = 0; i < 60; i++) {
      await topic.append([[`key ${i % 30}`, `v${i}`]]);
      if (i % 6 === 5) await topic.roll();
    }
    let runs = 0;
    for (let left = true; left && runs < 100; runs++) {
      ({ left } = await topic.compact({ untilMs: topic.bench.clock.monotonicMs() + 3 }, timed(topic)));
      await topic.check();
    }
    expect(runs).toBeGreaterThan(3);
    expect(runs).toBeLessThan(100);
    await topic.checkCompacted();
  });

  test.each([1, 2, 90])(
    "by two at once, %d segments at a time, and a merger beside them, loses nothing",
    async (groupSegments) => {
      const topic = await CompactedTopic.make({ "min.cleanable.dirty.ratio": "0" }, { groupSegments });
      await filled(topic);
      const other = new CompactedTopic({ ...topic.bench }, topic.parts.groupSegments);
      await Promise.all([topic.compact(), other.compact(), topic.merge()]);
      await topic.check();
      await topic.compact();
      await topic.checkCompacted();
      expect(await objects(topic)).toEqual(await named(topic));
    },
  );

  test("may die at any call: the state of every key is the same, and the next run does what is left", async () => {
    let died = 0;
    for (let at = 0; ; at++) {
      let lived = true;
      for (const applied of [false, true]) {
        const topic = await CompactedTopic.make({ "delete.retention.ms": "0" }, { groupSegments: 3 });
        await filled(topic);
        const dying = dyingStorage(topic.parts.storage, at, applied);
        await topic.compact({ byHand: true }, dying.storage).catch((error) => {
          if (!(error instanceof Died)) throw error;
          died++;
        });
        lived &&= dying.lived();
        await topic.check();
        expect(await topic.compact({ byHand: true })).toMatchObject({ left: false });
        await topic.checkCompacted();
      }
      if (lived) break;
    }
    expect(died).toBeGreaterThan(40);
  });

  test("a read from any offset finds the next record that is left, or the end, and never an error", async () => {
    const topic = await CompactedTopic.make({ "min.cleanable.dirty.ratio": "0" }, { groupSegments: 1 });
    await topic.bench.log.alterConfigs("t", { "cleanup.policy": "delete" });
    await filled(topic);
    await topic.append([["k1", "the last with a key"]]);
    // The last record of the log goes, and nothing is in the tail.
    await topic.bench.log.append({ topic: "t", partition: 0, batches: batchOf(["without a key"]) });
    await topic.roll();
    await topic.bench.log.alterConfigs("t", { "cleanup.policy": "compact" });
    await topic.compact();
    const left = await topic.left();
    expect(left.length).toBeLessThan(12);
    for (let offset = 0; offset <= 34; offset++) {
      const found = await readAll(topic.bench.log, "t", 0, offset);
      expect(found.map((one) => one.offset)).toEqual(left.map((one) => one.offset).filter((one) => one >= offset));
    }
  });

  test("a reader that holds segments from before reads the index again, whenever the compaction comes", async () => {
    for (let at = 0; at < 10; at++) {
      const topic = await CompactedTopic.make();
      await filled(topic);
      const { storage } = topic.parts;
      let calls = 0;
      const held = {
        ...storage,
        bucket: new Proxy(storage.bucket, {
          get: (bucket, name) =>
            name !== "get"
              ? Reflect.get(bucket, name).bind(bucket)
              : async (...args: Parameters<typeof bucket.get>) => {
                  if (calls++ === at) await topic.compact();
                  return bucket.get(...args);
                },
        }),
      };
      const other = new CompactedTopic({ ...topic.bench, log: topic.bench.another({ storage: held }) }, 90);
      other.written.push(...topic.written);
      const left = await other.left();
      expect(new Map(left.map(({ key, value }) => [key, value]))).toEqual(
        new Map(topic.written.map(({ key, value }) => [key, value])),
      );
    }
  });

  test("whatever is appended, rolled, merged and compacted, in whatever order, the state of every key is right", {
    timeout: 120_000,
  }, async () => {
    const key = fc.nat({ max: 20 }).map((i) => (i % 3 === 0 ? `a key of more than fifteen bytes, number ${i}` : `k${i}`));
    const records = fc.array(fc.tuple(key, fc.option(fc.string({ maxLength: 30 }), { freq: 3 })), { minLength: 1, maxLength: 5 });
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          op: fc.constant("append" as const),
          records,
          compression: fc.constantFrom(...COMPRESSION_NAMES),
          producer: fc.option(fc.nat({ max: 2 })),
        }),
      },
      { weight: 3, arbitrary: fc.record({ op: fc.constant("roll" as const) }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constant("compact" as const), shortMs: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant("merge" as const) }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant("wait" as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({ op: fc.constant("delete" as const), share: fc.double({ min: 0, max: 0.3, noNaN: true }) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 80 }),
        fc.constantFrom(1, 2, 90),
        async (steps, groupSegments) => {
          const configs = { "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "50" };
          const topic = await CompactedTopic.make(configs, { groupSegments });
          const sequences = [0, 0, 0];
          for (const one of steps) {
            if (one.op === "append") {
              const from =
                one.producer === null ? undefined : { id: 100 + one.producer, sequence: sequences[one.producer] as number };
              if (one.producer !== null) sequences[one.producer] = (sequences[one.producer] as number) + one.records.length;
              await topic.append(one.records, one.compression, from);
            } else if (one.op === "roll") await topic.roll();
            else if (one.op === "merge") await topic.merge();
            else if (one.op === "wait") topic.bench.clock.ms += 40;
            else if (one.op === "delete") {
              const [{ logStartOffset = 0, logEndOffset = 0 } = {}] = await topic.bench.log.partitions("t");
              const start = await topic.bench.log.deleteRecords(
                "t",
                0,
                Math.floor(logStartOffset + one.share * (logEndOffset - logStartOffset)),
              );
              topic.written.splice(0, topic.written.length, ...topic.written.filter(({ offset }) => offset >= start));
            } else {
              await (one.shortMs
                ? topic.compact({ untilMs: topic.bench.clock.monotonicMs() + 3 }, timed(topic))
                : topic.compact());
              await topic.check();
            }
          }
          await topic.roll();
          await topic.compact({ byHand: true });
          await topic.checkCompacted();
          expect(await objects(topic)).toEqual(await named(topic));
        },
      ),
      { numRuns: 60 },
    );
  });
});
