/** Transactions as one partition sees them: guards, markers, the last stable offset, what was aborted. */
import { beforeEach, describe, expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import { decodeHead, headKey } from "../../../lib/log/items/head.ts";
import { abortedAmong } from "../../../lib/log/markers/aborted.ts";
import type { Isolation, LogApi } from "../../../lib/log/types.ts";
import { type Storage, StorageError, type Table } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { type Bench, batchOf, logOverMemory, TestClock } from "./support.ts";

let bench: Bench;
let topicId: string;
const DUE = async () => true;

beforeEach(() => use(logOverMemory()));

async function use(made: Bench): Promise<void> {
  bench = made;
  topicId = (await bench.log.createTopic({ name: "t", partitions: 2 })).id;
}

async function guard(log: LogApi = bench.log, partition = 0): Promise<number> {
  return (await log.transactionGuards([{ topic: "t", partition }]))[0] as number;
}

interface Sent {
  readonly id?: number;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly guard?: number;
  readonly partition?: number;
}

async function send(values: readonly string[], { id = 7, epoch = 0, sequence = 0, partition = 0, ...more }: Sent = {}) {
  const batches = batchOf(values, { id, epoch, sequence, transactional: true });
  const transactionGuard = more.guard ?? (await guard(bench.log, partition));
  return bench.log.append({ topic: "t", partition, batches, transactionGuard });
}

function end(commit: boolean, { id = 7, epoch = 0, partitions = [0] } = {}, log = bench.log, stillDue = DUE): Promise<void> {
  const places = partitions.map((partition) => ({ topicId, partition }));
  return log.endTransaction({ partitions: places, producerId: id, producerEpoch: epoch, commit }, stillDue);
}

/** The records that a reader shows, from an offset on, batch by batch of at most `maxBytes`. */
async function shown(isolation: Isolation, from = 0, maxBytes = 2 ** 20): Promise<string[]> {
  const values: string[] = [];
  for (let offset = from; ; ) {
    const read = await bench.log.read({ topic: "t", partition: 0, offset, maxBytes, isolation });
    const isAborted = abortedAmong(read.aborted);
    for (const bytes of read.batches) {
      for (const batch of batchHeaders(bytes)) {
        if (batch.isControl || isAborted(batch)) continue;
        for (const one of decodeBatch(bytes, batch.at, nodeCodecs)) {
          if (one.offset >= offset) values.push(Buffer.from(one.value ?? []).toString());
        }
      }
    }
    if (read.nextOffset === offset) return values;
    offset = read.nextOffset;
  }
}

async function head() {
  return decodeHead((await bench.storage.table.get(headKey(topicId, 0))) ?? {});
}

describe("an open transaction", () => {
  test("holds the last stable offset until it ends, and read_committed waits there", async () => {
    await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["before"]) });
    await send(["a", "b"]);
    await send(["c"], { sequence: 2 });
    await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["after"]) });
    expect(await bench.log.partitions("t", [0])).toEqual([
      { partition: 0, logStartOffset: 0, logEndOffset: 5, lastStableOffset: 1 },
    ]);
    expect(await shown("read_committed")).toEqual(["before"]);
    expect(await shown("read_uncommitted")).toEqual(["before", "a", "b", "c", "after"]);
    expect(await bench.log.listOffset("t", 0, { at: "latest" }, "read_committed")).toMatchObject({ offset: 1 });
    expect(await bench.log.listOffset("t", 0, { at: "latest" })).toMatchObject({ offset: 5 });
    const waiting = bench.log.read({ topic: "t", partition: 0, offset: 1, isolation: "read_committed", maxWaitMs: 60_000 });
    await end(true);
    expect((await waiting).nextOffset).toBe(6);
    expect(await shown("read_committed")).toEqual(["before", "a", "b", "c", "after"]);
  });

  test("is told of with its producer, and shut off from what is not part of it", async () => {
    await send(["a"]);
    expect(await bench.log.activeProducers("t", 0)).toEqual([
      { producerId: 7, producerEpoch: 0, lastSequence: 0, transactionStartOffset: 0 },
    ]);
    const plain = batchOf(["b"], { id: 7, sequence: 1 });
    await expect(bench.log.append({ topic: "t", partition: 0, batches: plain })).rejects.toMatchObject({
      code: "invalid_txn_state",
    });
  });

  test("answers a repeated batch with its first place", async () => {
    expect(await send(["a"])).toMatchObject({ baseOffset: 0, duplicate: false });
    expect(await send(["a"])).toMatchObject({ baseOffset: 0, duplicate: true });
    await end(true);
    expect(await send(["a"])).toMatchObject({ baseOffset: 0, duplicate: true });
    expect((await head()).openTransactions).toEqual({});
  });
});

test("a batch of a transaction without a guard is refused", async () => {
  const batches = batchOf(["a"], { id: 7, sequence: 0, transactional: true });
  await expect(bench.log.append({ topic: "t", partition: 0, batches })).rejects.toMatchObject({ outcome: "not_applied" });
});

test("a first batch that comes after the end of its transaction is refused, where something was written there and where nothing was", async () => {
  const early = await guard();
  await end(true);
  await expect(send(["late"], { guard: early })).rejects.toMatchObject({ code: "concurrent_transactions", retriable: true });
  await send(["a"]);
  const meanwhile = await guard();
  await end(false);
  await expect(send(["late"], { sequence: 1, guard: meanwhile })).rejects.toMatchObject({ code: "concurrent_transactions" });
  expect(await shown("read_uncommitted")).toEqual(["a"]);
});

test("no partition takes more than 64 open transactions", async () => {
  for (let id = 0; id < 64; id++) await send(["x"], { id });
  await expect(send(["x"], { id: 64 })).rejects.toMatchObject({
    code: "concurrent_transactions",
    message: expect.stringContaining("64"),
  });
  await end(true, { id: 3 });
  await send(["x"], { id: 64 });
});

