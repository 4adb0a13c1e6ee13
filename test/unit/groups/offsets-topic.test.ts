import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import { expireOffsets } from "../../../lib/groups/offsets/expire.ts";
import { type MirrorParts, OffsetsMirror } from "../../../lib/groups/offsets-topic/mirror.ts";
import { partitionOfGroup } from "../../../lib/groups/offsets-topic/topic.ts";
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import { OFFSETS_TOPIC } from "../../../lib/log/internal-topics.ts";
import type { LogApi } from "../../../lib/log/types.ts";
import { StorageError } from "../../../lib/ports/index.ts";
import { batchOf } from "../log/support.ts";
import { classicGroup, groupsOverMemory } from "./support.ts";

const PARTITIONS = 3;
const RUN = { untilMs: Number.POSITIVE_INFINITY };

/** Groups with a mirror, over a log that the test may replace for the mirror alone. */
async function bench(logOf: (log: LogApi) => LogApi = (log) => log) {
  const b = groupsOverMemory();
  await b.log.createTopic({ name: "t", partitions: 40 });
  const said: string[] = [];
  const more = { partitions: PARTITIONS, say: (line: string) => said.push(line) };
  const mirrored = (parts: MirrorParts = { ...b.parts, log: logOf(b.log), ...more }) => {
    const mirror = new OffsetsMirror(parts);
    return { mirror, groups: createGroups({ ...b.parts, mirror }) };
  };
  const first = mirrored();
  const commit = (offset: number, { group = "g", partition = 0, groups = first.groups } = {}) =>
    groups.commit({ group, offsets: [{ topic: "t", partition, offset }] });
  return { ...b, ...first, mirrored, commit, said, records: () => recordsIn(b.log), last: () => lastIn(b.log) };
}

interface Told {
  readonly what: string;
  /** Undefined: a tombstone. */
  readonly offset: number | undefined;
}

/** What is in the topic, in order: `group/topic/partition` and the offset; a group itself by its name alone. */
async function recordsIn(log: LogApi): Promise<Told[]> {
  const told: Told[] = [];
  for (const { partition, logEndOffset } of await log.partitions(OFFSETS_TOPIC)) {
    for (let offset = 0; offset < logEndOffset; ) {
      const read = await log.read({ topic: OFFSETS_TOPIC, partition, offset });
      for (const bytes of read.batches) {
        for (const { at } of batchHeaders(bytes)) {
          for (const { key, value } of decodeBatch(bytes, at, {})) {
            const k = Buffer.from(key as Uint8Array);
            const group = k.subarray(4, 4 + k.readInt16BE(2)).toString();
            expect(partitionOfGroup(group, PARTITIONS)).toBe(partition);
            const topicAt = 4 + k.readInt16BE(2);
            const what =
              k.readInt16BE(0) === 2
                ? group
                : `${group}/${k.subarray(topicAt + 2, topicAt + 2 + k.readInt16BE(topicAt)).toString()}/${k.readInt32BE(k.length - 4)}`;
            const v = value && Buffer.from(value);
            told.push({ what, offset: v === null ? undefined : k.readInt16BE(0) === 2 ? v.length : Number(v.readBigInt64BE(2)) });
          }
        }
      }
      offset = read.nextOffset;
    }
  }
  return told;
}

/** The topic as compaction leaves it. */
async function lastIn(log: LogApi): Promise<Record<string, number>> {
  const last = new Map((await recordsIn(log)).map(({ what, offset }) => [what, offset]));
  return Object.fromEntries([...last].flatMap(([what, offset]) => (offset === undefined ? [] : [[what, offset]])));
}

