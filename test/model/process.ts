/**
 * What a process of the model is: data, from which alone follows what it does next. A process may stop for good after any of
 * its steps: that it crashed there needs no step of its own.
 */
import type { Content, Id, Op, Partition, Place, Run, Segment, Store } from "./store.ts";

interface Lane {
  readonly p: number;
  readonly record: string;
}

export type Seen = Pick<Partition, "start" | "tailBase"> & { readonly tail: readonly Id[] };

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

export const END: readonly Process[] = [];

export const partitionOf = (store: Store, p: number): Partition => store.partitions[p] as Partition;
export const minted = (ids: readonly Id[], above: Id): readonly Id[] => ids.filter((id) => id > above);

/** Is a writer still finding out what became of this ref? The roller leaves runs alone that are younger than that may take. */
export function isAwaited(processes: readonly Process[], id: Id): boolean {
  return processes.some((one) => one.is === "lane" && one.id === id && one.at !== "own");
}

export type Of<K extends Process["is"]> = Extract<Process, { is: K }>;
