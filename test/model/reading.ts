/** A reader, as section 7 of docs/DESIGN.md has it. */

import { END, type Of, partitionOf, type Seen, type Step } from "./process.ts";
import type { Rules } from "./rules.ts";
import { contentAt, type Id, locate, type Place, Violation } from "./store.ts";

/** Reads one offset, again and again until it has it: the wrong record, or a hole, is what must not be. */
export function reader(process: Of<"reader">, rules: Rules): Step {
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
