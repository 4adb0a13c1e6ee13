/** Retention and the sweepers, as section 8 of docs/DESIGN.md has them. */

import { END, isAwaited, type Of, type Process, partitionOf, type Step } from "./process.ts";
import type { Rules } from "./rules.ts";
import { lastOf, nextOf, type Run, type Segment, type Store } from "./store.ts";

/** Moves the log start to an offset, then takes away what is below it. */
export function retention(process: Of<"retention">, rules: Rules, processes: readonly Process[]): Step {
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

export function sweeper(process: Of<"sweeper">, rules: Rules): Step {
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

export function objectSweeper(process: Of<"object sweeper">, rules: Rules): Step {
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
