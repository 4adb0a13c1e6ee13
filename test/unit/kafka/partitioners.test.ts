import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  customPartitioner,
  defaultPartitioner,
  explicitPartitioner,
  type Partitioner,
  partitionOfKey,
  priorityLanes,
  roundRobinPartitioner,
  stickyPartitioner,
} from "../../../lib/kafka/index.ts";
import { utf8 } from "./support.ts";

/** The same numbers each time, evenly spread. */
function seeded(seed = 1): () => number {
  let x = seed;
  return () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return x / 2 ** 32;
  };
}

const keyless = { topic: "t", key: null, value: utf8("v") };
const keyed = (key: string, topic = "t") => ({ topic, key: utf8(key), value: null });

describe("the default partitioner", () => {
  test("places keys as Kafka does, and the same in every topic", () => {
    const partitioner = defaultPartitioner({ random: seeded() });
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1000 }), (key, partitionCount) => {
        const partition = partitioner(keyed(key), { partitionCount, sizeBytes: 10 });
        expect(partition).toBe(partitionOfKey(utf8(key), partitionCount));
        expect(partitioner(keyed(key, "other"), { partitionCount, sizeBytes: 10 })).toBe(partition);
      }),
    );
  });

  test("treats an empty key as a key", () => {
    const partitioner = defaultPartitioner({ random: seeded() });
    expect(partitioner(keyed(""), { partitionCount: 50, sizeBytes: 1 })).toBe(31);
  });
});

describe("the sticky partitioner", () => {
  test("stays until a batch's bytes went to a partition, then goes to another one", () => {
    const partitioner = stickyPartitioner({ random: seeded(), batchSizeBytes: 100 });
    const chosen = Array.from({ length: 40 }, () => partitioner(keyless, { partitionCount: 3, sizeBytes: 25 }));
    for (let i = 0; i < 40; i += 4) {
      expect(new Set(chosen.slice(i, i + 4)).size).toBe(1);
      if (i > 0) expect(chosen[i]).not.toBe(chosen[i - 1]);
    }
  });

  test("keeps topics apart", () => {
    const partitioner = stickyPartitioner({ random: seeded(), batchSizeBytes: 100 });
    const at = (topic: string) => partitioner({ ...keyless, topic }, { partitionCount: 1000, sizeBytes: 60 });
    const first = at("a");
    at("b");
    expect(at("a")).toBe(first);
    expect(at("a")).not.toBe(first);
  });

  test("gives every partition the same share", () => {
    const partitioner = stickyPartitioner({ random: seeded(), batchSizeBytes: 1 });
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) counts[partitioner(keyless, { partitionCount: 5, sizeBytes: 1 })]!++;
    for (const count of counts) expect(count).toBeGreaterThan(3600);
  });

  test("is content with one partition, and with one that was taken away", () => {
    const partitioner = stickyPartitioner({ random: () => 0.999, batchSizeBytes: 1 });
    expect(partitioner(keyless, { partitionCount: 1, sizeBytes: 5 })).toBe(0);
    expect(partitioner(keyless, { partitionCount: 1, sizeBytes: 5 })).toBe(0);
    expect(partitioner(keyless, { partitionCount: 9, sizeBytes: 5 })).toBe(8);
    expect(partitioner(keyless, { partitionCount: 2, sizeBytes: 5 })).toBeLessThan(2);
  });

  test("refuses a batch size that is none", () => {
    expect(() => stickyPartitioner({ random: seeded(), batchSizeBytes: 0 })).toThrow(
      "batchSizeBytes is 0; a whole number of at least 1",
    );
  });
});

test("round robin takes one partition after the other in each topic, and new ones when they come", () => {
  const partitioner = roundRobinPartitioner();
  const next = (topic: string, partitionCount: number) => partitioner({ ...keyless, topic }, { partitionCount, sizeBytes: 1 });
  expect([next("a", 3), next("a", 3), next("b", 3), next("a", 3), next("a", 3)]).toEqual([0, 1, 0, 2, 0]);
  expect([next("a", 4), next("a", 4), next("a", 4), next("a", 4)]).toEqual([1, 2, 3, 0]);
});

test("an explicit partition is taken when the topic has it", () => {
  expect(explicitPartitioner(2)(keyless, { partitionCount: 3, sizeBytes: 1 })).toBe(2);
  expect(() => explicitPartitioner(3)(keyless, { partitionCount: 3, sizeBytes: 1 })).toThrow(
    expect.objectContaining({ code: "unknown_partition", message: 'partition 3 was chosen for topic "t", which has 3 (0 to 2)' }),
  );
});

test("a function of the caller's chooses, and what it chooses is checked", () => {
  const byLength: Partitioner = ({ value }, { partitionCount }) => (value?.byteLength ?? 0) % partitionCount;
  expect(customPartitioner(byLength)({ ...keyless, value: utf8("12345") }, { partitionCount: 3, sizeBytes: 1 })).toBe(2);
  for (const [chosen, code] of [
    [-1, "unknown_partition"],
    [4, "unknown_partition"],
    [1.5, "invalid_request"],
    [Number.NaN, "invalid_request"],
    ["1" as unknown as number, "invalid_request"],
  ] as const) {
    const partitioner = customPartitioner(() => chosen);
    expect(() => partitioner(keyless, { partitionCount: 4, sizeBytes: 1 })).toThrow(expect.objectContaining({ code }));
  }
});

describe("priority lanes", () => {
  const isVip = ({ key }: { key: Uint8Array | null }) => key !== null && new TextDecoder().decode(key).startsWith("vip-");
  const lanes = (count: number) => priorityLanes({ isVip, lanes: count, random: seeded(), batchSizeBytes: 10 });

  test("keep VIP keys in the first partitions and all others out of them", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 20 }), (name, laneCount, rest) => {
        const context = { partitionCount: laneCount + rest, sizeBytes: 7 };
        const partitioner = lanes(laneCount);
        const vip = partitioner(keyed(`vip-${name}`), context);
        expect(vip).toBe(partitionOfKey(utf8(`vip-${name}`), laneCount));
        expect(partitioner(keyed(name.replace("vip-", "")), context)).toBeGreaterThanOrEqual(laneCount);
        expect(partitioner(keyless, context)).toBeGreaterThanOrEqual(laneCount);
        expect(partitioner(keyed(`vip-${name}`), { ...context, partitionCount: 100 })).toBe(vip);
      }),
    );
  });

  test("use every partition that is theirs", () => {
    const partitioner = lanes(2);
    const used = new Set<number>();
    for (let i = 0; i < 300; i++) {
      used.add(partitioner(keyed(`vip-${i}`), { partitionCount: 5, sizeBytes: 1 }));
      used.add(partitioner(keyed(`user-${i}`), { partitionCount: 5, sizeBytes: 1 }));
    }
    expect([...used].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test("need a partition more than there are lanes", () => {
    expect(() => lanes(3)(keyless, { partitionCount: 3, sizeBytes: 1 })).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        message: '3 priority lanes need at least 4 partitions; topic "t" has 3',
      }),
    );
    expect(() => lanes(0)).toThrow("lanes is 0; a whole number of at least 1");
    expect(() => lanes(1.5)).toThrow("lanes is 1.5");
  });
});

test("no partitioner reads a clock or draws numbers of its own", () => {
  for (const file of ["sticky", "simple", "priority-lanes", "types"]) {
    const source = readFileSync(new URL(`../../../lib/kafka/partitioners/${file}.ts`, import.meta.url), "utf8");
    expect(source).not.toMatch(/Math\.random|Date\b|performance\./);
  }
});
