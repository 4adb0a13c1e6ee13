/** Transactions over log and groups, over memory: what readers see, what zombies may, what a crash leaves. */
import { beforeEach, describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import { abortedAmong } from "../../../lib/log/markers/aborted.ts";
import { type Storage, StorageError, type Table } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { settleTransactions } from "../../../lib/transactions/job.ts";
import { createTransactions, type Transactions } from "../../../lib/transactions/transactions.ts";
import type { TransactionalProducer } from "../../../lib/transactions/types.ts";
import { groupsOverMemory, withTable } from "../groups/support.ts";
import { batchOf, TestClock } from "../log/support.ts";

let bench: ReturnType<typeof groupsOverMemory>;
let transactions: Transactions;

beforeEach(() => use());

async function use(storage?: Storage): Promise<void> {
  bench = groupsOverMemory(storage === undefined ? {} : { storage });
  transactions = createTransactions({ ...bench.parts, groups: bench.groups });
  await bench.log.createTopic({ name: "t", partitions: 3 });
}

/** A producer as a client is one: it counts its sequences. */
class Client {
  readonly #sequences = new Map<number, number>();
  readonly #bumps: boolean;
  me: TransactionalProducer;

  constructor(me: TransactionalProducer, bumps: boolean) {
    this.me = me;
    this.#bumps = bumps;
  }

  static async begin(transactionalId = "tx", bumps = false, timeoutMs = 60_000): Promise<Client> {
    return new Client({ transactionalId, ...(await transactions.initProducer(transactionalId, timeoutMs)) }, bumps);
  }

  async send(partition: number, value: string): Promise<void> {
    if (!this.#bumps) await transactions.addPartitions(this.me, [{ topic: "t", partition }]);
    const [guard] = await transactions.guards(this.me, [{ topic: "t", partition }], this.#bumps);
    if (typeof guard !== "number") throw guard;
    const sequence = this.#sequences.get(partition) ?? 0;
    const { producerId: id, epoch } = this.me;
    const batches = batchOf([value], { id, epoch, sequence, transactional: true });
    await bench.log.append({ topic: "t", partition, batches, transactionGuard: guard });
    this.#sequences.set(partition, sequence + 1);
  }

  async offsets(offset: number, partition = 2): Promise<void> {
    if (!this.#bumps) await transactions.addGroup(this.me, "g");
    const request = { group: "g", offsets: [{ topic: "t", partition, offset, metadata: "m" }] };
    const [answer] = await transactions.commitOffsets(this.me, request, this.#bumps);
    if (answer?.error !== undefined) throw answer.error;
  }

  async end(commit: boolean): Promise<void> {
    const after = await transactions.end(this.me, commit, this.#bumps);
    if (after.epoch !== this.me.epoch || after.producerId !== this.me.producerId) this.#sequences.clear();
    this.me = { ...this.me, ...after };
  }
}

/** All that is committed, by partition; what is not is not there. */
async function committed(): Promise<string[][]> {
  const shown: string[][] = [];
  for (let partition = 0; partition < 2; partition++) {
    const values: string[] = [];
    for (let offset = 0; ; ) {
      const read = await bench.log.read({ topic: "t", partition, offset, isolation: "read_committed" });
      const isAborted = abortedAmong(read.aborted);
      for (const bytes of read.batches) {
        for (const batch of batchHeaders(bytes)) {
          if (batch.isControl || isAborted(batch)) continue;
          for (const one of decodeBatch(bytes, batch.at, nodeCodecs)) values.push(Buffer.from(one.value ?? []).toString());
        }
      }
      if (read.nextOffset === offset) break;
      offset = read.nextOffset;
    }
    shown.push(values);
  }
  return shown;
}

async function offset(requireStable = false) {
  const topics = [{ topic: "t", partitions: [2] }];
  const [found] = await bench.groups.fetchOffsets({ group: "g", topics, requireStable });
  return found?.error?.code ?? found?.offset;
}

describe.each([
  ["the first version of the protocol", false],
  ["the second version", true],
])("in %s", (_name, bumps) => {
  test("a commit shows records and offsets, an abort neither", async () => {
    const client = await Client.begin("tx", bumps);
    await client.send(0, "a");
    await client.send(1, "b");
    await client.offsets(5);
    expect(await committed()).toEqual([[], []]);
    expect([await offset(), await offset(true)]).toEqual([-1, "unstable_offset_commit"]);
    await client.end(true);
    expect(await committed()).toEqual([["a"], ["b"]]);
    expect([await offset(), await offset(true)]).toEqual([5, 5]);
    await client.send(0, "never");
    await client.offsets(9);
    await client.end(false);
    await client.send(0, "c");
    await client.end(true);
    expect(await committed()).toEqual([["a", "c"], ["b"]]);
    expect([await offset(), await offset(true)]).toEqual([5, 5]);
  });

  test("an end that is asked for again is answered alike", async () => {
    const client = await Client.begin("tx", bumps);
    await client.send(0, "a");
    const before = client.me;
    await client.end(true);
    expect(await transactions.end(before, true, bumps)).toEqual({ producerId: client.me.producerId, epoch: client.me.epoch });
    await expect(transactions.end(before, false, bumps)).rejects.toMatchObject({ code: "invalid_txn_state" });
  });

  test("a zombie writes, commits and ends nothing", async () => {
    const zombie = await Client.begin("tx", bumps);
    await zombie.send(0, "never");
    const client = await Client.begin("tx", bumps);
    await client.send(0, "a");
    await expect(zombie.send(0, "late")).rejects.toMatchObject({ code: "producer_fenced" });
    await expect(zombie.send(1, "late")).rejects.toMatchObject({ code: "producer_fenced" });
    await expect(zombie.offsets(3)).rejects.toMatchObject({ code: "producer_fenced" });
    await expect(zombie.end(true)).rejects.toMatchObject({ code: "producer_fenced" });
    await client.end(true);
    expect(await committed()).toEqual([["a"], []]);
  });
});

test("offsets are noted for the open transaction alone, and for no group that was not added", async () => {
  const client = await Client.begin();
  const request = { group: "g", offsets: [{ topic: "t", partition: 2, offset: 1 }] };
  await expect(transactions.commitOffsets(client.me, request, false)).rejects.toMatchObject({ code: "invalid_txn_state" });
  await client.offsets(1);
  await client.end(true);
  const { producerId } = client.me;
  await expect(bench.groups.noteOffsets(request, { producerId, number: 1 })).rejects.toMatchObject({ code: "invalid_txn_state" });
});

test("offsets of many partitions are applied, however many they are", async () => {
  for (let i = 0; i < 4; i++) await bench.log.createTopic({ name: `many-${i}`, partitions: 1000 });
  const client = await Client.begin();
  await transactions.addGroup(client.me, "g");
  const offsets = Array.from({ length: 4000 }, (_, i) => ({ topic: `many-${i % 4}`, partition: Math.floor(i / 4), offset: i }));
  await transactions.commitOffsets(client.me, { group: "g", offsets }, false);
  await client.end(true);
  const found = await bench.groups.fetchOffsets({ group: "g" });
  expect(found.length).toBe(4000);
  expect(
    found.every((one) =>
      offsets.some(({ topic, partition, offset }) => one.topic === topic && one.partition === partition && one.offset === offset),
    ),
  ).toBe(true);
});

test("a partition that is not there keeps the others of its request out", async () => {
  const client = await Client.begin();
  const [good, bad] = await transactions.addPartitions(client.me, [
    { topic: "t", partition: 0 },
    { topic: "t", partition: 9 },
  ]);
  expect([good?.code, bad?.code]).toEqual(["transaction_abortable", "unknown_partition"]);
  expect(await transactions.describe("tx")).toMatchObject({ phase: "Empty", partitions: [] });
});

test("time-outs and ids have limits", async () => {
  await expect(transactions.initProducer("tx", 900_001)).rejects.toMatchObject({ code: "invalid_transaction_timeout" });
  await expect(transactions.initProducer("", 1000)).rejects.toMatchObject({ code: "invalid_request" });
  await expect(transactions.initProducer("x".repeat(1001), 1000)).rejects.toMatchObject({ code: "invalid_request" });
  await expect(transactions.describe("nobody")).rejects.toMatchObject({ code: "transactional_id_not_found" });
});

test("transactions are listed and described", async () => {
  const one = await Client.begin("orders-1");
  await Client.begin("orders-2");
  await Client.begin("other");
  await one.send(1, "x");
  expect(await transactions.describe("orders-1")).toMatchObject({ phase: "Ongoing", partitions: [{ topic: "t", partition: 1 }] });
  const ids = async (filter: Parameters<Transactions["list"]>[0]) =>
    (await transactions.list(filter)).map(({ transactionalId }) => transactionalId);
  expect(await ids({})).toEqual(["orders-1", "orders-2", "other"]);
  expect(await ids({ pattern: "orders-.*" })).toEqual(["orders-1", "orders-2"]);
  expect(await ids({ phases: ["Ongoing"] })).toEqual(["orders-1"]);
  expect(await ids({ producerIds: [one.me.producerId] })).toEqual(["orders-1"]);
  expect(await ids({ longerThanMs: 1000 })).toEqual([]);
  bench.clock.ms += 2000;
  expect(await ids({ longerThanMs: 1000 })).toEqual(["orders-1"]);
});

describe("the job", () => {
  const run = (more = {}) => settleTransactions({ ...bench.parts, transactions }, { untilMs: Number.POSITIVE_INFINITY, ...more });

  test("aborts what is open for too long, and shuts its producer out", async () => {
    const client = await Client.begin("tx", true, 10_000);
    await client.send(0, "never");
    expect(await run()).toMatchObject({ aborted: 0, completed: 0, left: false });
    bench.clock.ms += 10_001;
    expect(await run({ dryRun: true })).toMatchObject({ aborted: 0 });
    expect(await run()).toMatchObject({ aborted: 1 });
    await expect(client.end(true)).rejects.toMatchObject({ code: "producer_fenced" });
    expect((await bench.log.partitions("t", [0]))[0]).toMatchObject({ lastStableOffset: 2 });
  });

  test("forgets an id that nobody used for a week, not one with an open transaction", async () => {
    await Client.begin("idle");
    const open = await Client.begin("open", false, 900_000);
    await open.send(0, "x");
    bench.clock.ms += 8 * 24 * 3_600_000;
    expect((await transactions.list()).map(({ transactionalId }) => transactionalId)).toEqual(["open"]);
  });
});

describe("a process that dies anywhere in an end", () => {
  /** Fails for good from the n-th write on, the n-th itself applied or not. */
  function dying(n: number, applied: boolean): { storage: Storage; arm: () => void; seen: () => number } {
    const inner = memoryStorage({ clock: new TestClock() });
    let armed = false;
    let seen = 0;
    const step = async <T>(run: () => Promise<T>): Promise<T> => {
      if (!armed) return run();
      seen++;
      if (seen < n) return run();
      if (seen === n && applied) await run();
      throw new Error("the process is dead");
    };
    const table: Partial<Table> = {
      write: (op) => step(() => inner.table.write(op)),
      inOrder: (stages) => step(() => inner.table.inOrder(stages)),
      atomically: (ops) => step(() => inner.table.atomically(ops)),
    };
    return {
      storage: withTable(inner, table),
      arm() {
        armed = !armed;
      },
      seen: () => seen,
    };
  }

  test.each([true, false])("leaves what the job ends all of or nothing of (commit: %s)", async (commit) => {
    let deaths = 0;
    for (let n = 1; ; n++) {
      for (const applied of [true, false]) {
        const { storage, arm, seen } = dying(n, applied);
        await use(storage);
        const client = await Client.begin("tx", false, 10_000);
        await client.send(0, "a");
        await client.send(1, "b");
        await client.offsets(7);
        arm();
        const ended = await client.end(commit).then(
          () => true,
          () => false,
        );
        arm();
        bench.clock.ms += 20_000;
        await settleTransactions({ ...bench.parts, transactions }, { untilMs: Number.POSITIVE_INFINITY });
        const phase = (await transactions.describe("tx")).phase;
        const all = phase === "CompleteCommit";
        // Only before the commit point is a commit aborted.
        if (n > 1 || applied) expect(all).toBe(commit);
        expect(await committed()).toEqual(all ? [["a"], ["b"]] : [[], []]);
        expect(await offset(true)).toBe(all ? 7 : -1);
        for (const { logEndOffset, lastStableOffset } of await bench.log.partitions("t", [0, 1])) {
          expect([logEndOffset, lastStableOffset]).toEqual([2, 2]);
        }
        if (ended && seen() < n) {
          expect(deaths).toBeGreaterThan(4);
          return;
        }
        deaths++;
      }
    }
  });

  test("or whose writes are not known to have been applied, goes on by itself", async () => {
    for (let n = 1; n < 12; n++) {
      const inner = memoryStorage({ clock: new TestClock() });
      let left = 0;
      const lose = async <T>(run: () => Promise<T>): Promise<T> => {
        const done = await run();
        if (--left === 0) throw new StorageError("unknown", "lost");
        return done;
      };
      await use(
        withTable(inner, {
          write: (op) => lose(() => inner.table.write(op)),
          atomically: (ops) => lose(() => inner.table.atomically(ops)),
        }),
      );
      const client = await Client.begin();
      left = n;
      await client.send(0, "a");
      await client.offsets(7);
      await client.end(true);
      expect(await committed()).toEqual([["a"], []]);
      expect(await offset(true)).toBe(7);
    }
  });
});
