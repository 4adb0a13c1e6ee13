/**
 * The processes of the model, as sections 6 to 8 of docs/DESIGN.md have them: what each does next follows from its data
 * alone. A process may stop for good after any of its steps: that it crashed there needs no step of its own.
 */
import type { Rules } from "./rules.ts";
import {
  type Content,
  contentAt,
  type Id,
  lastOf,
  locate,
  nextOf,
  type Op,
  type Partition,
  type Place,
  type Run,
  type Segment,
  type Store,
  Violation,
} from "./store.ts";

interface Lane {
  readonly p: number;
  readonly record: string;
}

type Seen = Pick<Partition, "start" | "tailBase"> & { readonly tail: readonly Id[] };

export type Process =
  /** One blob for all lanes, then a head update for each. `ids`: what its clock will give it; never the same twice. */
  | { readonly is: "writer"; readonly lanes: readonly Lane[]; readonly ids: readonly Id[] }
  | {
      readonly is: "lane";
      readonly at: "own" | "update" | "settle" | "look";
      readonly lane: Lane;
      readonly id: Id;
      readonly ids: readonly Id[];
    }
  | {
      readonly is: "sealer";
      readonly p: number;
      readonly refs: number;
      readonly at: "head" | "run" | "drop";
      readonly run?: Run;
      readonly times: number;
    }
  | {
      readonly is: "roller";
      readonly p: number;
      readonly most: number;
      readonly at: "head" | "segments" | "runs" | "blobs" | "object" | "replace" | "undo" | "blobs gone";
      readonly object: Id;
      readonly seen?: Seen;
      readonly covered?: number;
      readonly runs?: readonly Run[];
      readonly content?: Content;
    }
  | {
      readonly is: "rewriter";
      readonly p: number;
      readonly drops: readonly string[];
      readonly merges: number;
      readonly at: "index" | "objects" | "object" | "replace" | "undo" | "old";
      readonly object: Id;
      readonly segments?: readonly Segment[];
      readonly content?: Content;
    }
  | {
      readonly is: "retention";
      readonly p: number;
      readonly at: "start" | "segments" | "object" | "segment" | "runs" | "blobs" | "run" | "head" | "refs" | "tail blobs";
      readonly to: number;
      readonly start?: number;
      readonly segment?: Segment;
      readonly run?: Run;
      readonly refs?: readonly Id[];
      readonly tailBase?: number;
    }
  | {
      readonly is: "sweeper";
      readonly at: "list" | "floor" | "index" | "delete";
      readonly ids: readonly Id[];
      readonly ps: readonly number[];
      readonly refs: readonly Id[];
    }
  | {
      readonly is: "object sweeper";
      readonly p: number;
      readonly at: "list" | "fence" | "index" | "delete";
      readonly ids: readonly Id[];
    }
  | {
      readonly is: "reader";
      readonly p: number;
      readonly offset: number;
      readonly at: "head" | "segments" | "runs" | "bytes";
      readonly seen?: Seen;
      readonly segments?: readonly Segment[];
      readonly place?: Place;
    };

/** What a write answers: the store after it, or that it was refused, in which case the store is as it was found. */
export type Answer = { readonly is: "done" | "refused"; readonly store: Store } | { readonly is: "unknown" };

export type Step =
  | { readonly read: (store: Store) => readonly Process[] }
  | { readonly write: Op; readonly after: (answer: Answer) => readonly Process[] };

const END: readonly Process[] = [];

const partitionOf = (store: Store, p: number): Partition => store.partitions[p] as Partition;
const minted = (ids: readonly Id[], above: Id): readonly Id[] => ids.filter((id) => id > above);

/** Is a writer still finding out what became of this ref? The roller leaves runs alone that are younger than that may take. */
export function isAwaited(processes: readonly Process[], id: Id): boolean {
  return processes.some((one) => one.is === "lane" && one.id === id && one.at !== "own");
}

