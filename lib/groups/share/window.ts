/**
 * The window of a share partition: every offset from its first run to its end is in a run or finished. Pure.
 *
 * W1  Runs are in rising order and do not touch the same offset; what lies between them is finished, or parked.
 * W2  A record is acquired only from `available`, below the limit of deliveries, and that raises its count.
 * W3  Only the holder changes what is acquired, and only before the lock runs out: `expired` is asked first.
 * W4  What was rejected or delivered too often is dead: it is never acquired again, and stays until it is buried.
 * W5  The start moves only over what is finished or parked: it is the first run's offset.
 */
export type RunState = "available" | "acquired" | "rejected" | "spent";

export interface Run {
  readonly first: number;
  readonly last: number;
  readonly state: RunState;
  readonly deliveries: number;
  /** Of what is acquired: when the lock runs out, milliseconds since 1970. Else 0. */
  readonly untilMs: number;
  /** Of what is acquired. Else empty. */
  readonly holder: string;
}

export interface Window {
  /** First offset that was never given out. */
  readonly end: number;
  readonly runs: readonly Run[];
}

/** Offsets of one delivery. */
export interface Taken {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryCount: number;
}

/** Accept and gap: finished. */
export type Verdict = "finish" | "release" | "reject" | "renew";

export interface Judgement {
  readonly first: number;
  readonly last: number;
  readonly verdict: Verdict;
  readonly holder: string;
  /** With `renew`: the new end of the lock. */
  readonly untilMs: number;
  /** What is in no run is not looked at: the holder says that no record is there. */
  readonly gap: boolean;
}

export function startOf(window: Window): number {
  return window.runs[0]?.first ?? window.end;
}

export function isDead({ state }: Pick<Run, "state">): boolean {
  return state === "rejected" || state === "spent";
}

/** How many records the runs of these states have. */
export function countOf(window: Window, is: (run: Run) => boolean): number {
  let count = 0;
  for (const run of window.runs) if (is(run)) count += run.last - run.first + 1;
  return count;
}

/** What is to be given again, or is spent. */
export function again({ first, last, deliveries }: Run, limit: number): Run {
  return { first, last, state: deliveries >= limit ? "spent" : "available", deliveries, untilMs: 0, holder: "" };
}

/** The window by now: locks have run out. The same object where none has. */
export function expired(window: Window, nowMs: number, limit: number): Window {
  const due = (run: Run): boolean =>
    (run.state === "acquired" && run.untilMs <= nowMs) || (run.state === "available" && run.deliveries >= limit);
  return window.runs.some(due)
    ? withRuns(
        window,
        window.runs.map((run) => (due(run) ? again(run, limit) : run)),
      )
    : window;
}

/** Without what is below the log start. */
export function trimmed(window: Window, logStart: number): Window {
  if (startOf(window) >= logStart && window.end >= logStart) return window;
  const kept = changed(window, 0, logStart - 1, () => undefined);
  return { ...kept, end: Math.max(window.end, logStart) };
}

/** The window up to `to`, with these offsets, which are at or beyond its end, as records that are there to be given. */
export function extended(window: Window, to: number, offsets: readonly number[]): Window {
  const fresh = rowsOf(offsets).map(
    ([first, last]): Run => ({ first, last, state: "available", deliveries: 0, untilMs: 0, holder: "" }),
  );
  return withRuns({ end: to, runs: window.runs }, [...window.runs, ...fresh]);
}

/** Finished, whatever they were: buried, parked, or not in the log any more. */
export function finished(window: Window, offsets: readonly number[]): Window {
  let after = window;
  for (const [first, last] of rowsOf(offsets)) after = changed(after, first, last, () => undefined);
  return after;
}

