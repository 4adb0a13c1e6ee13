import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { groupVerdict, type LagStatus, type PartitionVerdict, partitionStatus, STATUSES } from "../../../lib/lag/rules.ts";
import { LAG_SETTINGS } from "../../../lib/lag/settings.ts";
import { observe, type Window } from "../../../lib/lag/window.ts";
import { observed, windowOf } from "./support.ts";

interface Vector {
  readonly name: string;
  readonly offsets: readonly number[];
  /** null: not known. */
  readonly lags: readonly (number | null)[];
  readonly everyMs?: number;
  /** Log ends as they were seen, the newest last. Default: the last offset and the lag. */
  readonly logEnds?: readonly number[];
  readonly lag: number;
  readonly allowedLag?: number;
  /** Seconds; the first commit is at 100 s. */
  readonly now: number;
  readonly status: LagStatus;
}

const RISING = [1000, 2000, 3000, 4000, 5000];
const STILL = [1000, 1000, 1000, 1000, 1000];
const BACK = [1000, 2000, 3000, 2000, 4000];
const BACK_LAGS = [100, 150, 200, 1250, 300];
const CAUGHT_UP_ONCE = [0, 50, 100, 150, 200];
const GROWING = [50, 100, 150, 200, 250];
const EACH_SECOND = Array.from({ length: 15 }, (_, i) => 792_748_079 + i);
const NO_LAG = EACH_SECOND.map(() => 0);
const ENDS_FAR = [792_748_500, 792_748_600, 792_748_800, 792_749_000, 792_749_024];
const ENDS_NEAR = [792_748_093, 792_748_093, 792_748_093, 792_748_094];

// The vectors of Burrow's own evaluator, by their numbers there.
const VECTORS: readonly Vector[] = [
  { name: "0", offsets: RISING, lags: CAUGHT_UP_ONCE, logEnds: [5200], lag: 200, now: 600, status: "OK" },
  { name: "1", offsets: RISING, lags: CAUGHT_UP_ONCE, logEnds: [5200], lag: 200, now: 900, status: "OK" },
  { name: "2", offsets: RISING, lags: CAUGHT_UP_ONCE, logEnds: [5200], lag: 200, now: 1000, status: "STOP" },
  { name: "3", offsets: RISING, lags: GROWING, logEnds: [5250], lag: 250, now: 1000, status: "STOP" },
  { name: "4", offsets: STILL, lags: CAUGHT_UP_ONCE, logEnds: [1200], lag: 200, now: 600, status: "OK" },
  { name: "5", offsets: STILL, lags: [100, 150, 200, 250, 300], lag: 300, now: 600, status: "STALL" },
  { name: "6", offsets: STILL, lags: [100, 100, 100, 100, 100], lag: 100, now: 600, status: "STALL" },
  { name: "7", offsets: BACK, lags: BACK_LAGS, lag: 300, now: 600, status: "OK" },
  { name: "8", offsets: RISING, lags: GROWING, logEnds: [5000], lag: 0, now: 1000, status: "OK" },
  {
    name: "9",
    offsets: EACH_SECOND,
    lags: NO_LAG,
    everyMs: 1000,
    logEnds: ENDS_FAR,
    lag: 931,
    now: 114 + 17.6,
    status: "STOP",
  },
  {
    name: "10",
    offsets: EACH_SECOND,
    lags: NO_LAG,
    everyMs: 1000,
    logEnds: ENDS_NEAR,
    lag: 1,
    now: 114 + 17.6,
    status: "OK",
  },
  { name: "11", offsets: RISING, lags: [0, null, 50, null, 100], lag: 100, now: 600, status: "OK" },
  { name: "12", offsets: [1000, 2000, 2000], lags: [2, 1, 1], logEnds: [2001], lag: 1, allowedLag: 1, now: 550, status: "OK" },
  { name: "13", offsets: STILL, lags: [100, 150, 200, 250, 300], lag: 300, allowedLag: 99, now: 600, status: "STALL" },
  { name: "14", offsets: BACK, lags: BACK_LAGS, lag: 300, allowedLag: 99, now: 600, status: "OK" },
  { name: "15", offsets: [1000, 2000, 3000, 2000, 2500], lags: BACK_LAGS, lag: 300, now: 600, status: "REWIND" },
];

/** The log ends are looked at one second after the other, the last one now; they cover what "lately" means. */
function judge({ offsets, lags, everyMs, logEnds, lag, allowedLag = 0, now }: Vector): LagStatus {
  const ends = logEnds ?? [(offsets.at(-1) as number) + lag];
  const settings = { ...LAG_SETTINGS, intervals: offsets.length, allowedLag, recentMs: (ends.length - 1) * 1000 };
  let window = windowOf(observed(offsets, lags, everyMs));
  const { offset, timestampMs: committedAtMs } = window.observations.at(-1) as Window["observations"][number];
  for (const [i, logEndOffset] of ends.entries()) {
    const lookMs = now * 1000 - (ends.length - 1 - i) * 1000;
    window = observe(window, { offset, committedAtMs, logEndOffset }, settings, lookMs);
  }
  return partitionStatus({ window, currentLag: lag }, settings, now * 1000);
}

