import { describe, expect, test } from "vitest";
import { sharePk } from "../../../../lib/groups/items/share-partition.ts";
import { type Storage, StorageError, type Table } from "../../../../lib/ports/index.ts";
import { memoryStorage } from "../../../../lib/storage/memory/index.ts";
import { createTransactions } from "../../../../lib/transactions/transactions.ts";
import { batchOf, readAll, TestClock } from "../../log/support.ts";
import { withTable } from "../support.ts";
import { givenIn, sharesOverMemory } from "./support.ts";

const [ACCEPT, RELEASE, REJECT, RENEW] = [1, 2, 3, 4] as const;
const text = (value: Uint8Array | null | undefined): string => new TextDecoder().decode(value ?? undefined);

describe("records of a share group", () => {
  test("go to one holder each, and are not given again once they are accepted", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a", "b", "c", "d"]);
    expect(givenIn(await b.take("x", 2))).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(givenIn(await b.take("y", 5))).toEqual([
      [2, 1],
      [3, 1],
    ]);
    expect(givenIn(await b.take("z", 5))).toEqual([]);
    expect(await b.settle("x", 0, 1, ACCEPT)).toBe("ok");
    expect(await b.settle("x", 2, 2, ACCEPT)).toBe("invalid_record_state");
    expect(await b.settle("y", 2, 3, ACCEPT)).toBe("ok");
    b.clock.ms += 120_000;
    expect(givenIn(await b.take("z", 5))).toEqual([]);
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, inFlight: 0, startOffset: 4, oldestAtMs: -1 }]);
  });

  test("are given again when the lock runs out, with a count that grows up to the limit and not beyond it", async () => {
    const b = await sharesOverMemory();
    await b.groups.alterConfigs("g", { "share.delivery.count.limit": "3" });
    await b.produce(["a"]);
    for (const count of [1, 2, 3]) {
      expect(givenIn(await b.take("x", 5))).toEqual([[0, count]]);
      b.clock.ms += 30_000;
    }
    expect(givenIn(await b.take("x", 5))).toEqual([]);
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, deadLetters: 1 }]);
  });

  test("are not a holder's any more after the lock, whether or not another has taken them", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a", "b"]);
    await b.take("x", 2);
    b.clock.ms += 20_000;
    expect(await b.settle("x", 1, 1, RENEW)).toBe("ok");
    b.clock.ms += 10_000;
    expect(await b.settle("x", 0, 0, ACCEPT)).toBe("invalid_record_state");
    expect(await b.settle("x", 1, 1, ACCEPT)).toBe("ok");
    expect(givenIn(await b.take("y", 5))).toEqual([[0, 2]]);
  });

  test("that are released go to the next who asks, also to one that waits", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a"]);
    await b.take("x", 1);
    const waiting = b.take("y", 1, { maxWaitMs: 5_000 });
    await b.settle("x", 0, 0, RELEASE);
    expect(givenIn(await waiting)).toEqual([[0, 2]]);
  });

  test("an acknowledgement that is sent again is answered as the first; another one is refused", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a"]);
    await b.take("x", 1);
    expect(await b.settle("x", 0, 0, ACCEPT)).toBe("ok");
    expect(await b.settle("x", 0, 0, ACCEPT)).toBe("ok");
    expect(await b.settle("x", 0, 0, RELEASE)).toBe("invalid_record_state");
    expect(await b.settle("y", 0, 0, ACCEPT)).toBe("invalid_record_state");
  });

  test("are shared by processes that know nothing of each other", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a", "b", "c"]);
    const other = b.another();
    expect(givenIn(await b.take("x", 1))).toEqual([[0, 1]]);
    expect(givenIn(await b.take("y", 1, { shares: other }))).toEqual([[1, 1]]);
    expect(await b.settle("x", 0, 0, ACCEPT, other)).toBe("ok");
    expect(await b.settle("y", 1, 1, RELEASE)).toBe("ok");
    expect(givenIn(await b.take("z", 5, { shares: other }))).toEqual([
      [1, 2],
      [2, 1],
    ]);
  });

  test("with a time to be delivered at wait for it, and others go ahead", async () => {
    const b = await sharesOverMemory();
    await b.produce(["later"], { "brokerless-delay-ms": "60000" });
    await b.produce(["at"], { "brokerless-deliver-at": String(b.clock.ms + 90_000) });
    await b.produce(["now"]);
    expect(givenIn(await b.take("x", 5))).toEqual([[2, 1]]);
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 2, parked: 2, inFlight: 1 }]);
    await b.settle("x", 2, 2, ACCEPT);
    b.clock.ms += 59_999;
    expect(givenIn(await b.take("x", 5))).toEqual([]);
    b.clock.ms += 1;
    expect(givenIn(await b.take("x", 5))).toEqual([[0, 1]]);
    expect(await b.settle("x", 0, 0, ACCEPT)).toBe("ok");
    expect(await b.settle("x", 0, 0, ACCEPT)).toBe("ok");
    b.clock.ms += 30_000;
    expect(givenIn(await b.take("x", 5))).toEqual([[1, 1]]);
    b.clock.ms += 30_000;
    expect(givenIn(await b.take("y", 5))).toEqual([[1, 2]]);
    expect(await b.settle("x", 1, 1, ACCEPT)).toBe("invalid_record_state");
    expect(await b.settle("y", 1, 1, ACCEPT)).toBe("ok");
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, parked: 0 }]);
    expect((await b.storage.table.range(sharePk("g", b.topicId, 0))).map(({ key }) => key.sk)).toEqual(["STATE"]);
  });

  test("that nobody finishes do not hold up the others: the window moves on, and they come when their lock runs out", async () => {
    const b = await sharesOverMemory();
    await b.groups.alterConfigs("g", { "share.partition.max.record.locks": "100" });
    await b.produce(Array.from({ length: 400 }, (_, i) => `${i}`));
    const stuck = givenIn(await b.take("stuck", 30)).map(([offset]) => offset);
    expect(stuck).toHaveLength(30);
    const seen: number[] = [];
    for (let i = 0; i < 60; i++) {
      for (const [offset] of givenIn(await b.take("x", 20))) {
        seen.push(offset);
        await b.settle("x", offset, offset, ACCEPT);
      }
    }
    expect(seen).toEqual(Array.from({ length: 370 }, (_, i) => i + 30));
    expect(await b.settle("stuck", 0, 0, ACCEPT)).toBe("ok");
    b.clock.ms += 30_000;
    const again: [number, number][] = [];
    for (let i = 0; i < 4; i++) again.push(...givenIn(await b.take("y", 30)));
    expect(again.sort(([a], [c]) => a - c)).toEqual(stuck.slice(1).map((offset) => [offset, 2]));
    expect(await b.settle("y", 1, 29, ACCEPT)).toBe("ok");
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, parked: 0, startOffset: 400 }]);
  });

  test("that are rejected or delivered too often go to the dead-letter topic, once, with the reason", async () => {
    const b = await sharesOverMemory();
    await b.groups.alterConfigs("g", { "errors.deadletterqueue.topic.name": "dead", "share.delivery.count.limit": "2" });
    await b.produce(["bad", "poison", "good"], { mine: "1" });
    await b.take("x", 3);
    expect(await b.settle("x", 0, 0, REJECT)).toBe("ok");
    expect(await b.settle("x", 1, 1, RELEASE)).toBe("ok");
    expect(await b.settle("x", 2, 2, ACCEPT)).toBe("ok");
    expect(givenIn(await b.take("x", 3))).toEqual([[1, 2]]);
    b.clock.ms += 30_000;
    await b.shares.tend("g", { untilMs: Number.POSITIVE_INFINITY });
    const letters = (await readAll(b.log, "dead")).map(({ value, headers }) => [
      text(value),
      Object.fromEntries(headers.map((one) => [one.key.replace("brokerless-dlq-", ""), text(one.value)])),
    ]);
    const from = { mine: "1", topic: "t", partition: "0", group: "g" };
    expect(letters).toEqual([
      ["bad", { ...from, offset: "0", reason: "rejected", deliveries: "1" }],
      ["poison", { ...from, offset: "1", reason: "delivery-limit", deliveries: "2" }],
    ]);
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, dying: 0, deadLetters: 2 }]);
  });

  test("that are dead and cannot be buried do not hold up others", async () => {
    const b = await sharesOverMemory();
    // No letter fits.
    await b.log.createTopic({ name: "dead", configs: { "max.message.bytes": "1" } });
    await b.groups.alterConfigs("g", { "errors.deadletterqueue.topic.name": "dead" });
    await b.produce(
      Array.from({ length: 50 }, () => "bad"),
      { "brokerless-delay-ms": "1000" },
    );
    await b.produce(["good"], { "brokerless-delay-ms": "2000" });
    for (let look = 0; look < 4; look++) expect(givenIn(await b.take("x", 5))).toEqual([]);
    expect(await b.shares.depths("g")).toMatchObject([{ parked: 51 }]);
    b.clock.ms += 1_500;
    for (let rejected = 0; rejected < 50; ) {
      const given = givenIn(await b.take("x", 10));
      expect(given.length).toBeGreaterThan(0);
      for (const [offset] of given) expect(await b.settle("x", offset, offset, REJECT)).toBe("ok");
      rejected += given.length;
    }
    b.clock.ms += 600;
    const seen: number[] = [];
    for (let look = 0; look < 10; look++) seen.push(...givenIn(await b.take("y", 5)).map(([offset]) => offset));
    expect(await readAll(b.log, "dead")).toEqual([]);
    expect(seen).toEqual([50]);
    expect(await b.settle("y", 50, 50, ACCEPT)).toBe("ok");
    // Now they do fit.
    await b.log.alterConfigs("dead", { "max.message.bytes": null });
    for (let look = 0; look < 5; look++) {
      b.clock.ms += 6_000;
      await b.shares.tend("g", { untilMs: Number.POSITIVE_INFINITY });
    }
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, parked: 0, dying: 0, deadLetters: 50 }]);
  });

  test("of transactions are given once they are committed, where the group reads what is committed", async () => {
    const b = await sharesOverMemory();
    await b.groups.alterConfigs("g", { "share.isolation.level": "read_committed" });
    const transactions = createTransactions({ ...b.parts, groups: b.groups });
    const place = { topic: "t", partition: 0 };
    const begin = async (transactionalId: string) => {
      const me = { transactionalId, ...(await transactions.initProducer(transactionalId, 60_000)) };
      const [transactionGuard] = await transactions.guards(me, [place], true);
      const batches = batchOf([transactionalId], { id: me.producerId, epoch: me.epoch, sequence: 0, transactional: true });
      await b.log.append({ ...place, batches, transactionGuard: transactionGuard as number });
      return me;
    };
    await transactions.end(await begin("never"), false, true);
    await transactions.end(await begin("good"), true, true);
    const open = await begin("waits");
    expect(givenIn(await b.take("x", 10))).toEqual([[2, 1]]);
    expect(await b.settle("x", 2, 2, ACCEPT)).toBe("ok");
    expect(givenIn(await b.take("x", 10))).toEqual([]);
    await transactions.end(open, true, true);
    expect(givenIn(await b.take("x", 10))).toEqual([[4, 1]]);
  });

  test("begin where the group says: at the end over Kafka's protocol, at the beginning where it is asked for", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a"]);
    const ask = { holder: "x", partitions: [{ topicId: b.topicId, partition: 0 }], maxRecords: 5, maxBytes: 1000, maxWaitMs: 0 };
    expect(givenIn(await b.shares.acquire({ group: "wire", ...ask }))).toEqual([]);
    await b.produce(["b"]);
    expect(givenIn(await b.shares.acquire({ group: "wire", ...ask }))).toEqual([[1, 1]]);
    await b.groups.alterConfigs("set", { "share.auto.offset.reset": "by_duration:PT1H" });
    expect(givenIn(await b.shares.acquire({ group: "set", ...ask }))).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });

  test("of partitions in their order, where the first ones go first", async () => {
    const b = await sharesOverMemory({ partitions: 3 });
    for (const partition of [2, 1, 0]) await b.produce(["a", "b"], {}, partition);
    const partitions = [0, 1, 2].map((partition) => ({ topicId: b.topicId, partition }));
    const answer = await b.shares.acquire({
      group: "g",
      holder: "x",
      partitions,
      order: "priority",
      maxRecords: 3,
      maxBytes: 1000,
      maxWaitMs: 0,
      firstFrom: "earliest",
    });
    expect(answer.partitions.map(({ partition, acquired }) => [partition, acquired])).toEqual([
      [0, [{ firstOffset: 0, lastOffset: 1, deliveryCount: 1 }]],
      [1, [{ firstOffset: 0, lastOffset: 0, deliveryCount: 1 }]],
    ]);
  });
});

