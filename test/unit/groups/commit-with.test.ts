/** Offsets that are committed with an atomic append, or not at all: `appendAtomically` with `commitWith`. */
import { describe, expect, test } from "vitest";
import type { MemberRef } from "../../../lib/groups/types.ts";
import { type Storage, StorageError, type Table } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { batchOf, TestClock } from "../log/support.ts";
import { consumerGroup, consumerMember, groupsOverMemory, stamp as stamped, withTable } from "./support.ts";

type Atomically = Table["atomically"];

/** `around` stands in for the first transaction that has more than one item. */
async function bench(around?: (real: Atomically, ops: Parameters<Atomically>[0]) => Promise<void>) {
  let storage: Storage | undefined;
  if (around !== undefined) {
    const inner = memoryStorage({ clock: new TestClock() });
    let first = true;
    const atomically: Atomically = (ops) => {
      if (!first || ops.length < 3) return inner.table.atomically(ops);
      first = false;
      return around((all) => inner.table.atomically(all), ops);
    };
    storage = withTable(inner, { atomically });
  }
  const b = groupsOverMemory(storage === undefined ? {} : { storage });
  await b.log.createTopic({ name: "t", partitions: 200 });
  const { id } = await b.log.topic("t");
  const offsets = [{ topic: "t", partition: 0, offset: 5 }];
  const append = (member?: MemberRef, list: readonly { topic: string; partition: number; offset: number }[] = offsets) =>
    b.log.appendAtomically(
      [0, 1].map((partition) => ({ topic: "t", partition, batches: batchOf([`v${partition}`]) })),
      { with: b.groups.commitWith({ group: "g", member, offsets: list }) },
    );
  const state = async () => ({
    ends: (await b.log.partitions("t", [0, 1])).map(({ logEndOffset }) => logEndOffset),
    committed: (await b.groups.fetchOffsets({ group: "g" })).map(({ partition, offset }) => [partition, offset]),
  });
  return { ...b, id, append, state };
}

const ALL = { ends: [1, 1], committed: [[0, 5]] };
const NOTHING = { ends: [0, 0], committed: [] };

describe("records and offsets", () => {
  test("are written together, in a group that was not there and in one that has offsets", async () => {
    const { append, state } = await bench();
    await append();
    expect(await state()).toEqual(ALL);
    await append();
    expect(await state()).toEqual({ ...ALL, ends: [2, 2] });
  });

  test("are both missing where the commit is refused", async () => {
    const { append, state, become } = await bench();
    await become("g", consumerGroup(7, { m: consumerMember(7) }));
    await expect(append()).rejects.toMatchObject({ code: "unknown_member", outcome: "not_applied" });
    await expect(append({ memberId: "m", epoch: 8 })).rejects.toMatchObject({ code: "stale_member_epoch" });
    expect(await state()).toEqual(NOTHING);
  });

  test("are both missing where the partition was given away, to whoever", async () => {
    const { append, state, become, parts, id } = await bench();
    await become("g", consumerGroup(7, { m: consumerMember(7) }));
    await stamped(parts, "g", [{ topicId: id, partition: 0, epoch: 8 }]);
    await expect(append({ memberId: "m", epoch: 7 })).rejects.toMatchObject({ code: "stale_member_epoch" });
    expect(await state()).toEqual(NOTHING);
  });

  test("are both missing where the partition is given away between the look and the write", async () => {
    const given = Promise.withResolvers<() => Promise<void>>();
    const b = await bench(async (real, ops) => {
      await (await given.promise)();
      await real(ops);
    });
    await b.become("g", consumerGroup(7, { m: consumerMember(7) }));
    given.resolve(() => stamped(b.parts, "g", [{ topicId: b.id, partition: 0, epoch: 8 }]));
    await expect(b.append({ memberId: "m", epoch: 7 })).rejects.toMatchObject({ code: "stale_member_epoch" });
    expect(await b.state()).toEqual(NOTHING);
  });

  test("are written once where the answer is lost, whether it was applied or not", async () => {
    const lost = () => new StorageError("unknown", "no answer");
    const applied = await bench(async (real, ops) => {
      await real(ops);
      throw lost();
    });
    await applied.append();
    expect(await applied.state()).toEqual(ALL);
    const missing = await bench(async () => {
      throw lost();
    });
    await missing.append();
    expect(await missing.state()).toEqual(ALL);
  });

  test("are refused over 100 items, before anything is written", async () => {
    const b = await bench();
    for (let i = 0; i < 20; i++) await b.log.createTopic({ name: `u${i}`, partitions: 160 });
    const many = Array.from({ length: 20 }, (_, i) =>
      [0, 32, 64, 96, 128].map((partition) => ({ topic: `u${i}`, partition, offset: 1 })),
    );
    await expect(b.append(undefined, many.flat())).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("at most 100"),
    });
    expect(await b.state()).toEqual(NOTHING);
  });
});
