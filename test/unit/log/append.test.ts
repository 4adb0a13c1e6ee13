import { beforeEach, describe, expect, test } from "vitest";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import { type Storage, StorageError } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { type Bench, batchOf, logOverMemory, readAll, record, START_MS, TestClock, texts } from "./support.ts";

let bench: Bench;

beforeEach(async () => {
  bench = logOverMemory();
  await bench.log.createTopic({ name: "t", partitions: 2 });
});

const append = (values: readonly string[], from?: Parameters<typeof batchOf>[1], log = bench.log) =>
  log.append({ topic: "t", partition: 0, batches: batchOf(values, from) });

describe("plain appends", () => {
  test("give out offsets without a gap, in the order of the calls, and read back through runs and tail", async () => {
    const results = await Promise.all(Array.from({ length: 100 }, (_, i) => append([`a${i}`, `b${i}`])));
    expect(results.map(({ baseOffset }) => baseOffset)).toEqual(Array.from({ length: 100 }, (_, i) => i * 2));
    for (let i = 0; i < 60; i++) await append([`c${i}`]);
    const records = await readAll(bench.log, "t", 0, 0, 1);
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 260 }, (_, i) => i));
    expect(texts(records).slice(0, 4)).toEqual(["a0", "b0", "a1", "b1"]);
    expect(texts(records).slice(-2)).toEqual(["c58", "c59"]);
  });

  test("of several processes interleave without losing any", async () => {
    const other = bench.another();
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => Promise.all([append([`x${i}`]), append([`y${i}`], undefined, other)])),
    );
    expect(texts(await readAll(bench.log, "t")).sort()).toEqual(
      [...Array.from({ length: 40 }, (_, i) => `x${i}`), ...Array.from({ length: 40 }, (_, i) => `y${i}`)].sort(),
    );
  });

  test("with LogAppendTime give all records the time of the append", async () => {
    await bench.log.alterConfigs("t", { "message.timestamp.type": "LogAppendTime" });
    bench.clock.ms += 5000;
    const result = await append(["a", "b"]);
    expect(result.logAppendTimeMs).toBe(START_MS + 5000);
    const records = await readAll(bench.log, "t");
    expect(records.map(({ timestampMs, timestampType }) => [timestampMs, timestampType])).toEqual(
      Array(2).fill([START_MS + 5000, "LogAppendTime"]),
    );
  });

  test("are refused before anything is written: size, checksum, missing key, unknown partition", async () => {
    const damaged = batchOf(["abc"]);
    damaged[70] = (damaged[70] as number) ^ 1;
    await expect(bench.log.append({ topic: "t", partition: 0, batches: damaged })).rejects.toMatchObject({
      code: "corrupt_record",
      outcome: "not_applied",
    });
    await bench.log.alterConfigs("t", { "max.message.bytes": "100", "cleanup.policy": "compact" });
    await expect(append(["x".repeat(200)])).rejects.toMatchObject({
      code: "record_too_large",
      message: expect.stringContaining("max.message.bytes"),
    });
    await expect(append(["x"])).rejects.toMatchObject({ code: "invalid_record" });
    await expect(bench.log.append({ topic: "t", partition: 2, batches: batchOf(["x"]) })).rejects.toMatchObject({
      code: "unknown_partition",
    });
    await expect(bench.log.append({ topic: "u", partition: 0, batches: batchOf(["x"]) })).rejects.toMatchObject({
      code: "unknown_topic",
    });
    expect((await bench.log.partitions("t")).map(({ logEndOffset }) => logEndOffset)).toEqual([0, 0]);
  });

  test("with keys are taken by a compacted topic", async () => {
    await bench.log.alterConfigs("t", { "cleanup.policy": "compact" });
    const batches = encodeBatch([record("v", "k"), record(null, "k")], { timestampMs: START_MS });
    await expect(bench.log.append({ topic: "t", partition: 0, batches })).resolves.toMatchObject({
      baseOffset: 0,
      recordCount: 2,
    });
  });
});

