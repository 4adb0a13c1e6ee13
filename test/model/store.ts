/**
 * The model's storage: what section 5 of docs/DESIGN.md keeps, with every number small. A record is a name, a ref is the id
 * of its blob, and holds one record. Everything is data, so that a state can be hashed, and a write be kept and applied later.
 */
import type { Rules } from "./rules.ts";

export type Id = number;

export interface Run {
  readonly base: number;
  readonly refs: readonly Id[];
}

export interface Segment {
  readonly base: number;
  readonly last: number;
  readonly object: Id;
}

export interface Partition {
  /** What was ever appended, by offset: not in the storage, the truth to compare with. */
  readonly log: readonly string[];
  readonly start: number;
  readonly tailBase: number;
  readonly tail: readonly Id[];
  readonly floor: Id;
  readonly fence: Id;
  /** One after the last offset that was ever rolled. */
  readonly rolledTo: number;
  readonly runs: readonly Run[];
  readonly segments: readonly Segment[];
}

/** Of a compacted object a record may be gone. */
export type Content = readonly (string | null)[];

export interface Store {
  readonly partitions: readonly Partition[];
  /** By id: the record of each partition in it. */
  readonly blobs: Readonly<Record<Id, Readonly<Record<number, string>>>>;
  readonly objects: Readonly<Record<Id, { readonly partition: number; readonly base: number; readonly content: Content }>>;
}

export type Op =
  | { readonly op: "putBlob"; readonly id: Id; readonly content: Readonly<Record<number, string>> }
  | { readonly op: "append"; readonly p: number; readonly id: Id; readonly record: string }
  | { readonly op: "raiseFloor"; readonly p: number; readonly id: Id }
  | { readonly op: "putRun"; readonly p: number; readonly run: Run }
  | { readonly op: "dropRefs"; readonly p: number; readonly tailBase: number; readonly count: number }
  | { readonly op: "putObject"; readonly id: Id; readonly p: number; readonly base: number; readonly content: Content }
  | {
      /** Runs or segments become one segment. */
      readonly op: "replace";
      readonly p: number;
      readonly runs: readonly Run[];
      readonly segments: readonly Segment[];
      readonly by: Segment;
    }
  | { readonly op: "raiseFence"; readonly p: number; readonly id: Id }
  | { readonly op: "moveStart"; readonly p: number; readonly from: number; readonly to: number }
  | { readonly op: "deleteBlobs"; readonly ids: readonly Id[] }
  | { readonly op: "deleteObjects"; readonly ids: readonly Id[] }
  | { readonly op: "deleteSegment"; readonly p: number; readonly last: number }
  | { readonly op: "deleteRun"; readonly p: number; readonly last: number };

export const lastOf = (run: Run): number => run.base + run.refs.length - 1;
export const nextOf = (partition: Partition): number => partition.tailBase + partition.tail.length;

export class Violation extends Error {}

/** Applies a write; undefined when its condition refuses it. Throws {@link Violation} when the log itself goes wrong. */
export function apply(store: Store, op: Op, rules: Rules): Store | undefined {
  if (op.op === "putBlob") return { ...store, blobs: { ...store.blobs, [op.id]: op.content } };
  if (op.op === "putObject") {
    const object = { partition: op.p, base: op.base, content: op.content };
    return { ...store, objects: { ...store.objects, [op.id]: object } };
  }
  if (op.op === "deleteBlobs") return { ...store, blobs: without(store.blobs, op.ids) };
  if (op.op === "deleteObjects") return { ...store, objects: without(store.objects, op.ids) };
  const before = store.partitions[op.p] as Partition;
  const after = change(before, op, rules);
  return after && { ...store, partitions: store.partitions.map((one, p) => (p === op.p ? after : one)) };
}

function without<T>(all: Readonly<Record<Id, T>>, ids: readonly Id[]): Record<Id, T> {
  const left: Record<Id, T> = { ...all };
  for (const id of ids) delete left[id];
  return left;
}

type PartitionOp = Exclude<Op, { op: "putBlob" | "putObject" | "deleteBlobs" | "deleteObjects" }>;