export function next(process: Process, rules: Rules, processes: readonly Process[]): Step {
  switch (process.is) {
    case "writer":
      return writer(process);
    case "lane":
      return lane(process, rules);
    case "sealer":
      return sealer(process);
    case "roller":
      return roller(process, rules, processes);
    case "rewriter":
      return rewriter(process);
    case "retention":
      return retention(process, rules, processes);
    case "sweeper":
      return sweeper(process, rules);
    case "object sweeper":
      return objectSweeper(process, rules);
    case "reader":
      return reader(process, rules);
  }
}

type Of<K extends Process["is"]> = Extract<Process, { is: K }>;

function writer({ lanes, ids }: Of<"writer">): Step {
  const [id = 0, ...left] = ids;
  const content = Object.fromEntries(lanes.map(({ p, record }) => [p, record]));
  return {
    write: { op: "putBlob", id, content },
    after: (answer) =>
      answer.is === "unknown"
        ? left.length === 0
          ? END
          : [{ is: "writer", lanes, ids: left }]
        : lanes.map((one, i) => ({
            is: "lane",
            at: "update",
            lane: one,
            id,
            ids: left.filter((_, k) => k % lanes.length === i),
          })),
  };
}

function lane(process: Of<"lane">, rules: Rules): Step {
  const { lane: of, id, ids } = process;
  const { p, record } = of;
  /** Certainly not in the log: once more under an id above, or the client is told so. */
  const again = (floor: Id): readonly Process[] => {
    const [fresh, ...left] = minted(ids, floor);
    return fresh === undefined ? END : [{ is: "lane", at: "own", lane: of, id: fresh, ids: left }];
  };
  const acknowledge = (store: Store, offset: number): readonly Process[] => {
    if (partitionOf(store, p).log[offset] !== record)
      throw new Violation(`${record} is acknowledged at ${offset}, where it is not`);
    return END;
  };
  switch (process.at) {
    case "own":
      return {
        write: { op: "putBlob", id, content: { [p]: record } },
        after: (answer) => (answer.is === "unknown" ? again(id) : [{ ...process, at: "update" }]),
      };
    case "update":
      return {
        write: { op: "append", p, id, record },
        after: (answer) => {
          if (answer.is === "unknown") return [{ ...process, at: "settle" }];
          const head = partitionOf(answer.store, p);
          if (answer.is === "done") return acknowledge(answer.store, nextOf(head) - 1);
          const at = head.tail.indexOf(id);
          return at >= 0 ? acknowledge(answer.store, head.tailBase + at) : again(Math.max(id, head.floor));
        },
      };
    case "settle": {
      const look = (store: Store): readonly Process[] => {
        const head = partitionOf(store, p);
        const at = head.tail.indexOf(id);
        return at >= 0 ? acknowledge(store, head.tailBase + at) : [{ ...process, at: "look" }];
      };
      if (!rules.floorBeforeLook) return { read: look };
      return {
        write: { op: "raiseFloor", p, id },
        after: (answer) => (answer.is === "unknown" ? [process] : look(answer.store)),
      };
    }
    case "look":
      return {
        read: (store) => {
          const at = partitionOf(store, p);
          for (const run of at.runs) {
            const i = run.refs.indexOf(id);
            if (i >= 0) return acknowledge(store, run.base + i);
          }
          if (at.log.includes(record)) throw new Violation(`${record} is in the log, and its writer concludes that it is not`);
          return again(id);
        },
      };
  }
}

function sealer(process: Of<"sealer">): Step {
  const { p, run, refs, times } = process;
  const { run: _, ...idle } = process;
  switch (process.at) {
    case "head":
      return {
        read: (store) => {
          const { tail, tailBase } = partitionOf(store, p);
          return tail.length < refs ? [process] : [{ ...process, at: "run", run: { base: tailBase, refs: tail.slice(0, refs) } }];
        },
      };
    case "run":
      return {
        write: { op: "putRun", p, run: run as Run },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...process, at: "drop" }]),
      };
    case "drop":
      return {
        write: { op: "dropRefs", p, tailBase: (run as Run).base, count: (run as Run).refs.length },
        after: () => (times > 1 ? [{ ...idle, at: "head", times: times - 1 }] : END),
      };
  }
}

