/** A topic that is deleted and made again under its name, as seen by a process that still remembers the one before. */
import { beforeEach, describe, expect, test } from "vitest";
import { countingStorage } from "../../../bench/cost/counting.ts";
import { createGroups } from "../../../lib/groups/groups.ts";
import { blockKey, stampOf } from "../../../lib/groups/items/offsets.ts";
import type { MemberRef } from "../../../lib/groups/types.ts";
import { batchOf, TestClock } from "../log/support.ts";
import { assignment, classicGroup, groupsOverMemory } from "./support.ts";

const client = { clientId: "test", clientHost: "/127.0.0.1" };
const P0 = { topic: "t", partition: 0 };

/** `groups` makes the topic again while `stale` remembers the old one; the old one was committed up to 100. */
async function bench(partitionsNow = 2) {
  const b = groupsOverMemory();
  await b.log.createTopic({ name: "t", partitions: 2 });
  const oldId = (await b.log.topic("t")).id;
  const log = b.another();
  const stale = createGroups({ ...b.parts, log });
  await stale.commit({ group: "g", offsets: [{ ...P0, offset: 100 }] });
  await b.log.deleteTopic("t");
  const { id } = await b.log.createTopic({ name: "t", partitions: partitionsNow });
  const committed = async (groups = b.groups, group = "g") =>
    (await groups.fetchOffsets({ group, topics: [{ topic: "t", partitions: [0] }] }))[0];
  return { ...b, oldId, id, staleLog: log, stale, committed };
}

let b: Awaited<ReturnType<typeof bench>>;

beforeEach(async () => {
  b = await bench();
  // What follows is worth nothing where the other process has not got the old topic in its cache.
  expect((await b.staleLog.topic("t")).id).toBe(b.oldId);
});

describe("another process, within the time that it remembers topics", () => {
  test("commits by name to the topic that is there now", async () => {
    expect(await b.stale.commit({ group: "g", offsets: [{ ...P0, offset: 7 }] })).toEqual([P0]);
    expect(await b.committed()).toMatchObject({ offset: 7 });
  });

  test("answers by name what was committed to the topic that is there now", async () => {
    expect(await b.committed(b.stale)).toMatchObject({ offset: -1 });
    await b.groups.commit({ group: "g", offsets: [{ ...P0, offset: 3 }] });
    expect(await b.committed(b.stale)).toMatchObject({ offset: 3 });
    expect((await b.staleLog.topic("t")).id).toBe(b.id);
  });

  test("answers nothing of the old topic where all partitions of the name are asked for", async () => {
    expect(await b.stale.fetchOffsets({ group: "g", topics: [{ topic: "t" }] })).toEqual([]);
  });

  test("refuses the id of the old topic and takes that of the new one", async () => {
    const by = (topicId: string) => ({ group: "g", offsets: [{ ...P0, topicId, offset: 9 }] });
    const [refused] = await b.stale.commit(by(b.oldId));
    expect(refused?.error?.code).toBe("unknown_topic");
    const [gone] = await b.stale.fetchOffsets({ group: "g", topics: [{ topic: "t", topicId: b.oldId, partitions: [0] }] });
    expect(gone).toMatchObject({ offset: -1, error: { code: "unknown_topic" } });
  });

  test("takes the id of the new topic, which it has not heard of", async () => {
    expect(await b.stale.commit({ group: "g", offsets: [{ ...P0, topicId: b.id, offset: 9 }] })).toEqual([P0]);
    expect(await b.committed()).toMatchObject({ offset: 9 });
  });

  test("fetches by the id of the new topic, which it has not heard of", async () => {
    await b.groups.commit({ group: "g", offsets: [{ ...P0, offset: 3 }] });
    const asked = { group: "g", topics: [{ topic: "t", topicId: b.id, partitions: [0] }] };
    expect((await b.stale.fetchOffsets(asked))[0]).toMatchObject({ offset: 3 });
  });

  test("says of a topic that was deleted for good that there is none", async () => {
    await b.log.deleteTopic("t");
    const [refused] = await b.stale.commit({ group: "g", offsets: [{ ...P0, offset: 7 }] });
    expect(refused?.error?.code).toBe("unknown_topic");
    expect((await b.committed(b.stale))?.error?.code).toBe("unknown_topic");
  });

  test("deletes offsets by name from the topic that is there now", async () => {
    await b.groups.commit({ group: "g", offsets: [{ ...P0, offset: 3 }] });
    expect(await b.stale.deleteOffsets("g", [P0])).toEqual([P0]);
    expect(await b.committed()).toMatchObject({ offset: -1 });
  });

  test("notes offsets of a transaction for the topic that is there now", async () => {
    const transaction = { producerId: 1, number: 1 };
    expect(await b.stale.noteOffsets({ group: "g", offsets: [{ ...P0, offset: 5 }] }, transaction)).toEqual([P0]);
    await b.stale.finishOffsets("g", transaction, true);
    expect(await b.committed()).toMatchObject({ offset: 5 });
  });

  test("commits with records to the topic that is there now", async () => {
    const commit = b.stale.commitWith({ group: "g", offsets: [{ ...P0, offset: 1 }] });
    await b.staleLog.createTopic({ name: "out" });
    await b.staleLog.appendAtomically([{ topic: "out", partition: 0, batches: batchOf(["x"]) }], { with: commit });
    expect(await b.committed()).toMatchObject({ offset: 1 });
  });

  test("commits and fetches in a partition that was added", async () => {
    const more = { topic: "t", partition: 3 };
    await b.staleLog.topic("t");
    expect(await b.committed(b.stale)).toMatchObject({ offset: -1 });
    await b.log.growPartitions("t", 4);
    await b.groups.commit({ group: "g", offsets: [{ ...more, offset: 8 }] });
    const [found] = await b.stale.fetchOffsets({ group: "g", topics: [{ topic: "t", partitions: [3] }] });
    expect(found).toMatchObject({ offset: 8 });
    await b.log.growPartitions("t", 6);
    expect(await b.stale.commit({ group: "g", offsets: [{ ...more, partition: 5, offset: 9 }] })).toEqual([
      { ...more, partition: 5 },
    ]);
  });
});

