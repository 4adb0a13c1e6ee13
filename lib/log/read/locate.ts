/**
 * Where the bytes of a range of offsets are: refs of the tail, and of runs before it.
 *
 * L1  What is found begins at or below the offset wanted and has no gap. If it does not, the index has moved since the
 *     head was read: read both again, in this order.
 */
import type { KeyedItem } from "../../ports/index.ts";
import type { Head } from "../items/head.ts";
import { type Ref, unpackRef } from "../items/ref.ts";
import { decodeRun } from "../items/run.ts";

/** A ref and the offset of its first record. */
export interface LocatedRef {
  readonly ref: Ref;
  readonly base: number;
}

/** All refs of these runs, in order, up to the first gap. */
export function refsOfRuns(items: readonly KeyedItem[]): LocatedRef[] {
  const located: LocatedRef[] = [];
  let next: number | undefined;
  for (const { item } of items) {
    const run = decodeRun(item);
    if (next !== undefined && run.base !== next) break;
    next = appendRefs(located, run.refs, run.base);
  }
  return located;
}

/** All refs of the tail. */
export function refsOfTail(head: Head): LocatedRef[] {
  const located: LocatedRef[] = [];
  appendRefs(located, head.tail, head.tailBase);
  return located;
}

function appendRefs(to: LocatedRef[], packed: readonly Uint8Array[], base: number): number {
  for (const one of packed) {
    const ref = unpackRef(one);
    to.push({ ref, base });
    base += ref.recordCount;
  }
  return base;
}

/** The refs of runs, and then those of the tail that follow them without a gap. */
export function joinTail(runs: readonly LocatedRef[], head: Head): LocatedRef[] {
  const last = runs.at(-1);
  if (last === undefined) return [];
  const end = last.base + last.ref.recordCount;
  const tail = refsOfTail(head).filter((one) => one.base >= end);
  return tail[0]?.base === end ? [...runs, ...tail] : [...runs];
}

/**
 * Those that a read from `offset` of about `maxBytes` needs: at least the one that holds the offset. Undefined when none
 * of them holds it.
 */
export function select(located: readonly LocatedRef[], offset: number, maxBytes: number): LocatedRef[] | undefined {
  const first = located.findIndex(({ ref, base }) => base <= offset && offset < base + ref.recordCount);
  if (first < 0) return undefined;
  let end = first;
  let sizeBytes = 0;
  do {
    sizeBytes += (located[end] as LocatedRef).ref.sizeBytes;
    end++;
  } while (end < located.length && sizeBytes < maxBytes);
  return located.slice(first, end);
}