function roller(process: Of<"roller">, rules: Rules, processes: readonly Process[]): Step {
  const { p, object, seen, covered = 0, runs = [], content = [] } = process;
  const base = Math.max((runs[0] as Run | undefined)?.base ?? 0, covered);
  switch (process.at) {
    case "head":
      return {
        read: (store) => {
          const { start, tailBase } = partitionOf(store, p);
          return [{ ...process, at: "segments", seen: { start, tailBase, tail: [] } }];
        },
      };
    case "segments":
      return {
        read: (store) => {
          const newest = partitionOf(store, p).segments.at(-1);
          return [{ ...process, at: "runs", covered: newest === undefined ? 0 : newest.last + 1 }];
        },
      };
    case "runs":
      return {
        read: (store) => {
          const { start, tailBase } = seen as Seen;
          const taken: Run[] = [];
          let end = covered;
          for (const run of partitionOf(store, p).runs) {
            if (lastOf(run) >= tailBase) break;
            if (lastOf(run) < Math.max(end, start)) continue;
            if (taken.length === process.most || (taken.length > 0 && run.base > end)) break;
            if (rules.runsWaitForAnswers && run.refs.some((id) => isAwaited(processes, id))) break;
            taken.push(run);
            end = lastOf(run) + 1;
          }
          return taken.length === 0 ? END : [{ ...process, at: "blobs", runs: taken }];
        },
      };
    case "blobs":
      return {
        read: (store) => {
          const found: (string | undefined)[] = [];
          let end = base;
          for (const run of runs) {
            found.push(...run.refs.slice(Math.max(0, end - run.base)).map((id) => store.blobs[id]?.[p]));
            end = lastOf(run) + 1;
          }
          return found.includes(undefined) ? END : [{ ...process, at: "object", content: found as string[] }];
        },
      };
    case "object":
      return {
        write: { op: "putObject", id: object, p, base, content },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...process, at: "replace" }]),
      };
    case "replace":
      return {
        write: { op: "replace", p, runs, segments: [], by: { base, last: base + content.length - 1, object } },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...process, at: answer.is === "done" ? "blobs gone" : "undo" }]),
      };
    case "undo":
      return { write: { op: "deleteObjects", ids: [object] }, after: () => END };
    case "blobs gone":
      return {
        read: (store) => {
          const ids = runs.flatMap(({ refs }) => refs);
          const alone = ids.filter((id) => !rules.sharedBlobsWait || Object.keys(store.blobs[id] ?? {}).length === 1);
          return alone.length === 0 ? END : [{ is: "sweeper", at: "delete", ids: alone, ps: [], refs: [] }];
        },
      };
  }
}

/** Merger and compaction: some segments that follow each other become one, without the records that are given up. */
function rewriter(process: Of<"rewriter">): Step {
  const { p, object, segments = [], content = [], drops, merges } = process;
  const first = segments[0] as Segment;
  const last = segments.at(-1) as Segment;
  switch (process.at) {
    case "index":
      return {
        read: (store) => {
          const found = partitionOf(store, p).segments.slice(0, merges);
          return found.length < merges ? END : [{ ...process, at: "objects", segments: found }];
        },
      };
    case "objects":
      return {
        read: (store) => {
          const found = segments.map((segment) => store.objects[segment.object]);
          if (found.includes(undefined)) return END;
          const records = found
            .flatMap((one) => one?.content ?? [])
            .map((record) => (record !== null && drops.includes(record) ? null : record));
          return [{ ...process, at: "object", content: records }];
        },
      };
    case "object":
      return {
        write: { op: "putObject", id: object, p, base: first.base, content },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...process, at: "replace" }]),
      };
    case "replace":
      return {
        write: { op: "replace", p, runs: [], segments, by: { base: first.base, last: last.last, object } },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...process, at: answer.is === "done" ? "old" : "undo" }]),
      };
    case "undo":
      return { write: { op: "deleteObjects", ids: [object] }, after: () => END };
    case "old":
      return { write: { op: "deleteObjects", ids: segments.map((segment) => segment.object) }, after: () => END };
  }
}