describe("idempotent producers", () => {
  test("are not doubled when they repeat, and learn the offset of the first time, from any process", async () => {
    for (let i = 0; i < 30; i++) await append([`p${i}`], { id: 7, sequence: i });
    const again = await append(["p29"], { id: 7, sequence: 29 }, bench.another());
    expect(again).toMatchObject({ baseOffset: 29, duplicate: true });
    expect(await append(["p26"], { id: 7, sequence: 26 })).toMatchObject({ baseOffset: 26, duplicate: true });
    expect(await readAll(bench.log, "t")).toHaveLength(30);
  });

  test("that repeat within one commit are not doubled either", async () => {
    const results = await Promise.all([
      append(["a"], { id: 7, sequence: 0 }),
      append(["a"], { id: 7, sequence: 0 }),
      append(["b"], { id: 7, sequence: 1 }),
    ]);
    expect(results.map(({ baseOffset, duplicate }) => [baseOffset, duplicate])).toEqual([
      [0, false],
      [0, true],
      [1, false],
    ]);
  });

  test("are refused out of order, with an older epoch, and unknown with a later sequence", async () => {
    await append(["a"], { id: 7, sequence: 0 });
    await expect(append(["c"], { id: 7, sequence: 2 })).rejects.toMatchObject({ code: "out_of_order_sequence" });
    await append(["a"], { id: 7, epoch: 3, sequence: 0 });
    await expect(append(["b"], { id: 7, epoch: 2, sequence: 1 })).rejects.toMatchObject({ code: "invalid_producer_epoch" });
    await expect(append(["b"], { id: 8, sequence: 5 })).rejects.toMatchObject({ code: "unknown_producer" });
    expect(await readAll(bench.log, "t")).toHaveLength(2);
  });

  test("come in any number to one partition at once", async () => {
    const results = await Promise.all(Array.from({ length: 200 }, (_, id) => append([`p${id}`], { id, sequence: 0 })));
    expect(new Set(results.map(({ baseOffset }) => baseOffset)).size).toBe(200);
    const again = await Promise.all(Array.from({ length: 200 }, (_, id) => append([`p${id}`], { id, sequence: 0 })));
    expect(again.map(({ baseOffset }) => baseOffset)).toEqual(results.map(({ baseOffset }) => baseOffset));
  });

  test("that are refused do not keep the others of the same commit from being written", async () => {
    await append(["a"], { id: 7, sequence: 0 });
    const other = bench.another();
    await append(["b"], { id: 7, sequence: 1 }, other);
    // This process does not know of sequence 1 yet.
    const [stale, plain, fresh] = await Promise.allSettled([
      append(["B"], { id: 7, sequence: 1 }),
      append(["plain"]),
      append(["c"], { id: 7, sequence: 2 }),
    ]);
    expect(stale).toMatchObject({ value: { duplicate: true, baseOffset: 1 } });
    expect(plain.status).toBe("fulfilled");
    expect(fresh.status).toBe("fulfilled");
    expect(texts(await readAll(bench.log, "t"))).toEqual(expect.arrayContaining(["a", "b", "plain", "c"]));
  });

  test("are still known after they were moved out of the head", async () => {
    const small = logOverMemory({ sealing: { runRefs: 4, producersKept: 1, producersMost: 1, producerIdleMs: 0 } });
    await small.log.createTopic({ name: "t" });
    const send = (id: number, sequence: number) =>
      small.log.append({ topic: "t", partition: 0, batches: batchOf([`${id}.${sequence}`], { id, sequence }) });
    for (let sequence = 0; sequence < 4; sequence++) for (let id = 0; id < 10; id++) await send(id, sequence);
    expect(await send(3, 3)).toMatchObject({ duplicate: true });
    await expect(send(3, 5)).rejects.toMatchObject({ code: "out_of_order_sequence" });
    expect(await send(3, 4)).toMatchObject({ duplicate: false, baseOffset: 40 });
    expect(await readAll(small.log, "t")).toHaveLength(41);
  });
});

describe("Idempotency-Key", () => {
  const keyed = (values: readonly string[], idempotencyKey: string, log = bench.log) =>
    log.append({ topic: "t", partition: 0, batches: batchOf(values) }, { idempotencyKey });

  test("are claimed too behind a repeated batch, while another partition commits first", async () => {
    await bench.log.createTopic({ name: "held" });
    await append(["once"], { id: 7, sequence: 0 });
    const { table } = bench.storage;
    const inOrder = table.inOrder.bind(table);
    const goOn = Promise.withResolvers<void>();
    table.inOrder = async (stages) => {
      await goOn.promise;
      return inOrder(stages);
    };
    const under = [bench.log.append({ topic: "held", partition: 0, batches: batchOf(["x"]) })];
    await bench.clock.sleep(5);
    under.push(bench.log.append({ topic: "t", partition: 1, batches: batchOf(["other"]) }));
    under.push(append(["once"], { id: 7, sequence: 0 }));
    const first = keyed(["keyed"], "behind");
    await bench.clock.sleep(5);
    table.inOrder = inOrder;
    goOn.resolve();
    const [, , repeated] = await Promise.all(under);
    expect(repeated).toMatchObject({ duplicate: true, baseOffset: 0 });
    const again = await keyed(["keyed"], "behind", bench.another());
    expect(again).toMatchObject({ duplicate: true, baseOffset: (await first).baseOffset });
    expect(texts(await readAll(bench.log, "t"))).toEqual(["once", "keyed"]);
  });

  test("a request that is sent again is answered as the first time, at once or later, from any process", async () => {
    const [first, twin] = await Promise.all([keyed(["a"], "k1"), keyed(["a"], "k1")]);
    expect([first.baseOffset, twin.baseOffset]).toEqual([0, 0]);
    await append(["b"]);
    expect(await keyed(["a"], "k1", bench.another())).toMatchObject({ baseOffset: 0, duplicate: true });
    expect(texts(await readAll(bench.log, "t"))).toEqual(["a", "b"]);
  });

  test("another request with the same key is refused", async () => {
    await keyed(["a"], "k1");
    await expect(keyed(["b"], "k1")).rejects.toMatchObject({ code: "idempotency_conflict" });
  });

  test("after a refusal the same key can be used at once", async () => {
    await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["x"], { id: 1, sequence: 0 }) });
    const wrong = bench.log.append(
      { topic: "t", partition: 0, batches: batchOf(["y"], { id: 1, sequence: 5 }) },
      { idempotencyKey: "k2" },
    );
    await expect(wrong).rejects.toMatchObject({ code: "out_of_order_sequence" });
    expect(await keyed(["z"], "k2")).toMatchObject({ baseOffset: 1 });
  });

  test("a request that would go elsewhere by now is answered with where it went", async () => {
    const options = { idempotencyKey: "k1", requestHash: "same" };
    await bench.log.append({ topic: "t", partition: 1, batches: batchOf(["a"]) }, options);
    const again = await bench.log.append({ topic: "t", partition: 0, batches: batchOf(["a"]) }, options);
    expect(again).toMatchObject({ partition: 1, baseOffset: 0, duplicate: true });
    expect((await bench.log.partitions("t")).map(({ logEndOffset }) => logEndOffset)).toEqual([0, 1]);
  });

  test("is forgotten after 24 hours", async () => {
    await keyed(["a"], "k1");
    bench.clock.ms += 86_401_000;
    expect(await keyed(["a"], "k1")).toMatchObject({ baseOffset: 1, duplicate: false });
  });
});