describe("an abort", () => {
  test("hides what it was about from read_committed alone, read from anywhere and in any portions", async () => {
    await send(["a0"], { id: 1 });
    await send(["b0"], { id: 2 });
    await send(["a1"], { id: 1, sequence: 1 });
    await end(false, { id: 1 });
    await send(["a2"], { id: 1, sequence: 2 });
    await send(["b1"], { id: 2, sequence: 1 });
    await end(true, { id: 2 });
    await end(true, { id: 1 });
    await send(["c0"], { id: 3 });
    await end(false, { id: 3 });
    for (const maxBytes of [1, 100, 2 ** 20]) {
      expect(await shown("read_committed", 0, maxBytes)).toEqual(["b0", "a2", "b1"]);
      expect(await shown("read_committed", 2, maxBytes)).toEqual(["a2", "b1"]);
      expect(await shown("read_committed", 5, maxBytes)).toEqual(["b1"]);
    }
    expect(await shown("read_uncommitted")).toEqual(["a0", "b0", "a1", "a2", "b1", "c0"]);
  });

  test("with a higher epoch shuts the older one out, and begins with sequence 0", async () => {
    await send(["a"]);
    await end(false, { epoch: 1 });
    await expect(send(["zombie"], { sequence: 1 })).rejects.toMatchObject({ code: "invalid_producer_epoch" });
    await expect(send(["b"], { epoch: 1, sequence: 3 })).rejects.toMatchObject({ code: "out_of_order_sequence" });
    await send(["b"], { epoch: 1 });
    await end(true, { epoch: 1 });
    expect(await shown("read_committed")).toEqual(["b"]);
  });
});

test("markers are Kafka's control batches", async () => {
  await send(["a"]);
  await end(true);
  const { batches } = await bench.log.read({ topic: "t", partition: 0, offset: 1 });
  const [bytes] = batches as [Uint8Array];
  expect([...batchHeaders(bytes)]).toMatchObject([
    { baseOffset: 1, isControl: true, isTransactional: true, producerId: 7, producerEpoch: 0, baseSequence: -1, recordCount: 1 },
  ]);
  const [marker] = decodeBatch(bytes, 0, {});
  expect([Buffer.from(marker?.key ?? []).toString("hex"), Buffer.from(marker?.value ?? []).toString("hex")]).toEqual([
    "00000001",
    "000000000000",
  ]);
});

test("an end that is asked for again, or by somebody who was held up, does not end the next transaction", async () => {
  await send(["a"], { partition: 0 });
  await end(true);
  await send(["b"], { sequence: 1 });
  await end(true, {}, bench.another(), async () => false);
  expect((await head()).openTransactions).toEqual({ "7": 2 });
  await end(false);
  await end(false);
  expect(await shown("read_committed")).toEqual(["a"]);
  expect((await bench.log.partitions("t", [0]))[0]?.logEndOffset).toBe(4);
});

test("of a topic that is gone the end is done", async () => {
  await send(["a"]);
  await bench.log.deleteTopic("t");
  await end(true);
});

test("a head from before there were transactions takes them", async () => {
  await bench.storage.table.write({
    op: "update",
    key: headKey(topicId, 0),
    changes: ["x", "y", "k", "a"].map((remove) => ({ remove })),
  });
  await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["old"]) });
  await send(["a"]);
  await end(false);
  expect(await shown("read_committed")).toEqual(["old"]);
});

test("a producer with an open transaction stays in the head, whatever comes", async () => {
  await send(["a"], { id: 1000 });
  for (let id = 0; id < 120; id++)
    await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["x"], { id, sequence: 0 }) });
  await bench.log.close();
  expect((await head()).producers["1000"]).toBeDefined();
  expect(Object.keys((await head()).producers).length).toBeLessThan(100);
});

describe("a storage that fails in the middle of an end", () => {
  /** Fails the n-th write, before or after it was applied. */
  function failing(n: number, applied: boolean, kind: "unknown" | "unavailable"): Storage {
    const inner = memoryStorage({ clock: new TestClock() });
    let armed = false;
    let seen = 0;
    const fails = async <T>(run: () => Promise<T>): Promise<T> => {
      if (!armed || seen++ !== n) return run();
      if (applied) await run();
      throw new StorageError(kind, "lost");
    };
    const table: Table = new Proxy(inner.table, {
      get(target, name) {
        if (name === "write") return (op: never) => fails(() => target.write(op));
        if (name === "inOrder") {
          return async (stages: never) => {
            try {
              return await fails(() => target.inOrder(stages));
            } catch (error) {
              const settled = { ok: false as const, error: error as StorageError };
              return (stages as unknown[][]).map((stage) => stage.map(() => settled));
            }
          };
        }
        const value = target[name as keyof Table] as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    return Object.assign(Object.create(inner), {
      table,
      arm() {
        armed = true;
      },
    });
  }

  const cases = [0, 1, 2].flatMap((n) => [true, false].map((applied) => [n, applied] as const));
  test.each(cases)(
    "write %i is lost, applied: %s: the abort is whole all the same, and one marker is in the log",
    async (n, applied) => {
      const storage = failing(n, applied, applied ? "unknown" : "unavailable");
      await use(logOverMemory({ storage }));
      await send(["a"]);
      (storage as Storage & { arm(): void }).arm();
      await end(false);
      await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["b"]) });
      expect(await shown("read_committed")).toEqual(["b"]);
      expect((await bench.log.partitions("t", [0]))[0]).toMatchObject({ logEndOffset: 3, lastStableOffset: 3 });
    },
  );
});
