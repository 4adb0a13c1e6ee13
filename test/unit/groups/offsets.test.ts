import { describe, expect, test } from "vitest";
import { assignedPartitions, subscribedTopics } from "../../../lib/groups/classic/consumer-protocol.ts";
import { createGroups } from "../../../lib/groups/groups.ts";
import { blockKey } from "../../../lib/groups/items/offsets.ts";
import { type ClassicMember, decodeState, isStill, stateKey } from "../../../lib/groups/items/state.ts";
import { clearGroup, deleteWholeGroup } from "../../../lib/groups/offsets/delete.ts";
import { expireOffsets, OFFSETS_RETENTION_MS } from "../../../lib/groups/offsets/expire.ts";
import { stampPartitions } from "../../../lib/groups/offsets/stamp.ts";
import type { MemberRef, OffsetToCommit } from "../../../lib/groups/types.ts";
import type { Storage, Table } from "../../../lib/ports/index.ts";
import { StorageError } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { TestClock } from "../log/support.ts";
import {
  assignment,
  classicGroup,
  consumerGroup,
  consumerMember,
  groupsOverMemory,
  stamp as stamped,
  subscription,
  withTable,
} from "./support.ts";

async function bench(more: Parameters<typeof groupsOverMemory>[0] = {}) {
  const b = groupsOverMemory(more);
  await b.log.createTopic({ name: "t", partitions: 40 });
  const { id } = await b.log.topic("t");
  const commit = (offset: number, member?: MemberRef, partition = 0, rest: Partial<OffsetToCommit> = {}) =>
    b.groups.commit({ group: "g", member, offsets: [{ topic: "t", partition, offset, ...rest }] });
  const committed = async (partition = 0) =>
    (await b.groups.fetchOffsets({ group: "g", topics: [{ topic: "t", partitions: [partition] }] }))[0];
  const stamp = (partition: number, epoch: number) => stamped(b.parts, "g", [{ topicId: id, partition, epoch }]);
  return { ...b, id, commit, committed, stamp };
}

describe("a consumer without group management", () => {
  test("commits offsets with metadata and leader epoch, and reads them back", async () => {
    const { groups, clock, storage, id } = await bench();
    const offsets = [0, 1, 31, 32, 39].map((partition) => ({
      topic: "t",
      partition,
      offset: 100 + partition,
      leaderEpoch: 0,
      metadata: `m${partition}`,
    }));
    expect(await groups.commit({ group: "g", offsets })).toEqual(offsets.map(({ topic, partition }) => ({ topic, partition })));
    const found = await groups.fetchOffsets({ group: "g" });
    expect(found).toEqual(offsets.map((one) => ({ ...one, topicId: id, committedAtMs: clock.ms })));
    expect(decodeState(await storage.table.get(stateKey("g")))?.state).toMatchObject({
      type: "classic",
      phase: "Empty",
      protocolType: "",
    });
  });

  test("of a partition that was never committed reads -1, of an unknown topic an error", async () => {
    const { groups, commit, id } = await bench();
    await commit(5);
    const topics = [
      { topic: "t", partitions: [1, 0] },
      { topic: "none", partitions: [0] },
    ];
    const [one, zero, none] = await groups.fetchOffsets({ group: "g", topics });
    expect(one).toEqual({ topic: "t", topicId: id, partition: 1, offset: -1, leaderEpoch: -1, metadata: "", committedAtMs: -1 });
    expect(zero?.offset).toBe(5);
    expect(none?.error?.code).toBe("unknown_topic");
    expect(await groups.fetchOffsets({ group: "other" })).toEqual([]);
  });

  test("may not commit while the group has members", async () => {
    const { commit, become } = await bench();
    await become("g", classicGroup(3, ["a"]));
    await expect(commit(5)).rejects.toMatchObject({ code: "unknown_member" });
  });

  test("whose commit was late is refused where members were given the partition meanwhile", async () => {
    const { parts, commit, committed, become, stamp, storage } = await bench();
    await commit(1);
    // The group is seen without members; before the write, a generation begins that owns the partition.
    let hooked = false;
    const late = createGroups({
      ...parts,
      storage: withTable(storage, {
        inOrder: async (stages) => {
          if (!hooked) {
            hooked = true;
            await stamp(0, 1);
            await become("g", classicGroup(1, ["a"]));
          }
          return storage.table.inOrder(stages);
        },
      }),
    });
    await expect(late.commit({ group: "g", offsets: [{ topic: "t", partition: 0, offset: 9 }] })).rejects.toMatchObject({
      code: "unknown_member",
    });
    expect((await committed())?.offset).toBe(1);
  });
});

