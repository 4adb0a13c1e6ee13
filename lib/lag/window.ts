/**
 * The window of a partition: the last commits of a group, as they were seen from outside, one after the other. Pure.
 *
 * N1  At most `intervals` observations, oldest first; their timestamps never fall.
 * N2  The last observation has the offset that was committed when the window was last looked at.
 * N3  Looking again at the same commit adds nothing: a window that need not be written is the very same object.
 */

/** One commit as it was seen. */
export interface Observation {
  readonly offset: number;
  /** When it was committed, by the clock of who took the commit; never after it was seen. */
  readonly timestampMs: number;
  readonly observedAtMs: number;
  /** Undefined where the commit was seen so late that the lag it had is not known. */
  readonly lag: number | undefined;
}

export interface Window {
  readonly observations: readonly Observation[];
  /** Of the last commit, as the group keeps it. */
  readonly committedAtMs: number;
  /** Since when the log end is known to be above the last commit; undefined: it is not. */
  readonly behindSinceMs: number | undefined;
  /** The timestamp of the first record from the committed offset on; undefined: it was not read. */
  readonly unreadSinceMs: number | undefined;
}

export interface WindowSettings {
  readonly intervals: number;
  /** A commit so soon after the one before takes its place, and its timestamp. */
  readonly minDistanceMs: number;
  /** A commit that was made longer ago has an unknown lag. */
  readonly backfillMs: number;
}

/** A commit and the end of its partition, the end read after the commit. */
export interface Seen {
  readonly offset: number;
  readonly committedAtMs: number;
  readonly logEndOffset: number;
}

export const NO_WINDOW: Window = {
  observations: [],
  committedAtMs: -1,
  behindSinceMs: undefined,
  unreadSinceMs: undefined,
};

/** The window after a look; the same one where nothing has to be kept of it. */
export function observe(window: Window, seen: Seen, settings: WindowSettings, nowMs: number): Window {
  const last = window.observations.at(-1);
  const behind = seen.logEndOffset > seen.offset;
  const sameCommit = last !== undefined && last.offset === seen.offset && window.committedAtMs === seen.committedAtMs;
  const behindSinceMs = behind ? (wasBehind(window, seen.offset) ? window.behindSinceMs : nowMs) : undefined;
  if (sameCommit) return behindSinceMs === window.behindSinceMs ? window : { ...window, behindSinceMs };
  const committedAtMs = Math.min(seen.committedAtMs, nowMs);
  const tooClose = last !== undefined && committedAtMs - last.timestampMs < settings.minDistanceMs;
  const kept = tooClose ? window.observations.slice(0, -1) : window.observations;
  const late = nowMs - committedAtMs > settings.backfillMs;
  const observation: Observation = {
    offset: seen.offset,
    timestampMs: tooClose ? last.timestampMs : Math.max(committedAtMs, last?.timestampMs ?? 0),
    observedAtMs: nowMs,
    lag: late ? undefined : Math.max(0, seen.logEndOffset - seen.offset),
  };
  return {
    observations: [...kept, observation].slice(-settings.intervals),
    committedAtMs: seen.committedAtMs,
    behindSinceMs,
    unreadSinceMs: last?.offset === seen.offset ? window.unreadSinceMs : undefined,
  };
}

/** Was the log end known to be above this offset when the window was looked at before? Then since when it says. */
function wasBehind({ observations, behindSinceMs }: Window, offset: number): boolean {
  const last = observations.at(-1);
  if (behindSinceMs === undefined || last === undefined) return false;
  return last.offset >= offset || last.offset + (last.lag ?? 0) > offset;
}

export interface Rates {
  /** Records a second that the group consumed, over the window. */
  readonly outPerSecond: number;
  /** Records a second that were appended, over the window. */
  readonly inPerSecond: number;
  /** At these rates; undefined: never. */
  readonly catchUpSeconds: number | undefined;
}

/** Undefined where the window is too short, or the group has gone back in it. */
export function ratesOf({ observations }: Window, currentLag: number): Rates | undefined {
  const known = observations.filter(({ lag }) => lag !== undefined);
  const first = known[0];
  const last = known.at(-1);
  if (first === undefined || last === undefined || last.observedAtMs <= first.observedAtMs) return undefined;
  const seconds = (last.observedAtMs - first.observedAtMs) / 1000;
  const consumed = last.offset - first.offset;
  const appended = consumed + (last.lag as number) - (first.lag as number);
  if (consumed < 0 || appended < 0) return undefined;
  const outPerSecond = consumed / seconds;
  const inPerSecond = appended / seconds;
  const gained = outPerSecond - inPerSecond;
  const catchUpSeconds = currentLag === 0 ? 0 : gained > 0 ? currentLag / gained : undefined;
  return { outPerSecond, inPerSecond, catchUpSeconds };
}
