/**
 * Where the bytes of a range of offsets are: in segments, then in the blobs that runs and the tail refer to.
 *
 * L1  What is found begins at or below the offset wanted and has no gap. If it does not, the index has moved since the
 *     head was read: read both again, in this order.
 * L2  A run that a segment covers is void: the segment wins.
 */
import type { BlobSlice, KeyedItem } from "../../ports/index.ts";
import type { Head } from "../items/head.ts";
import { type Ref, unpackRef } from "../items/ref.ts";
import { decodeRun } from "../items/run.ts";
import { decodeSegment, type Segment } from "../items/segment.ts";

/** A ref and the offset of its first record. */
export interface LocatedRef {
  readonly kind: "ref";
  readonly base: number;
  /** One after its last offset. */
  readonly end: number;
  readonly maxTimestampMs: number;
  readonly ref: Ref;
}

export interface LocatedSegment {
  readonly kind: "segment";
  readonly base: number;
  readonly end: number;
  readonly maxTimestampMs: number;
  readonly segment: Segment;
}

export type Located = LocatedRef | LocatedSegment;

/** Where the bytes of a ref are, as the storage is asked for them. */
export function sliceOf({ ref }: LocatedRef): BlobSlice {
  return { id: ref.blobId, place: ref.place, from: ref.positionBytes, to: ref.positionBytes + ref.sizeBytes };
}

/** All refs of the tail. */
export function refsOfTail(head: Head): LocatedRef[] {
  return located(head.tail, head.tailBase);
}

/** All refs of one run. */
export function refsOfRun({ item }: KeyedItem): LocatedRef[] {
  const run = decodeRun(item);
  return located(run.refs, run.base);
}

function located(packed: readonly Uint8Array[], base: number): LocatedRef[] {
  return packed.map((one) => {
    const ref = unpackRef(one);
    const at = { kind: "ref", base, end: base + ref.recordCount, maxTimestampMs: ref.maxTimestampMs, ref } as const;
    base = at.end;
    return at;
  });
}

/** Segments, runs and the tail as one sequence without a gap or overlap, from the first of them on. */
export function sequence(segments: readonly KeyedItem[], runs: readonly KeyedItem[], head: Head): Located[] {
  const pieces: Located[] = segments.map(({ key, item }) => {
    const segment = decodeSegment(key, item);
    const { base, last, maxTimestampMs } = segment;
    return { kind: "segment", base, end: last + 1, maxTimestampMs, segment };
  });
  const covered = pieces.at(-1)?.end ?? 0;
  const refs = [...runs.flatMap(refsOfRun), ...refsOfTail(head)].filter(({ base }) => base >= covered);
  // Runs may reach into the tail (void ones do): what begins where the one before it ends is the one that counts.
  const found: Located[] = [];
  for (const piece of [...pieces, ...refs]) {
    const next = found.at(-1)?.end;
    if (next !== undefined && piece.base < next) continue;
    if (next !== undefined && piece.base > next) break;
    found.push(piece);
  }
  return found;
}

/**
 * Those that a read from `offset` of about `maxBytes` needs: at least the one that holds the offset. Undefined when none
 * of them holds it.
 */
export function select(pieces: readonly Located[], offset: number, maxBytes: number): Located[] | undefined {
  const first = pieces.findIndex(({ base, end }) => base <= offset && offset < end);
  if (first < 0) return undefined;
  let upTo = first;
  let sizeBytes = 0;
  do {
    const piece = pieces[upTo] as Located;
    sizeBytes += piece.kind === "ref" ? piece.ref.sizeBytes : piece.segment.sizeBytes;
    upTo++;
  } while (upTo < pieces.length && sizeBytes < maxBytes);
  return pieces.slice(first, upTo);
}
