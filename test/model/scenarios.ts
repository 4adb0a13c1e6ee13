/** Small worlds, each tried in every order of steps. Together they have every process and every pair that meets. */
import type { Process } from "./process.ts";
import type { Scenario } from "./search.ts";
import type { Partition, Segment, Store } from "./store.ts";

const EMPTY: Partition = { log: [], start: 0, tailBase: 0, tail: [], floor: 0, fence: 0, rolledTo: 0, runs: [], segments: [] };

function storeOf(partitions: readonly Partition[], more: Partial<Store> = {}): Store {
  return { partitions, blobs: {}, objects: {}, ...more };
}

const sealer = (p: number, times = 1, refs = 1): Process => ({ is: "sealer", p, refs, at: "head", times });
const roller = (p: number, object: number, most = 2): Process => ({ is: "roller", p, most, at: "head", object });
const merger = (p: number, object: number, merges = 2, drops: readonly string[] = []): Process => ({
  is: "rewriter",
  p,
  drops,
  merges,
  at: "index",
  object,
});
const retention = (p: number, to: number): Process => ({ is: "retention", p, at: "start", to });
const sweeper: Process = { is: "sweeper", at: "list", ids: [], ps: [], refs: [] };
const objectSweeper = (p: number): Process => ({ is: "object sweeper", p, at: "list", ids: [] });
const reader = (p: number, offset: number): Process => ({ is: "reader", p, offset, at: "head" });
const writer = (records: readonly string[], ids: readonly number[]): Process => ({
  is: "writer",
  lanes: records.map((record, p) => ({ p, record })),
  ids,
});

/** A partition in the middle of its life: `segments` records in segments of one, then runs of one, then a tail. */
function grown(p: number, segments: number, runs: number, tail: number, shared = false): Store {
  const log = Array.from({ length: segments + runs + tail }, (_, i) => `r${i}`);
  const found: Segment[] = [];
  const objects: Record<number, { partition: number; base: number; content: string[] }> = {};
  const blobs: Record<number, Record<number, string>> = {};
  for (const [i, record] of log.entries()) {
    if (i < segments) {
      found.push({ base: i, last: i, object: 10 + i });
      objects[10 + i] = { partition: p, base: i, content: [record] };
    } else blobs[10 + i] = shared ? { 0: record, 1: record } : { [p]: record };
  }
  const partition: Partition = {
    ...EMPTY,
    log,
    tailBase: segments + runs,
    tail: Array.from({ length: tail }, (_, i) => 10 + segments + runs + i),
    floor: 5,
    fence: 10 + Math.max(0, segments - 1),
    rolledTo: segments,
    runs: Array.from({ length: runs }, (_, i) => ({ base: segments + i, refs: [10 + segments + i] })),
    segments: found,
  };
  return storeOf(shared ? [partition, partition] : [partition], { objects, blobs });
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "two writers over two partitions, one with a slow clock, and a sweeper",
    store: storeOf([EMPTY, EMPTY]),
    processes: [writer(["a0", "a1"], [20, 50]), writer(["b0"], [10, 40, 60]), sweeper],
    lates: 2,
  },
  {
    name: "a writer whose answer may be lost, a sealer and a roller",
    store: storeOf([EMPTY]),
    processes: [writer(["a"], [20, 50]), sealer(0), roller(0, 100)],
    lates: 2,
  },
  {
    name: "two writers, a sealer, a roller and a sweeper",
    store: storeOf([EMPTY]),
    processes: [writer(["a"], [20, 50]), writer(["b"], [10, 40]), sealer(0, 2), roller(0, 100), sweeper],
    more: [sealer(0)],
    lates: 1,
  },
  {
    name: "runs of two refs that are cut elsewhere by retention",
    store: grown(0, 0, 0, 3),
    processes: [sealer(0, 1, 2), sealer(0, 1, 2), retention(0, 1), roller(0, 100), reader(0, 1)],
    // By hand all is sealed that is there.
    more: [sealer(0, 2, 1)],
    lates: 1,
  },
  {
    name: "two rollers, a sweeper of each kind, and a reader",
    store: grown(0, 0, 2, 0),
    processes: [roller(0, 100), roller(0, 90), sweeper, objectSweeper(0), reader(0, 1)],
    lates: 1,
  },
  {
    name: "shared blobs: rollers of two partitions, retention of one, and a sweeper",
    store: grown(0, 0, 1, 1, true),
    processes: [roller(0, 100), roller(1, 101), retention(1, 1), sweeper],
    more: [sealer(0), reader(0, 0)],
    lates: 1,
  },
  {
    name: "two sealers, two rollers and a reader",
    store: grown(0, 0, 1, 1),
    processes: [sealer(0), sealer(0), roller(0, 100), roller(0, 110), reader(0, 0)],
    more: [merger(0, 105)],
    lates: 1,
  },
  {
    name: "a run that is put once more long after it was rolled, rollers and a merger",
    store: grown(0, 0, 2, 0),
    processes: [roller(0, 100, 1), roller(0, 90, 1), roller(0, 80, 1), merger(0, 105)],
    late: [{ op: "putRun", p: 0, run: { base: 0, refs: [10] } }],
    lates: 0,
  },
  {
    name: "a merger, a compaction, a sweeper of objects, and a reader",
    store: grown(0, 2, 1, 0),
    processes: [merger(0, 100), merger(0, 95, 1, ["r0"]), objectSweeper(0), reader(0, 1)],
    more: [merger(0, 90)],
    lates: 1,
    compacted: (record) => record === "r0",
  },
  {
    name: "a merger, a roller, retention, and a sweeper of objects",
    store: grown(0, 2, 1, 0),
    processes: [merger(0, 100), roller(0, 90), retention(0, 2), objectSweeper(0)],
    more: [reader(0, 1)],
    lates: 1,
  },
];
