/** The roller, the merger and compaction, as section 8 of docs/DESIGN.md has them. */

import { END, isAwaited, type Of, type Process, partitionOf, type Seen, type Step } from "./process.ts";
import type { Rules } from "./rules.ts";
import { lastOf, type Run, type Segment } from "./store.ts";

export function roller(process: Of<"roller">, rules: Rules, processes: readonly Process[]): Step {
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
export function rewriter(process: Of<"rewriter">): Step {
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
