/**
 * What the retention policy gives up: pure. Kafka's rules (`deleteRetentionMsBreachedSegments`,
 * `deleteRetentionSizeBreachedSegments`): a prefix only, never one in the middle; by time what has no record younger than
 * `retention.ms`; by size what is over `retention.bytes` as a whole. Refs that are not rolled yet count as segments.
 */
export interface Kept {
  readonly end: number;
  readonly maxTimestampMs: number;
  readonly sizeBytes: number;
}

export interface RetentionPolicy {
  /** -1: no limit. */
  readonly retentionMs: number;
  /** -1: no limit. */
  readonly retentionBytes: number;
}

/** The log start offset after it; `start` when nothing is given up. `pieces` in order, from the one that holds `start`. */
export function startAfterRetention(pieces: readonly Kept[], start: number, policy: RetentionPolicy, nowMs: number): number {
  let first = 0;
  if (policy.retentionMs >= 0) {
    while (first < pieces.length && nowMs - (pieces[first] as Kept).maxTimestampMs > policy.retentionMs) first++;
  }
  if (policy.retentionBytes >= 0) {
    let over = pieces.slice(first).reduce((sum, piece) => sum + piece.sizeBytes, 0) - policy.retentionBytes;
    for (; first < pieces.length && over >= (pieces[first] as Kept).sizeBytes; first++) over -= (pieces[first] as Kept).sizeBytes;
  }
  return Math.max(start, pieces[first - 1]?.end ?? start);
}

/** Looks are this far apart at least, and at most: what comes in with old timestamps is due before anything that is known. */
const LOOK_LEAST_MS = 300_000;
const LOOK_MOST_MS = 21_600_000;

/** When to look again, given the oldest piece that is kept: milliseconds since 1970; 0 for the next run. */
export function dueAfter(oldest: Kept | undefined, policy: RetentionPolicy, nowMs: number): number {
  if (policy.retentionBytes >= 0) return 0;
  if (policy.retentionMs < 0) return Number.POSITIVE_INFINITY;
  const lookMs = nowMs + Math.min(LOOK_MOST_MS, Math.max(LOOK_LEAST_MS, policy.retentionMs / 24));
  return Math.min(lookMs, (oldest?.maxTimestampMs ?? nowMs) + policy.retentionMs + 1);
}
