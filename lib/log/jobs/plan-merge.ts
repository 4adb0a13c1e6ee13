/**
 * Which neighbours the merger makes one of: pure.
 *
 * P1  A merged segment is at least twice as large as each that it is made of. So a byte is copied log2(segment.bytes / what
 *     the roller made) times at most, however the segments come in.
 * P2  At least `fanIn` at once, unless nothing more can join them: what comes next is too much for one segment, too far in
 *     time, or to be kept apart. So small segments are not merged again for each new one.
 * P3  The largest timestamps of what is merged are `spanMs` apart at most: retention by time stays as fine as that.
 */
export interface Mergeable {
  readonly base: number;
  readonly last: number;
  readonly sizeBytes: number;
  readonly maxTimestampMs: number;
}

export interface MergePolicy {
  readonly segmentBytes: number;
  readonly spanMs: number;
  /** Segments that hold offsets below it stay apart from those above. */
  readonly apartAt: number;
}

const FAN_IN = 8;
/** Kafka's tools take offsets of a file as 31 bits above its base. */
export const OFFSETS_MOST = 2 ** 31 - 1;

/** Which of the segments, in their order, are next; undefined when none. At most `countMost` of them. */
export function planMerge(
  segments: readonly Mergeable[],
  policy: MergePolicy,
  countMost: number,
): { readonly from: number; readonly to: number } | undefined {
  for (let from = 0; from < segments.length; ) {
    const to = windowEnd(segments, from, policy);
    const found = largestIn(segments, from, to, to < segments.length ? 2 : FAN_IN, countMost);
    if (found !== undefined) return found;
    from = to;
  }
  return undefined;
}

/** One after the last that could be in one segment with the first. */
function windowEnd(segments: readonly Mergeable[], from: number, { segmentBytes, spanMs, apartAt }: MergePolicy): number {
  const first = segments[from] as Mergeable;
  let { sizeBytes, maxTimestampMs: earliestMs, maxTimestampMs: latestMs } = first;
  let to = from + 1;
  for (; to < segments.length; to++) {
    const next = segments[to] as Mergeable;
    sizeBytes += next.sizeBytes;
    earliestMs = Math.min(earliestMs, next.maxTimestampMs);
    latestMs = Math.max(latestMs, next.maxTimestampMs);
    const follows = next.base === (segments[to - 1] as Mergeable).last + 1;
    const alike = first.base < apartAt === next.base < apartAt;
    const fits = sizeBytes <= segmentBytes && latestMs - earliestMs <= spanMs && next.last - first.base <= OFFSETS_MOST;
    if (!follows || !alike || !fits) break;
  }
  return to;
}

/** The longest stretch within [from, to) that may be merged. */
function largestIn(
  segments: readonly Mergeable[],
  from: number,
  to: number,
  least: number,
  countMost: number,
): { readonly from: number; readonly to: number } | undefined {
  let found: { readonly from: number; readonly to: number } | undefined;
  for (let start = from; start < to; start++) {
    let sumBytes = 0;
    let largestBytes = 0;
    for (let end = start; end < Math.min(to, start + countMost); end++) {
      const { sizeBytes } = segments[end] as Mergeable;
      sumBytes += sizeBytes;
      largestBytes = Math.max(largestBytes, sizeBytes);
      const count = end + 1 - start;
      if (count < least || sumBytes < 2 * largestBytes || count <= (found === undefined ? 0 : found.to - found.from)) continue;
      found = { from: start, to: end + 1 };
    }
  }
  return found;
}