/** Moves the log start to an offset, then takes away what is below it. */
function retention(process: Of<"retention">, rules: Rules, processes: readonly Process[]): Step {
  const { p, to, start = 0 } = process;
  const { segment: _, run: __, refs: ___, ...bare } = process;
  switch (process.at) {
    case "start":
      if (!rules.startBeforeDeletion) return { read: () => [{ ...process, at: "segments", start: to }] };
      return {
        read: (store) => {
          const at = partitionOf(store, p);
          if (nextOf(at) < to) return [process];
          return at.start >= to
            ? [{ ...process, at: "segments", start: at.start }]
            : [{ ...process, at: "head", start: at.start }];
        },
      };
    case "head":
      return {
        write: { op: "moveStart", p, from: start, to },
        after: (answer) => (answer.is === "done" ? [{ ...process, at: "segments", start: to }] : END),
      };
    case "segments":
      return {
        read: (store) => {
          const segment = partitionOf(store, p).segments.find(({ last }) => last < start);
          return [segment === undefined ? { ...bare, at: "runs" } : { ...bare, at: "object", segment }];
        },
      };
    case "object":
      return {
        write: { op: "deleteObjects", ids: [(process.segment as Segment).object] },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...process, at: "segment" }]),
      };
    case "segment":
      return {
        write: { op: "deleteSegment", p, last: (process.segment as Segment).last },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...bare, at: "segments" }]),
      };
    case "runs":
      return {
        read: (store) => {
          const run = partitionOf(store, p).runs.find((one) => lastOf(one) < start);
          if (run === undefined) return [{ ...bare, at: "refs" }];
          return run.refs.some((id) => isAwaited(processes, id)) ? END : [{ ...bare, at: "blobs", run }];
        },
      };
    case "blobs": {
      const { refs } = process.run as Run;
      return {
        read: (store) => {
          const alone = refs.filter((id) => !rules.sharedBlobsWait || Object.keys(store.blobs[id] ?? {}).length === 1);
          return [
            { ...process, at: "run" },
            { is: "sweeper", at: "delete", ids: alone, ps: [], refs: [] },
          ];
        },
      };
    }
    case "run":
      return {
        write: { op: "deleteRun", p, last: lastOf(process.run as Run) },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...bare, at: "runs" }]),
      };
    case "refs":
      return {
        read: (store) => {
          const { tail, tailBase } = partitionOf(store, p);
          const below = tail.slice(0, Math.max(0, start - tailBase));
          const upTo = below.findIndex((id) => isAwaited(processes, id));
          const refs = upTo < 0 ? below : below.slice(0, upTo);
          return refs.length === 0 ? END : [{ ...bare, at: "tail blobs", refs, tailBase }];
        },
      };
    case "tail blobs": {
      const refs = process.refs ?? [];
      return {
        write: { op: "dropRefs", p, tailBase: process.tailBase ?? 0, count: refs.length },
        after: (answer) => {
          if (answer.is !== "done") return END;
          const { blobs } = answer.store;
          const alone = refs.filter((id) => !rules.sharedBlobsWait || Object.keys(blobs[id] ?? {}).length === 1);
          return [{ is: "sweeper", at: "delete", ids: alone, ps: [], refs: [] }];
        },
      };
    }
  }
}

