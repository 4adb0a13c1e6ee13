/** Writers and sealers, as section 6 of docs/DESIGN.md has them. */

import { END, minted, type Of, type Process, partitionOf, type Step } from "./process.ts";
import type { Rules } from "./rules.ts";
import { type Id, nextOf, type Run, type Store, Violation } from "./store.ts";

export function writer({ lanes, ids }: Of<"writer">): Step {
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

export function lane(process: Of<"lane">, rules: Rules): Step {
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

export function sealer(process: Of<"sealer">): Step {
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