describe("a share group", () => {
  test("is listed, cannot be of another type, and takes its share partitions with it when it is deleted", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a"]);
    await b.take("x", 1);
    expect(await b.groups.list()).toEqual([{ group: "g", type: "share", phase: "Empty", protocolType: "share" }]);
    await expect(b.groups.commit({ group: "g", offsets: [{ topic: "t", partition: 0, offset: 1 }] })).rejects.toMatchObject({
      code: "unknown_group",
    });
    await b.groups.delete("g");
    expect(await b.storage.table.range(sharePk("g", b.topicId, 0))).toEqual([]);
    b.clock.ms += 30_000;
    expect(givenIn(await b.take("x", 1))).toEqual([[0, 1]]);
  });

  test("gives each member partitions to look at, and tells when they change", async () => {
    const b = await sharesOverMemory({ partitions: 3 });
    const client = { clientId: "c", clientHost: "" };
    const beat = (memberId: string, epoch: number, topics?: string[]) =>
      b.shares.heartbeat({ group: "g", memberId, epoch, client, topics });
    const first = await beat("m1", 0, ["t"]);
    expect(first.assignment).toMatchObject([{ topic: "t", partitions: [0, 1, 2] }]);
    expect((await beat("m1", first.epoch)).assignment).toBeUndefined();
    const second = await beat("m2", 0, ["t"]);
    expect(second.assignment).toMatchObject([{ partitions: [1] }]);
    expect((await beat("m1", first.epoch)).assignment).toMatchObject([{ partitions: [0, 2] }]);
    expect(await b.groups.describe("g")).toMatchObject({ type: "share", phase: "Stable", assignor: "simple" });
    await expect(beat("m2", 99)).rejects.toMatchObject({ code: "fenced_member_epoch" });
    b.clock.ms += 40_000;
    await beat("m1", second.epoch);
    b.clock.ms += 10_000;
    expect((await beat("m1", second.epoch)).assignment).toMatchObject([{ partitions: [0, 1, 2] }]);
    await expect(beat("m2", second.epoch)).rejects.toMatchObject({ code: "unknown_member" });
    await beat("m1", -1);
    expect(await b.groups.describe("g")).toMatchObject({ phase: "Empty", members: [] });
  });

  test("keeps the partitions of a session, and gives back what its member has when it closes", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a"]);
    const mine = [{ topicId: b.topicId, partition: 0 }];
    const ask = (epoch: number, add: typeof mine = [], forget: typeof mine = []) =>
      b.another().session({ group: "g", memberId: "m", epoch, add, forget });
    await expect(ask(1)).rejects.toMatchObject({ code: "share_session_not_found" });
    expect(await ask(0, mine)).toEqual(mine);
    expect(await ask(1)).toEqual(mine);
    expect(await ask(2, [], mine)).toEqual([]);
    await expect(ask(2)).rejects.toMatchObject({ code: "invalid_share_session_epoch" });
    expect(await ask(3, mine)).toEqual(mine);
    await b.take("m", 1);
    await ask(-1);
    expect(givenIn(await b.take("n", 1))).toEqual([[0, 2]]);
  });

  test("begins anew where an administrator says, and nothing of before is acknowledged then", async () => {
    const b = await sharesOverMemory();
    await b.produce(["a", "b", "c"]);
    await b.produce(["later"], { "brokerless-delay-ms": "1000" });
    await b.take("x", 4);
    expect(await b.shares.alterOffsets("g", [{ topic: "t", partition: 0, offset: 1 }])).toEqual([
      { topicId: b.topicId, partition: 0 },
    ]);
    expect(await b.settle("x", 1, 1, ACCEPT)).toBe("invalid_record_state");
    expect(await b.shares.offsets("g")).toMatchObject([{ topic: "t", startOffset: 1, stateEpoch: 1 }]);
    expect(givenIn(await b.take("y", 5))).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(await b.shares.deleteOffsets("g", ["t"])).toEqual([{ topic: "t" }]);
    expect(await b.shares.offsets("g")).toEqual([]);
  });
});