/** Gives these offsets, all of which are available, to a holder. */
export function acquired(
  window: Window,
  offsets: readonly number[],
  holder: string,
  untilMs: number,
): { readonly window: Window; readonly taken: Taken[] } {
  let after = window;
  const taken: Taken[] = [];
  for (const [first, last] of rowsOf(offsets)) {
    after = changed(after, first, last, (run) => {
      if (run.state !== "available") return run;
      const deliveries = run.deliveries + 1;
      taken.push({ firstOffset: run.first, lastOffset: run.last, deliveryCount: deliveries });
      return { ...run, state: "acquired", deliveries, untilMs, holder };
    });
  }
  return { window: after, taken };
}

/**
 * What a judgement makes of the window. `refused`: it names something that the holder does not have; the window is then as it
 * was. `outside`: rows of offsets that are in no run.
 */
export function judged(
  window: Window,
  { first, last, verdict, holder, untilMs }: Judgement,
  limit: number,
): { readonly window: Window; readonly refused: boolean; readonly outside: readonly (readonly [number, number])[] } {
  const touched = window.runs.filter((run) => run.first <= last && run.last >= first);
  const outside: [number, number][] = [];
  let next = first;
  let refused = false;
  for (const run of touched) {
    if (run.first > next) outside.push([next, run.first - 1]);
    next = run.last + 1;
    refused ||= run.state !== "acquired" || run.holder !== holder;
  }
  if (next <= last) outside.push([next, last]);
  if (refused) return { window, refused, outside };
  const after = changed(window, first, last, (run) => settle(run, verdict, untilMs, limit));
  return { window: after, refused, outside };
}

/** What becomes of an acquired run. */
function settle(run: Run, verdict: Verdict, untilMs: number, limit: number): Run | undefined {
  if (verdict === "finish") return undefined;
  if (verdict === "release") return again(run, limit);
  if (verdict === "renew") return { ...run, untilMs };
  return { ...run, state: "rejected", untilMs: 0, holder: "" };
}

/** The first so many offsets of runs of a kind. */
export function offsetsOf(window: Window, is: (run: Run) => boolean, most: number): number[] {
  const offsets: number[] = [];
  for (const run of window.runs) {
    if (!is(run)) continue;
    for (let offset = run.first; offset <= run.last && offsets.length < most; offset++) offsets.push(offset);
    if (offsets.length >= most) break;
  }
  return offsets;
}

/** The run that an offset is in. */
export function runAt(window: Window, offset: number): Run | undefined {
  return window.runs.find((run) => run.first <= offset && offset <= run.last);
}

/** Rising offsets as rows without a gap. */
export function rowsOf(offsets: readonly number[]): [first: number, last: number][] {
  const rows: [number, number][] = [];
  for (const offset of offsets) {
    const row = rows.at(-1);
    if (row !== undefined && row[1] + 1 === offset) row[1] = offset;
    else rows.push([offset, offset]);
  }
  return rows;
}

function changed(window: Window, first: number, last: number, change: (run: Run) => Run | undefined): Window {
  const runs: Run[] = [];
  for (const run of window.runs) {
    if (run.last < first || run.first > last) {
      runs.push(run);
      continue;
    }
    if (run.first < first) runs.push({ ...run, last: first - 1 });
    const inside = change({ ...run, first: Math.max(run.first, first), last: Math.min(run.last, last) });
    if (inside !== undefined) runs.push(inside);
    if (run.last > last) runs.push({ ...run, first: last + 1 });
  }
  return withRuns(window, runs);
}

/** Neighbours that differ in nothing are one run. */
function withRuns({ end }: Window, runs: readonly Run[]): Window {
  const joined: Run[] = [];
  for (const run of runs) {
    const before = joined.at(-1);
    const same =
      before !== undefined &&
      before.last + 1 === run.first &&
      before.state === run.state &&
      before.deliveries === run.deliveries &&
      before.untilMs === run.untilMs &&
      before.holder === run.holder;
    if (same) joined[joined.length - 1] = { ...before, last: run.last };
    else joined.push(run);
  }
  return { end, runs: joined };
}
