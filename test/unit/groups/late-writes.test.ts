/** Writes of processes that died, applied when something else is there under the same name. */
import { expect, test } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import { blockKey, stampOf } from "../../../lib/groups/items/offsets.ts";
import { decodeState, isStill, putState, stateKey, type Versioned } from "../../../lib/groups/items/state.ts";
import { stampPartitions } from "../../../lib/groups/offsets/stamp.ts";
import type { Table } from "../../../lib/ports/index.ts";
import { classicGroup, groupsOverMemory, withTable } from "./support.ts";

async function bench() {
  const b = groupsOverMemory();
  await b.log.createTopic({ name: "t", partitions: 2 });
  const { id } = await b.log.topic("t");
  const committed = async () =>
    (await b.groups.fetchOffsets({ group: "g", topics: [{ topic: "t", partitions: [0] }] }))[0]?.offset;
  return { ...b, id, committed };
}

const at = (offset: number) => ({ group: "g", offsets: [{ topic: "t", partition: 0, offset }] });

test("a commit of a process that died, whose clock was ahead, does not undo the one after it", async () => {
  const { groups, parts, storage, committed, clock } = await bench();
  await groups.commit(at(1));
  const sent = Promise.withResolvers<() => Promise<unknown>>();
  const inOrder: Table["inOrder"] = (stages) => {
    sent.resolve(() => storage.table.inOrder(stages));
    return new Promise(() => undefined);
  };
  const ahead = { ...clock, nowMs: () => clock.nowMs() + 20_000, monotonicMs: () => clock.monotonicMs() };
  const dying = createGroups({ ...parts, clock: { ...parts.clock, ...ahead }, storage: withTable(storage, { inOrder }) });
  void dying.commit(at(2));
  const applyLate = await sent.promise;
  await groups.commit(at(3));
  await applyLate();
  expect(await committed()).toBe(3);
});

test("a state that was meant for a deleted group does not become that of the next of its name", async () => {
  const { groups, storage, become } = await bench();
  await become("g", classicGroup(4, []));
  const before = decodeState(await storage.table.get(stateKey("g"))) as Versioned;
  await groups.delete("g");
  await become("g", classicGroup(1, ["a"]));
  await expect(storage.table.write(putState("g", classicGroup(5, ["b"]), before))).rejects.toMatchObject({
    kind: "condition_failed",
  });
});

test("a stamp that was meant for a deleted group does not lock out the members of the next of its name", async () => {
  const { groups, parts, storage, become, id } = await bench();
  await become("g", classicGroup(4, []));
  const before = decodeState(await storage.table.get(stateKey("g")));
  await groups.delete("g");
  await become("g", classicGroup(1, ["a"]));
  const stamps = [{ topicId: id, partition: 0, epoch: 5 }];
  expect(await stampPartitions(parts, "g", stamps, isStill("g", before))).toBe(false);
  expect(stampOf(await storage.table.get(blockKey("g", id, 0)), 0)).toBeUndefined();
});

test("an offset in a deleted topic is none in the one that has its name now", async () => {
  const { groups, log, id, committed } = await bench();
  await groups.commit(at(7));
  await log.deleteTopic("t");
  await log.createTopic({ name: "t", partitions: 2 });
  const [answer] = await groups.commit({ group: "g", offsets: [{ topic: "t", topicId: id, partition: 0, offset: 9 }] });
  expect(answer?.error?.code).toBe("unknown_topic");
  expect(await committed()).toBe(-1);
  const [found] = await groups.fetchOffsets({ group: "g", topics: [{ topic: "t", topicId: id, partitions: [0] }] });
  expect(found).toMatchObject({ offset: -1, error: { code: "unknown_topic" } });
});