function sweeper(process: Of<"sweeper">, rules: Rules): Step {
  const { ids, ps, refs } = process;
  const p = ps[0] ?? 0;
  const judged = Math.max(0, ...ids);
  const sawHead = (store: Store): readonly Process[] => {
    const { tail } = partitionOf(store, p);
    const seen = [...new Set([...refs, ...tail.filter((id) => ids.includes(id))])].sort((a, b) => a - b);
    return [rules.sweeperReadsHeadFirst ? { ...process, at: "index", refs: seen } : nextPartition({ ...process, refs: seen })];
  };
  const nextPartition = (one: Of<"sweeper">): Process => {
    const left = one.ps.slice(1);
    return { ...one, at: left.length === 0 ? "delete" : rules.sweeperReadsHeadFirst ? "floor" : "index", ps: left };
  };
  switch (process.at) {
    case "list":
      return {
        read: (store) => {
          const found = Object.keys(store.blobs).map(Number);
          const named = [...new Set(found.flatMap((id) => Object.keys(store.blobs[id] ?? {}).map(Number)))];
          return found.length === 0
            ? END
            : [{ ...process, at: rules.sweeperReadsHeadFirst ? "floor" : "index", ids: found, ps: named }];
        },
      };
    case "floor":
      if (!rules.sweeperRaisesFloor) return { read: sawHead };
      return {
        write: { op: "raiseFloor", p, id: judged },
        after: (answer) => (answer.is === "unknown" ? END : sawHead(answer.store)),
      };
    case "index":
      return {
        read: (store) => {
          const found = partitionOf(store, p).runs.flatMap((run) => run.refs.filter((id) => ids.includes(id)));
          const seen = { ...process, refs: [...new Set([...refs, ...found])].sort((a, b) => a - b) };
          return [rules.sweeperReadsHeadFirst ? nextPartition(seen) : { ...seen, at: "floor" }];
        },
      };
    case "delete": {
      const gone = ids.filter((id) => !refs.includes(id));
      return gone.length === 0 ? { read: () => END } : { write: { op: "deleteBlobs", ids: gone }, after: () => END };
    }
  }
}

function objectSweeper(process: Of<"object sweeper">, rules: Rules): Step {
  const { ids, p } = process;
  switch (process.at) {
    case "list":
      return {
        read: (store) => {
          const found = Object.keys(store.objects)
            .map(Number)
            .filter((id) => store.objects[id]?.partition === p);
          return found.length === 0 ? [process] : [{ ...process, at: rules.sweeperRaisesFence ? "fence" : "index", ids: found }];
        },
      };
    case "fence":
      return {
        write: { op: "raiseFence", p, id: Math.max(...ids) },
        after: (answer) => (answer.is === "unknown" ? END : [{ ...process, at: "index" }]),
      };
    case "index":
      return {
        read: (store) => {
          const gone = ids.filter((id) => partitionOf(store, p).segments.every(({ object }) => object !== id));
          return gone.length === 0 ? END : [{ ...process, at: "delete", ids: gone }];
        },
      };
    case "delete":
      return { write: { op: "deleteObjects", ids }, after: () => END };
  }
}

/** Reads one offset, again and again until it has it: the wrong record, or a hole, is what must not be. */
function reader(process: Of<"reader">, rules: Rules): Step {
  const { p, offset, seen, segments = [], place } = process;
  const { seen: _, segments: __, place: ___, ...bare } = process;
  switch (process.at) {
    case "head":
      return {
        read: (store) => {
          const { start, tailBase, tail } = partitionOf(store, p);
          if (offset < start) return END;
          if (offset >= tailBase + tail.length) return [process];
          if (offset >= tailBase) return [{ ...bare, at: "bytes", place: { blob: tail[offset - tailBase] as Id } }];
          return [{ ...bare, at: "segments", seen: { start, tailBase, tail: [] } }];
        },
      };
    case "segments":
      return { read: (store) => [{ ...bare, at: "runs", seen: seen as Seen, segments: partitionOf(store, p).segments }] };
    case "runs":
      return {
        read: (store) => {
          const { runs } = partitionOf(store, p);
          const found = locate(segments, runs, offset, rules);
          if (found !== undefined) return [{ ...bare, at: "bytes", place: found }];
          const beyond = [...segments, ...runs].some(({ base }) => base > offset);
          if (!rules.readsFromWhereItBegins && beyond) throw new Violation(`a reader at ${offset} goes on beyond a hole`);
          return [{ ...bare, at: "head" }];
        },
      };
    case "bytes":
      return {
        read: (store) => {
          const found = contentAt(store, p, place as Place);
          if (found === undefined) return [{ ...bare, at: "head" }];
          const record = partitionOf(store, p).log[offset];
          if (found !== null && found !== record) throw new Violation(`a reader at ${offset} gets ${found}, not ${record}`);
          return END;
        },
      };
  }
}