describe("several partitions at once", () => {
  const both = (a: string, b: string) => [
    { topic: "t", partition: 0, batches: batchOf([a]) },
    { topic: "t", partition: 1, batches: batchOf([b]) },
  ];

  test("all are written, next to plain appends", async () => {
    const [results] = await Promise.all([bench.log.appendAtomically(both("a", "b")), append(["c"])]);
    expect(results.map(({ partition }) => partition)).toEqual([0, 1]);
    expect(texts(await readAll(bench.log, "t", 1))).toEqual(["b"]);
    const first = results[0]?.baseOffset as number;
    expect(texts(await readAll(bench.log, "t", 0))[first]).toBe("a");
  });

  test("none is written when one of them is refused", async () => {
    const [, second] = both("a", "b");
    const requests = [
      { topic: "t", partition: 0, batches: batchOf(["a"], { id: 9, sequence: 4 }) },
      second as { topic: string; partition: number; batches: Uint8Array },
    ];
    await expect(bench.log.appendAtomically(requests)).rejects.toMatchObject({ code: "unknown_producer" });
    expect((await bench.log.partitions("t")).map(({ logEndOffset }) => logEndOffset)).toEqual([0, 0]);
  });

  test("a partition named twice is refused", async () => {
    const [one] = both("a", "b") as [ReturnType<typeof both>[0]];
    await expect(bench.log.appendAtomically([one, one])).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("under a key they are written once", async () => {
    const first = await bench.log.appendAtomically(both("a", "b"), { idempotencyKey: "k" });
    const again = await bench.another().appendAtomically(both("a", "b"), { idempotencyKey: "k" });
    expect(again.map(({ baseOffset }) => baseOffset)).toEqual(first.map(({ baseOffset }) => baseOffset));
    expect(await readAll(bench.log, "t", 1)).toHaveLength(1);
  });
});

test("a log that is closed refuses appends and finishes those under way", async () => {
  const under = append(["a"]);
  await bench.log.close();
  await expect(under).resolves.toMatchObject({ baseOffset: 0 });
  await expect(append(["b"])).rejects.toMatchObject({ code: "shutting_down" });
});

describe("a storage that throttles", () => {
  test("is asked again with patience that ends: refused as throttled, nothing written, and the next append goes through", async () => {
    const clock = new TestClock();
    const memory = memoryStorage({ clock });
    let throttled = false;
    let asked = 0;
    const inOrder: Storage["table"]["inOrder"] = async (stages) => {
      if (!throttled) return memory.table.inOrder(stages);
      asked++;
      // What a storage's own back-off takes.
      clock.ms += 4000;
      const error = new StorageError("throttled", "asks for fewer requests");
      return stages.map((stage) => stage.map(() => ({ ok: false as const, error })));
    };
    const table = new Proxy(memory.table, {
      get: (target, name: keyof Storage["table"]) => (name === "inOrder" ? inOrder : target[name].bind(target)),
    });
    const { log } = logOverMemory({ clock, storage: { ...memory, table } });
    await log.createTopic({ name: "t" });
    throttled = true;
    const refused = log.append({ topic: "t", partition: 0, batches: batchOf(["no"]) });
    await expect(refused).rejects.toMatchObject({ code: "throttled", outcome: "not_applied", retryAfterMs: 1000 });
    expect(asked).toBe(3);
    throttled = false;
    expect(await log.append({ topic: "t", partition: 0, batches: batchOf(["yes"]) })).toMatchObject({ baseOffset: 0 });
  });
});
