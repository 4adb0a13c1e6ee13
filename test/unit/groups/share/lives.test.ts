/** What the simulation of share groups found: late writes, two lives of one group, two who bury. */
import { expect, test } from "vitest";
import { StorageError, type Write } from "../../../../lib/ports/index.ts";
import { memoryStorage } from "../../../../lib/storage/memory/index.ts";
import { TestClock } from "../../log/support.ts";
import { withTable, withWrite } from "../support.ts";
import { givenIn, sharesOverMemory } from "./support.ts";

const [ACCEPT, RELEASE, REJECT] = [1, 2, 3] as const;
const forever = { untilMs: Number.POSITIVE_INFINITY };

test("a process that knows a group from before it was deleted brings nothing of it back", async () => {
  const b = await sharesOverMemory();
  await b.produce(["a", "b"]);
  await b.take("before", 1);
  await b.groups.delete("g");
  const other = b.another();
  expect(givenIn(await b.take("y", 1, { shares: other }))).toEqual([[0, 1]]);
  expect(givenIn(await b.take("z", 1))).toEqual([[1, 1]]);
  expect(await b.settle("y", 0, 0, ACCEPT, other)).toBe("ok");
});

test("a delete that comes late takes nothing from a group that was made again", async () => {
  const late: Write[] = [];
  const storage = withWrite(memoryStorage({ clock: new TestClock() }), (own, op) => {
    if (op.op === "delete") late.push(op);
    return own(op);
  });
  const b = await sharesOverMemory({ storage });
  await b.produce(["a"]);
  await b.take("before", 1);
  await b.groups.delete("g");
  const again = b.another();
  expect(givenIn(await b.take("x", 1, { shares: again }))).toEqual([[0, 1]]);
  expect(await b.settle("x", 0, 0, ACCEPT, again)).toBe("ok");
  const ofShares = late.filter(({ key }) => key.pk.startsWith("Q#") || key.sk.startsWith("Q#"));
  expect(ofShares.length).toBe(2);
  for (const op of ofShares) await expect(storage.table.write(op)).rejects.toMatchObject({ kind: "condition_failed" });
  expect(givenIn(await b.take("y", 1, { shares: b.another() }))).toEqual([]);
  expect(await b.shares.depths("g")).toMatchObject([{ startOffset: 1 }]);
});

test("a parked record that two processes bury at once is counted once", async () => {
  const memory = memoryStorage({ clock: new TestClock() });
  let first = async (): Promise<unknown> => undefined;
  const storage = withTable(memory, {
    async atomically(ops) {
      // Between the dead letter and the write that takes the record away, another does both.
      if (ops.some(({ op, key }) => op === "delete" && key.sk.startsWith("D#"))) {
        const other = first;
        first = async () => undefined;
        await other();
      }
      return memory.table.atomically(ops);
    },
  });
  const b = await sharesOverMemory({ storage });
  await b.groups.alterConfigs("g", { "errors.deadletterqueue.topic.name": "dead" });
  await b.produce(["a"], { "brokerless-delay-ms": "1000" });
  await b.take("x", 1);
  b.clock.ms += 2_000;
  expect(givenIn(await b.take("x", 1))).toEqual([[0, 1]]);
  expect(await b.settle("x", 0, 0, REJECT)).toBe("ok");
  first = () => b.another().tend("g", forever);
  await b.another().tend("g", forever);
  expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, parked: 0, dying: 0, deadLetters: 1 }]);
});

test("what was settled is answered so, whatever becomes of the dead letter after it", async () => {
  let puts = 0;
  const storage = withWrite(memoryStorage({ clock: new TestClock() }), (own, op) => {
    const isState = op.op === "put" && op.key.pk.startsWith("Q#") && op.key.sk === "STATE";
    // The second is the one that takes away what was buried.
    if (isState && ++puts === 2) throw new StorageError("unavailable", "made up");
    return own(op);
  });
  const b = await sharesOverMemory({ storage });
  await b.groups.alterConfigs("g", { "errors.deadletterqueue.topic.name": "dead" });
  await b.produce(["a"]);
  await b.take("x", 1);
  expect(await b.settle("x", 0, 0, REJECT)).toBe("ok");
  b.clock.ms += 10_000;
  await b.shares.tend("g", forever);
  expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, dying: 0, deadLetters: 1 }]);
});

test("a release of a parked record that comes late, between the reads of the next try, is answered as made", async () => {
  const memory = memoryStorage({ clock: new TestClock() });
  let late: (() => Promise<unknown>) | "armed" | undefined;
  const storage = withTable(memory, {
    atomically: async (ops) => {
      if (late !== "armed") return memory.table.atomically(ops);
      late = () => memory.table.atomically(ops);
      throw new StorageError("unknown", "made up");
    },
    get: async (key) => {
      const item = await memory.table.get(key);
      if (typeof late === "function" && key.sk === "STATE" && key.pk.startsWith("Q#")) {
        const write = late;
        late = undefined;
        await write();
      }
      return item;
    },
  });
  const b = await sharesOverMemory({ storage });
  await b.produce(["a"], { "brokerless-delay-ms": "1000" });
  await b.take("x", 1);
  b.clock.ms += 2_000;
  expect(givenIn(await b.take("x", 1))).toEqual([[0, 1]]);
  late = "armed";
  expect(await b.settle("x", 0, 0, RELEASE)).toBe("ok");
  expect(late).toBeUndefined();
  expect(givenIn(await b.take("y", 1))).toEqual([[0, 2]]);
});

test("the first receive after a group was deleted makes it anew, at the process that remembers the one before too", async () => {
  const b = await sharesOverMemory();
  await b.produce(["a"]);
  await b.take("x", 1);
  await b.groups.delete("g");
  expect(givenIn(await b.take("x", 1))).toEqual([[0, 1]]);
});

test("a group that a late write makes again while it is deleted does not go on with what the former was given", async () => {
  const memory = memoryStorage({ clock: new TestClock() });
  let again: (() => Promise<unknown>) | undefined;
  const storage = withTable(memory, {
    write: async (op) => {
      const item = await memory.table.write(op);
      const make = again;
      if (op.op === "delete" && op.key.sk === "STATE" && op.key.pk === "G#g" && make !== undefined) {
        again = undefined;
        await make();
      }
      return item;
    },
  });
  const b = await sharesOverMemory({ storage });
  await b.produce(["a", "b"]);
  expect(givenIn(await b.take("x", 1))).toEqual([[0, 1]]);
  expect(await b.settle("x", 0, 0, ACCEPT)).toBe("ok");
  // Of another topic's partition it has nothing: only the group is made.
  again = () =>
    b.another().heartbeat({ group: "g", memberId: "m", epoch: 0, client: { clientId: "c", clientHost: "" }, topics: ["t"] });
  await b.groups.delete("g");
  expect(again).toBeUndefined();
  expect(givenIn(await b.take("y", 1))).toEqual([[0, 1]]);
});

test("a delete that died after its first step leaves nothing that the next group of the name goes on with", async () => {
  const b = await sharesOverMemory();
  await b.produce(["a"]);
  await b.take("x", 1);
  expect(await b.settle("x", 0, 0, ACCEPT)).toBe("ok");
  await b.storage.table.write({ op: "delete", key: { pk: "G#g", sk: "STATE" } });
  expect(givenIn(await b.take("y", 1, { shares: b.another() }))).toEqual([[0, 1]]);
  expect(givenIn(await b.take("z", 1))).toEqual([]);
});