describe("Burrow's vectors", () => {
  test.each(VECTORS)("$name: $status", (vector) => {
    expect(judge(vector)).toBe(vector.status);
  });
});

test("a consumer that moves, and whose lag only grows, is slow: WARN", () => {
  const window = windowOf(observed(RISING, GROWING));
  expect(partitionStatus({ window, currentLag: 250 }, LAG_SETTINGS, 600_000)).toBe("WARN");
});

test("a window that is not full enough is not judged", () => {
  const window = windowOf(observed([1000, 1000, 1000], [5, 5, 5]));
  const at = (minimumComplete: number) =>
    partitionStatus({ window, currentLag: 5 }, { ...LAG_SETTINGS, minimumComplete }, 350_000);
  expect(at(0.3)).toBe("STALL");
  expect(at(0.4)).toBe("OK");
});

test("one commit or two do not tell whether a consumer moves", () => {
  const window = windowOf(observed([1000, 1000], [5, 5]));
  expect(partitionStatus({ window, currentLag: 5 }, LAG_SETTINGS, 250_000)).toBe("OK");
});

test("what is missing or beyond the end is ERR whatever the window says", () => {
  expect(partitionStatus({ window: windowOf([]), currentLag: 0, broken: true }, LAG_SETTINGS, 0)).toBe("ERR");
});

const anyWindow = fc
  .array(fc.record({ offset: fc.nat(1000), lag: fc.option(fc.nat(20)), gapMs: fc.nat(100_000) }), { minLength: 1, maxLength: 10 })
  .map((steps) => {
    let timestampMs = 0;
    return windowOf(
      steps.map(({ offset, lag, gapMs }) => {
        timestampMs += gapMs;
        return { offset, timestampMs, observedAtMs: timestampMs, lag: lag ?? undefined };
      }),
      { behindSinceMs: 0 },
    );
  });
const anyNow = fc.integer({ min: 1_000_000, max: 3_000_000 });

test("no lag above what is allowed is OK, whatever came before", () => {
  fc.assert(
    fc.property(anyWindow, fc.nat(10), anyNow, (window, allowedLag, nowMs) => {
      expect(partitionStatus({ window, currentLag: allowedLag }, { ...LAG_SETTINGS, allowedLag }, nowMs)).toBe("OK");
    }),
  );
});

test("an offset that never falls is never a REWIND, and a lag that was once small is never WARN or STALL", () => {
  fc.assert(
    fc.property(anyWindow, anyNow, (window, nowMs) => {
      const status = partitionStatus({ window, currentLag: 50 }, { ...LAG_SETTINGS, allowedLag: 5 }, nowMs);
      const offsets = window.observations.map(({ offset }) => offset);
      if (offsets.every((offset, i) => i === 0 || offset >= (offsets[i - 1] as number))) expect(status).not.toBe("REWIND");
      if (window.observations.some(({ lag }) => lag !== undefined && lag <= 5)) expect(["WARN", "STALL"]).not.toContain(status);
    }),
  );
});

test("time alone turns a partition that is behind into STOP, and nothing takes it back but a commit", () => {
  fc.assert(
    fc.property(anyWindow, (window) => {
      const last = window.observations.at(-1)?.timestampMs as number;
      for (const laterMs of [last + 1, 2 * last + 1, 10 * last + 1].map((ms) =>
        Math.max(ms, 2 * last + LAG_SETTINGS.recentMs + 1),
      ))
        expect(partitionStatus({ window, currentLag: 1 }, LAG_SETTINGS, laterMs)).toBe("STOP");
    }),
  );
});

test("a group is its worst partition, ERR at most, with the sum and the largest of the lags", () => {
  const one = (status: LagStatus, currentLag: number, complete = 1): PartitionVerdict => ({ status, currentLag, complete });
  expect(groupVerdict([one("OK", 3), one("WARN", 7, 0.5), one("OK", 7)])).toEqual({
    status: "WARN",
    complete: 2 / 3,
    maxLag: one("WARN", 7, 0.5),
    totalLag: 17,
  });
  expect(groupVerdict([])).toEqual({ status: "OK", complete: 0, maxLag: undefined, totalLag: 0 });
  fc.assert(
    fc.property(fc.array(fc.constantFrom<LagStatus>("OK", "WARN", "ERR", "STOP", "STALL", "REWIND"), { minLength: 1 }), (all) => {
      const { status } = groupVerdict(all.map((word) => one(word, 0)));
      const worst = Math.max(...all.map((word) => STATUSES.indexOf(word)));
      expect(STATUSES.indexOf(status)).toBe(Math.min(worst, STATUSES.indexOf("ERR")));
    }),
  );
});