/** The storage, whose writes of a share partition are made and their answers lost, or lost before they are made, as `fate` says. */
function lossy(fate: () => "ok" | "lost" | "unmade"): Storage {
  const inner = memoryStorage({ clock: new TestClock() });
  const through = async <T>(run: () => Promise<T>): Promise<T> => {
    const what = fate();
    if (what === "unmade") throw new StorageError("unknown", "lost on the way");
    const answer = await run();
    if (what === "lost") throw new StorageError("unknown", "the answer was lost");
    return answer;
  };
  const write: Table["write"] = (op) =>
    op.key.pk.startsWith("Q#") ? through(() => inner.table.write(op)) : inner.table.write(op);
  const atomically: Table["atomically"] = (ops) =>
    ops[0]?.key.pk.startsWith("Q#") ? through(() => inner.table.atomically(ops)) : inner.table.atomically(ops);
  return withTable(inner, { write, atomically });
}

describe("a write whose answer is lost", () => {
  test("is found out: nothing is given twice at once, nothing is lost, and no delivery is counted that nobody got", async () => {
    let turn = 0;
    const fates = ["ok", "lost", "unmade", "lost", "lost", "unmade"] as const;
    const b = await sharesOverMemory({ storage: lossy(() => fates[turn++ % fates.length] as "ok") });
    await b.produce(Array.from({ length: 60 }, (_, i) => `${i}`));
    await b.produce(["later"], { "brokerless-delay-ms": "1" });
    b.clock.ms += 10;
    const done: [number, number][] = [];
    for (let i = 0; i < 40; i++) {
      const shares = i % 2 === 0 ? b.shares : b.another();
      for (const [offset, count] of givenIn(await b.take(`h${i}`, 3, { shares }))) {
        done.push([offset, count]);
        expect(await b.settle(`h${i}`, offset, offset, ACCEPT, shares)).toBe("ok");
      }
    }
    expect(done).toEqual(Array.from({ length: 61 }, (_, i) => [i, 1]));
    expect(await b.shares.depths("g")).toMatchObject([{ depth: 0, inFlight: 0 }]);
  });
});
