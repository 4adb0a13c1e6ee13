/**
 * When a partition is compacted, and what of it: pure. Kafka's rules (`LogCleanerManager`): only below the first segment with a
 * record younger than `min.compaction.lag.ms`, and below the last stable offset; when more than `min.cleanable.dirty.ratio` of that is dirty, or something dirty
 * is older than `max.compaction.lag.ms`. Runs and the tail are what Kafka calls active: never compacted.
 */
import { type Mergeable, OFFSETS_MOST } from "../plan-merge.ts";

export interface CompactionPolicy {
  readonly dirtyRatio: number;
  readonly minLagMs: number;
  /** Infinity: no limit. */
  readonly maxLagMs: number;
}

export interface CompactionPlan {
  /** Dirty up to here, not including it, may be compacted. */
  readonly uncleanable: number;
  readonly cleanBytes: number;
  readonly dirtyBytes: number;
  readonly due: boolean;
  /** When to look again though nothing comes in, milliseconds since 1970; undefined where only what comes in counts. */
  readonly lookAtMs: number | undefined;
}

/** `segments` in order; `stable`: the last stable offset, nothing at or above it is compacted; `firstDirtyMs`: the time of the first dirty record, asked for only where `maxLagMs` is a limit. */
export function planCompaction(
  segments: readonly Mergeable[],
  stable: number,
  firstDirty: number,
  firstDirtyMs: number | undefined,
  policy: CompactionPolicy,
  nowMs: number,
): CompactionPlan {
  const dirty = segments.filter(({ last }) => last >= firstDirty);
  const young = policy.minLagMs <= 0 ? undefined : dirty.find(({ maxTimestampMs }) => maxTimestampMs > nowMs - policy.minLagMs);
  const ripe = young?.base ?? (segments.at(-1)?.last ?? -1) + 1;
  const uncleanable = Math.max(firstDirty, Math.min(ripe, stable));
  const sizeOf = (some: readonly Mergeable[]): number => some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const cleanBytes = sizeOf(segments.filter(({ last }) => last < firstDirty));
  const dirtyBytes = uncleanable > firstDirty ? sizeOf(dirty.filter(({ base }) => base < uncleanable)) : 0;
  const lateAtMs = firstDirtyMs === undefined ? Number.POSITIVE_INFINITY : firstDirtyMs + policy.maxLagMs;
  const ratio = dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes);
  const due = dirtyBytes > 0 && (ratio > policy.dirtyRatio || nowMs > lateAtMs);
  const ripeAtMs = young === undefined ? Number.POSITIVE_INFINITY : young.maxTimestampMs + policy.minLagMs;
  const lookAtMs = Math.min(ripeAtMs, dirty.length === 0 ? Number.POSITIVE_INFINITY : lateAtMs + 1);
  return { uncleanable, cleanBytes, dirtyBytes, due, lookAtMs: Number.isFinite(lookAtMs) ? lookAtMs : undefined };
}

/** The segments that are written as one: the first of these, and those after it as long as they fit. At least one. */
export function nextGroup<T extends Mergeable>(segments: readonly T[], segmentBytes: number, countMost: number): readonly T[] {
  const [first] = segments;
  if (first === undefined) return [];
  let { sizeBytes } = first;
  let count = 1;
  for (; count < Math.min(segments.length, countMost); count++) {
    const next = segments[count] as T;
    sizeBytes += next.sizeBytes;
    const follows = next.base === (segments[count - 1] as T).last + 1;
    if (!follows || sizeBytes > segmentBytes || next.last - first.base > OFFSETS_MOST) break;
  }
  return segments.slice(0, count);
}
