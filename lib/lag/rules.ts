/**
 * Burrow's rules: what a partition's window of commits says about its consumer, with no threshold to choose
 * (https://github.com/linkedin/Burrow/wiki/Consumer-Lag-Evaluation-Rules). Pure.
 *
 * They are asked only where the lag is above `allowedLag` and the window is at least `minimumComplete` full; the first
 * that holds is the answer:
 *
 * 1  STOP    the last commit is longer ago than the window is long, and the consumer was not at the log's end lately.
 * 2  REWIND  an offset was committed below one before it, and the consumer has not come back to where it was.
 * 3  Only of at least `leastCompared` commits (one alone neither moves nor stands still; Burrow asks for none), and where the
 *    lag was above `allowedLag` at every one whose lag is known:
 *    STALL   it commits, and always the same offset;
 *    WARN    it commits and moves, and its lag never became less, as far as two or more are known.
 * 4  OK      anything else.
 *
 * A partition that is not as it must be (its topic's head is missing, or the commit is beyond the log end) is ERR, whatever
 * its window says. A group is what its worst partition is; what is worse than ERR is ERR.
 */
import type { Observation, Window } from "./window.ts";

/** By severity; the place of each is its number in Burrow's metrics. */
export const STATUSES = ["NOTFOUND", "OK", "WARN", "ERR", "STOP", "STALL", "REWIND"] as const;
export type LagStatus = (typeof STATUSES)[number];

export interface RuleSettings {
  /** A lag up to this is none. */
  readonly allowedLag: number;
  /** 0 to 1: how full a window must be to be judged. */
  readonly minimumComplete: number;
  /** A full window has so many observations. */
  readonly intervals: number;
  /** Rule 3: so many commits tell whether a consumer moves. */
  readonly leastCompared: number;
  /** Rule 1: a consumer that was at the log's end within this time has not stopped. */
  readonly recentMs: number;
}

/** What is evaluated: a window, and how it is now. */
export interface Evaluated {
  readonly window: Window;
  readonly currentLag: number;
  /** The partition is missing, or the commit is beyond its end. */
  readonly broken?: boolean;
}

export function partitionStatus({ window, currentLag, broken }: Evaluated, settings: RuleSettings, nowMs: number): LagStatus {
  if (broken === true) return "ERR";
  const { observations } = window;
  if (observations.length === 0 || currentLag <= settings.allowedLag) return "OK";
  if (completeness(window, settings.intervals) < settings.minimumComplete) return "OK";
  if (hasStopped(observations, nowMs) && !wasAtEndLately(window, settings.recentMs, nowMs)) return "STOP";
  if (hasRewound(observations)) return "REWIND";
  const compared = observations.length >= settings.leastCompared;
  if (compared && observations.every(({ lag }) => lag === undefined || lag > settings.allowedLag)) {
    if (observations.every(({ offset }) => offset === observations[0]?.offset)) return "STALL";
    if (lagNeverFell(observations)) return "WARN";
  }
  return "OK";
}

/** 0 to 1: how full the window is. */
export function completeness({ observations }: Window, intervals: number): number {
  return Math.min(1, observations.length / intervals);
}

function hasStopped(observations: readonly Observation[], nowMs: number): boolean {
  const first = observations[0] as Observation;
  const last = observations.at(-1) as Observation;
  return nowMs - last.timestampMs > last.timestampMs - first.timestampMs;
}

/** Undefined: no log end above the last commit was seen yet, so it was there when one was looked for last. */
function wasAtEndLately({ behindSinceMs }: Window, recentMs: number, nowMs: number): boolean {
  return behindSinceMs === undefined || nowMs - behindSinceMs < recentMs;
}

function hasRewound(observations: readonly Observation[]): boolean {
  const highestAfter: number[] = [];
  let highest = -1;
  for (let i = observations.length - 1; i >= 0; i--) {
    highestAfter[i] = highest;
    highest = Math.max(highest, (observations[i] as Observation).offset);
  }
  return observations.some(
    ({ offset }, i) => offset > (observations[i + 1]?.offset ?? Number.POSITIVE_INFINITY) && (highestAfter[i] as number) < offset,
  );
}

/** Of lags that are not known, as of commits that were seen late, nothing is said. */
function lagNeverFell(observations: readonly Observation[]): boolean {
  const known = observations.flatMap(({ lag }) => lag ?? []);
  return known.length > 1 && known.every((lag, i) => i === 0 || lag >= (known[i - 1] as number));
}

/** One partition as the group's status is made of it. */
export interface PartitionVerdict {
  readonly status: LagStatus;
  readonly currentLag: number;
  /** 0 to 1. */
  readonly complete: number;
}

export interface GroupVerdict<P> {
  readonly status: LagStatus;
  /** 0 to 1: the part of the partitions whose window is full. */
  readonly complete: number;
  /** The first of those with the largest lag; undefined without partitions. */
  readonly maxLag: P | undefined;
  readonly totalLag: number;
}

export function groupVerdict<P extends PartitionVerdict>(partitions: readonly P[]): GroupVerdict<P> {
  let worst = STATUSES.indexOf("OK");
  let maxLag: P | undefined;
  let totalLag = 0;
  let full = 0;
  for (const partition of partitions) {
    worst = Math.max(worst, Math.min(STATUSES.indexOf(partition.status), STATUSES.indexOf("ERR")));
    if (maxLag === undefined || partition.currentLag > maxLag.currentLag) maxLag = partition;
    totalLag += partition.currentLag;
    if (partition.complete === 1) full++;
  }
  return {
    status: STATUSES[worst] as LagStatus,
    complete: partitions.length === 0 ? 0 : full / partitions.length,
    maxLag,
    totalLag,
  };
}