test("a leader's assignment is stamped in the topic that is there now", async () => {
  const { stale, become, storage, id, clock } = b;
  const stable = classicGroup(3, ["a", "b"], ["t"]);
  const members = Object.fromEntries(Object.entries(stable.members).map(([name, one]) => [name, { ...one, seenMs: clock.ms }]));
  await become("g", { ...stable, phase: "CompletingRebalance", deadlineMs: clock.ms + 60_000, members });
  const member = (memberId: string): MemberRef => ({ memberId, epoch: 3 });
  await stale.sync({
    group: "g",
    member: member("a"),
    assignments: [
      { memberId: "a", assignment: assignment({ t: [0] }) },
      { memberId: "b", assignment: assignment({ t: [1] }) },
    ],
  });
  const block = await storage.table.get(blockKey("g", id, 0));
  expect([0, 1].map((partition) => stampOf(block, partition))).toEqual([3, 3]);
});

test("two processes, one of which remembers the old topic, do not take turns in giving the old and the new one away", async () => {
  const join = { group: "s", memberId: "", epoch: 0, client, rebalanceTimeoutMs: 60_000, topics: ["t"], owned: [] };
  const joined = await b.groups.consumerHeartbeat(join);
  expect(joined.assignment).toEqual([{ topic: "t", topicId: b.id, partitions: [0, 1] }]);
  const again = { group: "s", memberId: joined.memberId, epoch: joined.epoch, client };
  const [elsewhere, here] = [await b.stale.consumerHeartbeat(again), await b.groups.consumerHeartbeat(again)];
  expect(elsewhere).toMatchObject({ epoch: joined.epoch, assignment: undefined });
  expect(here).toMatchObject({ epoch: joined.epoch, assignment: undefined });
});

test("a member that joins at a process which remembers the old topic is given the new one", async () => {
  const join = { group: "s", memberId: "", epoch: 0, client, rebalanceTimeoutMs: 60_000, topics: ["t"], owned: [] };
  expect((await b.stale.consumerHeartbeat(join)).assignment).toEqual([{ topic: "t", topicId: b.id, partitions: [0, 1] }]);
});

test("the proof that a topic is there costs no trip: a commit takes two, a fetch one, and a read unit more for each topic", async () => {
  const storage = countingStorage(new TestClock());
  const { groups, log } = groupsOverMemory({ storage });
  await log.createTopic({ name: "t", partitions: 40 });
  await log.createTopic({ name: "u" });
  const many = [0, 1, 31, 32].map((partition) => ({ topic: "t", partition, offset: 1 }));
  await groups.commit({ group: "g", offsets: [...many, { topic: "u", partition: 0, offset: 1 }] });
  storage.take();
  await groups.commit({ group: "g", offsets: [{ topic: "t", partition: 0, offset: 2 }] });
  // The state, a block and the proof.
  expect(storage.take()).toMatchObject({ trips: 2, readUnits: 3, writeUnits: 1 });
  await groups.commit({ group: "g", offsets: many });
  // The state, two blocks of the topic and the one proof.
  expect(storage.take()).toMatchObject({ trips: 2, readUnits: 4, writeUnits: 2 });
  await groups.fetchOffsets({ group: "g", topics: [{ topic: "t", partitions: [0] }] });
  expect(storage.take()).toMatchObject({ trips: 1, readUnits: 2 });
  const both = [
    { topic: "t", partitions: [0] },
    { topic: "u", partitions: [0] },
  ];
  await groups.fetchOffsets({ group: "g", topics: both });
  expect(storage.take()).toMatchObject({ trips: 1, readUnits: 4 });
});