function change(at: Partition, op: PartitionOp, rules: Rules): Partition | undefined {
  switch (op.op) {
    case "append":
      if (at.tail.includes(op.id) || (rules.appendLooksAtFloor && op.id <= at.floor)) return undefined;
      if (at.log.includes(op.record)) throw new Violation(`${op.record} is in the log twice`);
      return { ...at, log: [...at.log, op.record], tail: [...at.tail, op.id] };
    case "raiseFloor":
      return { ...at, floor: Math.max(at.floor, op.id) };
    case "putRun":
      return { ...at, runs: sorted([...at.runs.filter((run) => lastOf(run) !== lastOf(op.run)), op.run], lastOf) };
    case "dropRefs":
      if (rules.dropLooksAtTailBase && at.tailBase !== op.tailBase) return undefined;
      return { ...at, tailBase: at.tailBase + op.count, tail: at.tail.slice(op.count) };
    case "replace": {
      if (rules.fence && op.by.object <= at.fence) return undefined;
      const rolls = op.runs.length > 0;
      if (rules.offsetsAreRolledOnce && rolls && op.by.base < at.rolledTo) return undefined;
      const runThere = (run: Run): boolean => at.runs.some((one) => lastOf(one) === lastOf(run) && one.base === run.base);
      if (!op.runs.every(runThere)) return undefined;
      const same = (segment: Segment): boolean => at.segments.some((one) => one.object === segment.object);
      if (rules.segmentsAreStillThere && !op.segments.every(same)) return undefined;
      const taken = new Set(op.segments.map(({ last }) => last));
      if (!taken.has(op.by.last) && at.segments.some(({ last }) => last === op.by.last)) return undefined;
      const lasts = new Set(op.runs.map(lastOf));
      return {
        ...at,
        rolledTo: rolls ? op.by.last + 1 : at.rolledTo,
        runs: at.runs.filter((run) => !lasts.has(lastOf(run))),
        segments: sorted([...at.segments.filter(({ last }) => !taken.has(last)), op.by], ({ last }) => last),
      };
    }
    case "raiseFence":
      return { ...at, fence: Math.max(at.fence, op.id) };
    case "moveStart":
      return at.start === op.from ? { ...at, start: op.to } : undefined;
    case "deleteSegment":
      return { ...at, segments: at.segments.filter(({ last }) => last !== op.last) };
    case "deleteRun":
      return { ...at, runs: at.runs.filter((run) => lastOf(run) !== op.last) };
  }
}

function sorted<T>(all: T[], by: (one: T) => number): T[] {
  return all.sort((a, b) => by(a) - by(b));
}

/** Where an offset is, by the rules of reading: in the tail, else in a segment, else in a run. */
export type Place = { readonly blob: Id } | { readonly object: Id; readonly at: number };

export function locate(segments: readonly Segment[], runs: readonly Run[], offset: number, rules: Rules): Place | undefined {
  const segment = segments.find(({ last }) => last >= offset);
  if (segment !== undefined && segment.base <= offset && rules.segmentWins)
    return { object: segment.object, at: offset - segment.base };
  const run = runs.find((one) => lastOf(one) >= offset);
  if (run !== undefined && run.base <= offset) return { blob: run.refs[offset - run.base] as Id };
  if (segment !== undefined && segment.base <= offset) return { object: segment.object, at: offset - segment.base };
  return undefined;
}

/** Undefined: its bytes are gone. Null: compacted away. */
export function contentAt(store: Store, p: number, place: Place): string | null | undefined {
  return "blob" in place ? store.blobs[place.blob]?.[p] : store.objects[place.object]?.content[place.at];
}

/** What must hold in every state. */
export function check(store: Store, rules: Rules, compacted: (record: string) => boolean): void {
  for (const [p, at] of store.partitions.entries()) {
    const next = at.log.length;
    if (nextOf(at) !== next) throw new Violation(`partition ${p}: the tail ends at ${nextOf(at)}, the log at ${next}`);
    for (let offset = at.start; offset < next; offset++) {
      const place: Place | undefined =
        offset >= at.tailBase ? { blob: at.tail[offset - at.tailBase] as Id } : locate(at.segments, at.runs, offset, rules);
      if (place === undefined) throw new Violation(`partition ${p}: nothing in the index holds offset ${offset}`);
      const found = contentAt(store, p, place);
      const record = at.log[offset] as string;
      if (found === record || (found === null && compacted(record))) continue;
      const where = "blob" in place ? `blob ${place.blob}` : `object ${place.object}`;
      throw new Violation(
        `partition ${p}: ${record} at offset ${offset} is to be in ${where}, which ${found === undefined ? "is gone" : `has ${found}`}`,
      );
    }
    for (const [i, segment] of at.segments.entries()) {
      const before = at.segments[i - 1];
      if (before !== undefined && segment.base <= before.last) {
        throw new Violation(`partition ${p}: segments ${before.base}-${before.last} and ${segment.base}-${segment.last} overlap`);
      }
    }
  }
}
