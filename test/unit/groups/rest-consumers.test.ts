/** REST consumers between two calls: what is kept, and what a write that fails or is lost leaves. */
import { describe, expect, test } from "vitest";
import type { RestConsumer } from "../../../lib/groups/items/rest-consumer.ts";
import type { Position } from "../../../lib/groups/poll/cursor.ts";
import { returned } from "../../../lib/groups/poll/poll.ts";
import * as rest from "../../../lib/groups/rest/consumers.ts";
import { answered, asSeen, newConsumer } from "../../../lib/groups/rest/machine.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import { StorageError } from "../../../lib/ports/index.ts";
import { logOverMemory } from "../log/support.ts";
import { groupsOverMemory, withWrite } from "./support.ts";

const SETTINGS = {
  group: "g",
  name: "me",
  format: "json",
  autoCommit: true,
  minBytes: 1,
  timeoutMs: 0,
  reset: "earliest",
} as const;
const REF = { group: "g", name: "me" };
const ASK = {
  client: { clientId: "test", clientHost: "" },
  maxBytes: 1_000_000,
  maxWaitMs: 0,
  seen: undefined,
  signal: new AbortController().signal,
};

/** A consumer of a topic with three records; `fail` decides what becomes of writes of the consumer itself. */
async function bench() {
  const { storage } = logOverMemory();
  let fail: "before" | "after" | undefined;
  const made = groupsOverMemory({
    storage: withWrite(storage, async (own, op) => {
      if (fail === undefined || !op.key.pk.startsWith("REST#") || op.op !== "put") return own(op);
      const how = fail;
      fail = undefined;
      if (how === "before") throw new StorageError("unavailable", "gone");
      await own(op);
      throw new StorageError("unknown", "the answer was lost");
    }),
  });
  const { log, groups } = made;
  await log.createTopic({ name: "t", partitions: 1 });
  const records = ["1", "2", "3"].map((text) => ({ key: null, value: Buffer.from(text) }));
  const batches = encodeBatch(records, { timestampMs: 1_700_000_000_000, codecs: nodeCodecs });
  await log.append({ topic: "t", partition: 0, batches });
  const parts = { groups, log };
  await rest.createConsumer(parts, SETTINGS);
  await rest.subscribe(parts, REF, { topics: ["t"] }, "11111111-1111-4111-8111-111111111111");
  return {
    ...made,
    parts,
    failNext(how: "before" | "after"): void {
      fail = how;
    },
    /** The offsets that a read goes over. */
    async read(more: Partial<typeof ASK & { seen: number | undefined }> = {}): Promise<number[]> {
      const stored = await groups.restConsumers.read("g", "me");
      const { result } = await rest.readRecords(parts, stored, { ...ASK, ...more }, ({ polled, cursor }) => ({
        cursor: returned(
          cursor,
          polled.map(({ topic, partition, result }) => ({ topic, partition, offset: result.nextOffset })),
        ),
        result: polled.flatMap(({ offset, result }) => [offset, result.nextOffset]),
      }));
      return result;
    },
    committed: async () => (await groups.fetchOffsets({ group: "g" })).map(({ offset }) => offset),
  };
}

describe("a read of records", () => {
  test("whose write was not applied gives nothing and moves nothing", async () => {
    const { read, failNext, groups } = await bench();
    failNext("before");
    await expect(read()).rejects.toMatchObject({ code: "unavailable", outcome: "not_applied" });
    expect((await groups.restConsumers.read("g", "me")).consumer.cursor.positions).toEqual([]);
    expect(await read()).toEqual([0, 3]);
    // It had joined already; it joined again as itself.
    expect((await groups.describe("g")).members).toHaveLength(1);
  });

  test("whose write was applied without an answer is answered all the same, once", async () => {
    const { read, failNext, groups } = await bench();
    failNext("after");
    expect(await read()).toEqual([0, 3]);
    expect((await groups.restConsumers.read("g", "me")).consumer).toMatchObject({ sequence: 1 });
    expect(await read()).toEqual([]);
  });

  test("that fails after it has committed commits the same again", async () => {
    const { read, failNext, committed } = await bench();
    await read();
    failNext("before");
    await expect(read()).rejects.toMatchObject({ code: "unavailable" });
    expect(await committed()).toEqual([3]);
    expect(await read()).toEqual([]);
    expect(await committed()).toEqual([3]);
  });

  test("whose caller has gone gives nothing and moves nothing", async () => {
    const { read } = await bench();
    await expect(read({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "timeout" });
    expect(await read()).toEqual([0, 3]);
  });

  test("that was overtaken by another is refused", async () => {
    const { parts, groups } = await bench();
    const stored = await groups.restConsumers.read("g", "me");
    const poll = () => rest.readRecords(parts, stored, ASK, ({ cursor }) => ({ cursor, result: null }));
    await poll();
    await expect(poll()).rejects.toMatchObject({ code: "consumer_illegal_state", outcome: "not_applied" });
  });
});

test("a consumer with more partitions than an item holds is refused before anything is written", async () => {
  const { groups } = await bench();
  const stored = await groups.restConsumers.read("g", "me");
  const positions = Array.from(
    { length: 40_000 },
    (_, partition): Position => ({ topic: "t", topicId: "x", partition, offset: 1e12, dirty: false, paused: false }),
  );
  const large: RestConsumer = { ...stored.consumer, cursor: { ...stored.consumer.cursor, positions } };
  await expect(groups.restConsumers.write(large, stored)).rejects.toMatchObject({
    code: "request_too_large",
    message: expect.stringContaining("40000 partitions"),
  });
  expect((await groups.restConsumers.read("g", "me")).version).toBe(stored.version);
});

test("what the last answer moved can be taken back until the next has been given", () => {
  const place = { topic: "t", topicId: "x", partition: 0, paused: false };
  const fresh = newConsumer(SETTINGS);
  const at = (offset: number, dirty: boolean) => ({ ...fresh.cursor, positions: [{ ...place, offset, dirty }] });
  const first = answered(fresh, at(0, false), at(5, true));
  const second = answered(first, at(5, false), at(9, true));
  expect([first.sequence, second.sequence]).toEqual([1, 2]);
  expect(asSeen(second, 2)).toBe(second);
  expect(asSeen(second, undefined)).toBe(second);
  expect(asSeen(second, 1)).toMatchObject({ sequence: 1, cursor: { positions: [{ offset: 5, dirty: false }] } });
  expect(asSeen(first, 0)).toMatchObject({ sequence: 0, cursor: { positions: [{ offset: 0, dirty: false }] } });
  for (const seen of [0, 3]) expect(() => asSeen(second, seen)).toThrow("the last answer");
  // An answer without records moves nothing, and shows that the one before it arrived.
  const third = answered(second, at(9, false), at(9, false));
  expect(third).toMatchObject({ sequence: 2, given: [] });
  expect(() => asSeen(third, 1)).toThrow("the last answer");
});