/** The log with another `append`. */
function withAppend(log: LogApi, append: LogApi["append"]): LogApi {
  return new Proxy(log, {
    get(target, name) {
      if (name === "append") return append;
      const value = target[name as keyof LogApi];
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
}

describe("each commit", () => {
  test("is a record of the topic, which comes with the first and is compacted", async () => {
    const { commit, mirror, records, log } = await bench();
    await expect(log.topic(OFFSETS_TOPIC)).rejects.toMatchObject({ code: "unknown_topic" });
    for (const offset of [1, 2, 7]) await commit(offset);
    await mirror.close();
    expect(await records()).toEqual([1, 2, 7].map((offset) => ({ what: "g/t/0", offset })));
    expect(await log.topic(OFFSETS_TOPIC)).toMatchObject({ partitions: PARTITIONS, configs: { "cleanup.policy": "compact" } });
  });

  test("that is refused has none", async () => {
    const { become, commit, mirror, records, groups } = await bench();
    await commit(1);
    await become("g", classicGroup(5, ["m"], ["t"]));
    const member = { memberId: "m", epoch: 4 };
    await expect(groups.commit({ group: "g", member, offsets: [{ topic: "t", partition: 0, offset: 9 }] })).rejects.toThrow();
    await expect(commit(8)).rejects.toThrow();
    const answers = await groups.commit({
      group: "g",
      member: { memberId: "m", epoch: 5 },
      offsets: [
        { topic: "t", partition: 1, offset: 3 },
        { topic: "t", partition: 99, offset: 3 },
      ],
    });
    expect(answers.map(({ error }) => error?.code)).toEqual([undefined, "unknown_partition"]);
    await mirror.close();
    expect(await records()).toEqual([
      { what: "g/t/0", offset: 1 },
      { what: "g/t/1", offset: 3 },
    ]);
  });

  test("with records of one transaction is there when they are, and not where they are refused", async () => {
    const { groups, log, mirror, records } = await bench();
    const request = (offset: number) => ({ group: "g", offsets: [{ topic: "t", partition: 0, offset }] });
    const records1 = [{ topic: "t", partition: 5, batches: batchOf(["x"]) }];
    await log.appendAtomically(records1, { with: groups.commitWith(request(4)) });
    await expect(log.appendAtomically(records1, { with: groups.commitWith(request(-9)) })).rejects.toThrow();
    await mirror.close();
    expect(await records()).toEqual([{ what: "g/t/0", offset: 4 }]);
  });

  test("that waits for an append goes into the next, with all that wait", async () => {
    const gate = Promise.withResolvers<void>();
    let appends = 0;
    const { commit, mirror, records } = await bench((log) =>
      withAppend(log, async (...args) => {
        appends++;
        await gate.promise;
        return log.append(...args);
      }),
    );
    await commit(0);
    await vi.waitFor(() => expect(appends).toBe(1));
    // They are answered though nothing of them is in the topic.
    for (let i = 1; i <= 30; i++) await commit(i, { partition: i });
    gate.resolve();
    await mirror.close();
    expect(appends).toBe(2);
    expect((await records()).map(({ offset }) => offset)).toEqual(Array.from({ length: 31 }, (_, i) => i));
  });

  test("is answered though the topic cannot be written; what is left out comes with reconcile", async () => {
    let isDown = true;
    const { commit, mirror, last, said } = await bench((log) =>
      withAppend(log, async (...args) => {
        if (isDown) throw new StorageError("unavailable", "down");
        return log.append(...args);
      }),
    );
    expect(await commit(5)).toEqual([{ topic: "t", partition: 0 }]);
    await mirror.close();
    expect(await last()).toEqual({});
    expect(said).toEqual([expect.stringContaining("1 records were not appended")]);
    isDown = false;
    await mirror.reconcile(RUN);
    expect(await last()).toEqual({ "g/t/0": 5 });
  });

  test("beyond what may wait is left out, and comes with reconcile", async () => {
    const gate = Promise.withResolvers<void>();
    const { groups, mirror, last } = await bench((log) =>
      withAppend(log, async (...args) => {
        await gate.promise;
        return log.append(...args);
      }),
    );
    const metadata = "m".repeat(4096);
    const offsets = Array.from({ length: 40 }, (_, partition) => ({ topic: "t", partition, offset: 1, metadata }));
    for (let i = 0; i < 70; i++) await groups.commit({ group: `g${i}`, offsets });
    gate.resolve();
    await mirror.close();
    const before = Object.keys(await last()).length;
    expect(before).toBeLessThan(70 * 40);
    expect(before).toBeGreaterThan(1000);
    await mirror.reconcile({ ...RUN, byHand: true });
    expect(Object.keys(await last()).length).toBe(70 * 40);
  });
});

describe("reconcile", () => {
  test("writes what a process that died has not, and nothing twice", async () => {
    const { parts, commit, mirrored, last, records } = await bench();
    const dead = createGroups(parts);
    await commit(3, { groups: dead });
    await commit(4, { groups: dead, group: "h", partition: 7 });
    const { mirror } = mirrored();
    expect(await mirror.reconcile({ ...RUN, dryRun: true })).toMatchObject({ records: 0 });
    expect(await mirror.reconcile(RUN)).toEqual({ partitions: PARTITIONS, records: 2, left: false });
    expect(await last()).toEqual({ "g/t/0": 3, "h/t/7": 4 });
    expect(await mirror.reconcile({ ...RUN, byHand: true })).toMatchObject({ records: 0 });
    expect(await mirror.reconcile(RUN)).toMatchObject({ partitions: 0 });
    expect(await records()).toHaveLength(2);
  });

  test("gives tombstones to what was deleted, has expired, or is of a topic that is gone", async () => {
    const { groups, mirror, commit, last, log, parts, clock } = await bench();
    await log.createTopic({ name: "u" });
    await commit(1);
    await commit(2, { partition: 1 });
    await commit(3, { group: "gone" });
    await groups.commit({ group: "g", offsets: [{ topic: "u", partition: 0, offset: 9 }] });
    await groups.commit({ group: "old", offsets: [{ topic: "t", partition: 0, offset: 9, retentionMs: 1000 }] });
    await mirror.reconcile(RUN);
    expect(await last()).toEqual({ "g/t/0": 1, "g/t/1": 2, "gone/t/0": 3, "g/u/0": 9, "old/t/0": 9 });
    await groups.deleteOffsets("g", [{ topic: "t", partition: 1 }]);
    await groups.delete("gone");
    await log.deleteTopic("u");
    clock.ms += 1000;
    await expireOffsets({ ...parts, retentionMs: 7 * 24 * 3_600_000, mirror }, RUN);
    await mirror.reconcile(RUN);
    expect(await last()).toEqual({ "g/t/0": 1 });
  });

  test("makes no topic where there are no groups", async () => {
    const { mirror, log } = await bench();
    expect(await mirror.reconcile(RUN)).toMatchObject({ partitions: 0 });
    await expect(log.topic(OFFSETS_TOPIC)).rejects.toThrow();
  });

  test("leaves a classic group while it rebalances, and has it when it is stable and when it is deleted", async () => {
    const { become, commit, mirror, last, groups } = await bench();
    await commit(1);
    await become("g", classicGroup(5, ["m"], ["t"]));
    await mirror.reconcile({ ...RUN, byHand: true });
    const stable = await last();
    expect(stable).toEqual({ g: expect.any(Number), "g/t/0": 1 });
    await become("g", { ...classicGroup(6, ["m"], ["t"]), phase: "PreparingRebalance" });
    await mirror.reconcile({ ...RUN, byHand: true });
    expect(await last()).toEqual(stable);
    await become("g", classicGroup(7, []));
    await groups.delete("g");
    await mirror.reconcile(RUN);
    expect(await last()).toEqual({});
  });

  /** A bench in which every append of a mirror takes some turns before and after it. */
  async function slowBench(delays: Iterator<number>) {
    const pause = async (): Promise<void> => {
      for (let i = delays.next().value ?? 0; i > 0; i--) await new Promise((go) => setImmediate(go));
    };
    const b = await bench((log) =>
      withAppend(log, async (...args) => {
        await pause();
        const done = await log.append(...args);
        await pause();
        return done;
      }),
    );
    const other = b.mirrored();
    await b.commit(0);
    const truth = async () =>
      Object.fromEntries((await b.groups.fetchOffsets({ group: "g" })).map((one) => [`g/t/${one.partition}`, one.offset]));
    return { ...b, other, pause, truth };
  }

  test("leaves nothing older behind where another process commits meanwhile, however late both append", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(2), { minLength: 1, maxLength: 20 }),
        fc.infiniteStream(fc.nat(6)),
        async (steps, delays) => {
          const { parts, commit, mirror, other, pause, last, truth } = await slowBench(delays);
          // Of a process that died: so there is something to put right.
          for (const partition of [0, 1, 2]) await commit(1, { partition, groups: createGroups(parts) });
          const reconciled = mirror.reconcile({ ...RUN, byHand: true });
          for (const [i, partition] of steps.entries()) {
            await commit(i + 2, { partition, groups: other.groups });
            await pause();
          }
          await reconciled;
          await other.mirror.close();
          expect(await last()).toEqual(await truth());
        },
      ),
      { numRuns: 100 },
    );
  });

  test("ends with what the items say, whatever two processes commit and delete and however late they append", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2), fc.boolean(), fc.nat(3)), { minLength: 1, maxLength: 25 }),
        fc.infiniteStream(fc.nat(4)),
        async (steps, delays) => {
          const { groups, commit, mirror, other, pause, last, truth } = await slowBench(delays);
          const running: Promise<unknown>[] = [mirror.reconcile({ ...RUN, byHand: true })];
          for (const [i, [what, isOther, partition]] of steps.entries()) {
            const of = isOther ? other.groups : groups;
            if (what === 2) running.push(of.deleteOffsets("g", [{ topic: "t", partition }]));
            else running.push(commit(i, { partition, groups: of }));
            await pause();
          }
          await Promise.all(running);
          await Promise.all([mirror.close(), other.mirror.close()]);
          await mirror.reconcile({ ...RUN, byHand: true });
          expect(await last()).toEqual(await truth());
        },
      ),
      { numRuns: 60 },
    );
  });
});

test("nobody else appends to it", async () => {
  const { commit, mirror, log } = await bench();
  await commit(1);
  await mirror.close();
  const request = { topic: OFFSETS_TOPIC, partition: 0, batches: batchOf(["x"]) };
  await expect(log.append(request)).rejects.toMatchObject({ code: "invalid_topic", outcome: "not_applied" });
  await expect(log.appendAtomically([request])).rejects.toMatchObject({ code: "invalid_topic" });
});