describe("what is wrong with one offset is its own error, and the others are committed", () => {
  test("metadata over 4096 bytes, a negative offset, a partition and a topic that are not there", async () => {
    const { groups, committed } = await bench();
    const answers = await groups.commit({
      group: "g",
      offsets: [
        { topic: "t", partition: 0, offset: 7, metadata: "é".repeat(2048) },
        { topic: "t", partition: 1, offset: 7, metadata: "é".repeat(2049) },
        { topic: "t", partition: 2, offset: -3 },
        { topic: "t", partition: 40, offset: 7 },
        { topic: "none", partition: 0, offset: 7 },
      ],
    });
    expect(answers.map(({ error }) => error?.code)).toEqual([
      undefined,
      "offset_metadata_too_large",
      "invalid_request",
      "unknown_partition",
      "unknown_topic",
    ]);
    expect((await committed())?.metadata.length).toBe(2048);
  });

  test("a partition that is named twice is refused", async () => {
    const { groups } = await bench();
    const one = { topic: "t", partition: 0, offset: 1 };
    await expect(groups.commit({ group: "g", offsets: [one, one] })).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("a group name that is empty or too long is refused", async () => {
    const { groups } = await bench();
    for (const group of ["", "x".repeat(250), "\ud800"]) {
      await expect(groups.commit({ group, offsets: [] })).rejects.toMatchObject({ code: "invalid_group" });
    }
  });
});

describe("a member of a classic group", () => {
  const a = (epoch: number) => ({ memberId: "a", epoch });

  test("commits in its generation alone, and not while a rebalance completes", async () => {
    const { commit, become } = await bench();
    const state = classicGroup(3, ["a"]);
    await become("g", state);
    expect(await commit(5, a(3))).toEqual([{ topic: "t", partition: 0 }]);
    await expect(commit(6, a(2))).rejects.toMatchObject({ code: "illegal_generation" });
    await expect(commit(6, { memberId: "b", epoch: 3 })).rejects.toMatchObject({ code: "unknown_member" });
    await become("g", { ...state, phase: "CompletingRebalance" });
    await expect(commit(6, a(3))).rejects.toMatchObject({ code: "rebalance_in_progress" });
    await expect((await bench()).commit(1, a(1))).rejects.toMatchObject({ code: "illegal_generation" });
  });

  test("whose instance id was taken over is fenced", async () => {
    const { commit, become } = await bench();
    const state = classicGroup(3, ["a"]);
    const members = { a: { ...(state.members["a"] as ClassicMember), instanceId: "i" } };
    await become("g", { ...state, members });
    await expect(commit(6, { memberId: "old", epoch: 3, instanceId: "i" })).rejects.toMatchObject({ code: "fenced_instance_id" });
    await expect(commit(6, { memberId: "a", epoch: 3, instanceId: "j" })).rejects.toMatchObject({ code: "unknown_member" });
  });

  test("is refused by the stamp of a later generation, even where the state was read before", async () => {
    const { commit, committed, become, stamp } = await bench();
    await become("g", classicGroup(3, ["a"]));
    await stamp(0, 3);
    await commit(5, a(3));
    // The next generation is about to be stored: its stamps are there, its state is not.
    await stamp(0, 4);
    const [answer] = await commit(6, a(3));
    expect(answer?.error?.code).toBe("illegal_generation");
    expect((await committed())?.offset).toBe(5);
    expect((await commit(6, a(3), 1))[0]?.error).toBeUndefined();
  });
});

describe("a member of a server-driven group", () => {
  test("commits with an older epoch what it was given at or before it, and nothing else (KIP-1251)", async () => {
    const { commit, become, id } = await bench();
    const member = consumerMember(7, { assigned: { [id]: { 0: 3, 1: 6 } }, revoking: { [id]: { 2: 4 } } });
    await become("g", consumerGroup(7, { a: member }));
    const codeOf = async (epoch: number, partition: number) =>
      (await commit(1, { memberId: "a", epoch }, partition))[0]?.error?.code;
    expect(await codeOf(7, 0)).toBeUndefined();
    expect(await codeOf(5, 0)).toBeUndefined();
    expect(await codeOf(5, 1)).toBe("stale_member_epoch");
    expect(await codeOf(5, 2)).toBeUndefined();
    expect(await codeOf(5, 3)).toBe("stale_member_epoch");
    await expect(codeOf(8, 0)).rejects.toMatchObject({ code: "stale_member_epoch" });
    await expect(commit(1, { memberId: "x", epoch: 7 })).rejects.toMatchObject({ code: "unknown_member" });
  });
});

describe("when the storage does not answer", () => {
  /** A table that says `unknown` once: before the write is applied, after it, or that applies it later. */
  function doubtful(storage: Storage, when: "before" | "after" | "late") {
    let late: (() => Promise<unknown>) | undefined;
    let left = 1;
    const inOrder: Table["inOrder"] = async (stages) => {
      if (left-- <= 0) return storage.table.inOrder(stages);
      if (when === "after") await storage.table.inOrder(stages);
      if (when === "late") late = () => storage.table.inOrder(stages);
      return stages.map((stage) => stage.map(() => ({ ok: false as const, error: new StorageError("unknown", "no answer") })));
    };
    return { storage: withTable(storage, { inOrder }), applyLate: () => late?.() };
  }

  test.each(["before", "after", "late"] as const)("a commit is settled and never undone by its lost write (%s)", async (when) => {
    const base = memoryStorage({ clock: new TestClock() });
    const first = await bench({ storage: base });
    await first.commit(1);
    const { storage, applyLate } = doubtful(base, when);
    const groups = createGroups({ ...first.parts, storage });
    expect(await groups.commit({ group: "g", offsets: [{ topic: "t", partition: 0, offset: 50 }] })).toEqual([
      { topic: "t", partition: 0 },
    ]);
    expect((await first.committed())?.offset).toBe(50);
    await first.commit(60);
    await applyLate();
    expect((await first.committed())?.offset).toBe(60);
  });
});

describe("stamps", () => {
  test("above what the state can have given are of a group before it, and set back while the state is what it was", async () => {
    const { parts, storage, id, become } = await bench();
    const one = (epoch: number) => [{ topicId: id, partition: 0, epoch }];
    const stampOfIt = async () => (await storage.table.get(blockKey("g", id, 0)))?.["s0"];
    const before = isStill("g", decodeState(await storage.table.get(stateKey("g"))));
    expect(await stampPartitions(parts, "g", one(7), before)).toBe(true);
    await become("g", classicGroup(1, ["a"]));
    expect(await stampPartitions(parts, "g", one(2), before)).toBe(false);
    expect(await stampOfIt()).toBe(7);
    const now = isStill("g", decodeState(await storage.table.get(stateKey("g"))));
    expect(await stampPartitions(parts, "g", one(2), now)).toBe(true);
    expect(await stampOfIt()).toBe(2);
  });

  test("cost one write for each 32 partitions", async () => {
    const { parts, storage, id } = await bench();
    const all = (epoch: number) => Array.from({ length: 40 }, (_, partition) => ({ topicId: id, partition, epoch }));
    await stamped(parts, "g", all(5));
    const keys = [blockKey("g", id, 0), blockKey("g", id, 1)];
    const first = await storage.table.getMany(keys);
    await stamped(parts, "g", all(6));
    const items = await storage.table.getMany(keys);
    expect(items.map((item, i) => (item?.["k"] as number) - (first[i]?.["k"] as number))).toEqual([1, 1]);
    expect([first[1]?.["s7"], items[1]?.["s7"]]).toEqual([5, 6]);
  });

  test("that a deleted group left do not lock out the members of a new one", async () => {
    const { storage, commit, stamp } = await bench();
    await stamp(0, 9);
    await commit(1);
    expect(decodeState(await storage.table.get(stateKey("g")))?.state.epoch).toBe(9);
  });
});

describe("deleting", () => {
  test("an offset is refused while members read its topic, and done otherwise", async () => {
    const { groups, commit, committed, become } = await bench();
    await commit(5);
    await become("g", classicGroup(1, ["a"], ["t"]));
    const partitions = [{ topic: "t", partition: 0 }];
    expect((await groups.deleteOffsets("g", partitions))[0]?.error?.code).toBe("group_subscribed_to_topic");
    await become("g", classicGroup(1, ["a"], ["u"]));
    expect(await groups.deleteOffsets("g", partitions)).toEqual(partitions);
    expect((await committed())?.offset).toBe(-1);
    await expect(groups.deleteOffsets("none", partitions)).rejects.toMatchObject({ code: "unknown_group" });
  });

  test("a group takes its offsets with it, and is refused while it has members", async () => {
    const { parts, storage, commit, become } = await bench();
    await commit(5);
    await become("g", classicGroup(1, ["a"]));
    await expect(deleteWholeGroup(parts, "g")).rejects.toMatchObject({ code: "non_empty_group" });
    await become("g", classicGroup(1, []));
    await deleteWholeGroup(parts, "g");
    expect(await storage.table.range("G#g")).toEqual([]);
    expect(await storage.table.range("GROUPS")).toEqual([]);
    await expect(deleteWholeGroup(parts, "g")).rejects.toMatchObject({ code: "unknown_group" });
  });

  test("what a deletion left behind is not taken from a group that was made again", async () => {
    const { parts, commit, committed } = await bench();
    await commit(5);
    await clearGroup(parts, "g");
    expect((await committed())?.offset).toBe(5);
  });
});

describe("retention of offsets", () => {
  const run = (clock: TestClock) => ({ untilMs: clock.monotonicMs() + 60_000 });

  test("begins when the group has no members, or with a later commit, and takes an empty group with it", async () => {
    const { parts, clock, commit, become, storage } = await bench();
    const expire = () => expireOffsets({ ...parts, retentionMs: OFFSETS_RETENTION_MS }, run(clock));
    await become("g", classicGroup(1, ["a"]));
    await commit(5, { memberId: "a", epoch: 1 });
    clock.ms += 2 * OFFSETS_RETENTION_MS;
    expect(await expire()).toMatchObject({ offsets: 0 });
    await become("g", { ...classicGroup(1, []), sinceMs: clock.ms });
    await commit(6, undefined, 1);
    clock.ms += OFFSETS_RETENTION_MS - 1;
    expect(await expire()).toMatchObject({ offsets: 0 });
    clock.ms += 1;
    expect(await expire()).toMatchObject({ offsets: 2, groups: 1 });
    expect(await storage.table.range("G#g")).toEqual([]);
    expect(await storage.table.range("GROUPS")).toEqual([]);
  });

  test("of a commit that names its own goes by that alone", async () => {
    const { parts, clock, commit, become, committed } = await bench();
    await become("g", classicGroup(1, ["a"]));
    await commit(5, { memberId: "a", epoch: 1 }, 0, { retentionMs: 1000 });
    await commit(5, { memberId: "a", epoch: 1 }, 1);
    clock.ms += 1000;
    expect(await expireOffsets({ ...parts, retentionMs: OFFSETS_RETENTION_MS }, run(clock))).toMatchObject({
      offsets: 1,
      groups: 0,
    });
    expect([(await committed(0))?.offset, (await committed(1))?.offset]).toEqual([-1, 5]);
  });

  test("a dry run says what would go and changes nothing", async () => {
    const { parts, clock, commit, committed } = await bench();
    await commit(5);
    clock.ms += OFFSETS_RETENTION_MS;
    const lines: string[] = [];
    const dry = { ...run(clock), dryRun: true, say: (line: string) => lines.push(line) };
    await expireOffsets({ ...parts, retentionMs: OFFSETS_RETENTION_MS }, dry);
    expect(lines).toEqual(['group "g": 1 offsets would expire']);
    expect((await committed())?.offset).toBe(5);
  });
});

describe("what consumers say in Join and Sync", () => {
  test("is read back as it was written", () => {
    expect(subscribedTopics(subscription(["a", "ü"]))).toEqual(["a", "ü"]);
    expect(assignedPartitions(assignment({ a: [0, 2], b: [] }))).toEqual([
      { topic: "a", partitions: [0, 2] },
      { topic: "b", partitions: [] },
    ]);
  });

  test("is nothing where it is cut short or its lengths lie", () => {
    const whole = assignment({ topic: [0, 1, 2] });
    for (let end = 1; end < whole.byteLength - 4; end++) expect(assignedPartitions(whole.subarray(0, end))).toBeUndefined();
    expect(subscribedTopics(Buffer.from("00007fffffff", "hex"))).toBeUndefined();
  });
});
