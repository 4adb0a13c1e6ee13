import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeWindows, packWindows, putWindows, windowsKey } from "../../../lib/lag/items/window.ts";
import { LAG_SETTINGS } from "../../../lib/lag/settings.ts";
import { NO_WINDOW, observe, ratesOf, type Window } from "../../../lib/lag/window.ts";
import { observed, windowOf } from "./support.ts";

const MINUTE_MS = 60_000;
const look = (window: Window, offset: number, committedAtMs: number, logEndOffset: number, nowMs: number): Window =>
  observe(window, { offset, committedAtMs, logEndOffset }, LAG_SETTINGS, nowMs);

test("a window keeps the last ten commits, a look a minute", () => {
  let window = NO_WINDOW;
  for (let i = 1; i <= 12; i++) window = look(window, i * 10, i * MINUTE_MS, i * 10 + i, i * MINUTE_MS + 5);
  expect(window.observations.map(({ offset }) => offset)).toEqual([30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
  expect(window.observations.at(-1)).toEqual({
    offset: 120,
    timestampMs: 12 * MINUTE_MS,
    observedAtMs: 12 * MINUTE_MS + 5,
    lag: 12,
  });
});

test("the same commit again changes nothing, so nothing need be written", () => {
  const window = look(NO_WINDOW, 10, 1000, 12, 2000);
  expect(look(window, 10, 1000, 500, 900_000)).toBe(window);
});

test("a commit of the same offset is one more observation: the consumer lives, and stands still", () => {
  const window = look(look(NO_WINDOW, 10, MINUTE_MS, 12, MINUTE_MS), 10, 2 * MINUTE_MS, 13, 2 * MINUTE_MS);
  expect(window.observations.map(({ offset, lag }) => [offset, lag])).toEqual([
    [10, 2],
    [10, 3],
  ]);
});

test("commits that are too close take the place of the one before, and its time", () => {
  const first = look(NO_WINDOW, 10, MINUTE_MS, 10, MINUTE_MS);
  const second = look(first, 20, MINUTE_MS + 1000, 25, MINUTE_MS + 1000);
  expect(second.observations).toEqual([{ offset: 20, timestampMs: MINUTE_MS, observedAtMs: MINUTE_MS + 1000, lag: 5 }]);
  // Else a consumer that commits all the time would have one observation for ever.
  expect(look(second, 30, MINUTE_MS + 30_000, 35, MINUTE_MS + 31_000).observations).toHaveLength(2);
});

test("a commit that is seen late has no known lag", () => {
  expect(look(NO_WINDOW, 10, 0, 500, LAG_SETTINGS.backfillMs + 1).observations[0]?.lag).toBeUndefined();
  expect(look(NO_WINDOW, 10, 0, 500, LAG_SETTINGS.backfillMs).observations[0]?.lag).toBe(490);
});

test("a commit of the future, by a clock that is wrong, counts as of now", () => {
  const window = look(NO_WINDOW, 10, 900_000_000, 12, MINUTE_MS);
  expect(window.observations[0]?.timestampMs).toBe(MINUTE_MS);
  const next = look(window, 11, 5, 12, 2 * MINUTE_MS);
  expect(next.observations.at(-1)?.timestampMs).toBe(MINUTE_MS);
});

test("since when it is behind is kept over commits that do not reach what the end was, and forgotten at the end", () => {
  const caughtUp = look(NO_WINDOW, 10, MINUTE_MS, 10, MINUTE_MS);
  expect(caughtUp.behindSinceMs).toBeUndefined();
  const behind = look(caughtUp, 10, MINUTE_MS, 100, 2 * MINUTE_MS);
  expect(behind.behindSinceMs).toBe(2 * MINUTE_MS);
  const committed = look(look(behind, 20, 3 * MINUTE_MS, 120, 3 * MINUTE_MS), 30, 4 * MINUTE_MS, 140, 4 * MINUTE_MS);
  expect(committed.behindSinceMs).toBe(3 * MINUTE_MS);
  const further = look(committed, 50, 5 * MINUTE_MS, 200, 5 * MINUTE_MS);
  expect(further.behindSinceMs).toBe(3 * MINUTE_MS);
  expect(look(further, 200, 6 * MINUTE_MS, 200, 6 * MINUTE_MS).behindSinceMs).toBeUndefined();
});

test("rates in and out tell the time to catch up", () => {
  const window = windowOf(observed([0, 1000, 2000], [500, 400, 300]));
  expect(ratesOf(window, 300)).toEqual({ outPerSecond: 10, inPerSecond: 9, catchUpSeconds: 300 });
  expect(ratesOf(windowOf(observed([0, 100], [0, 1000])), 1000)?.catchUpSeconds).toBeUndefined();
  expect(ratesOf(windowOf(observed([5], [1])), 1)).toBeUndefined();
  expect(ratesOf(windowOf(observed([500, 0], [1, 501])), 501)).toBeUndefined();
});

const anyOffset = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const anyTime = fc.integer({ min: 0, max: 2 ** 46 });
const anyWindow: fc.Arbitrary<Window> = fc.record({
  observations: fc.array(
    fc.record({
      offset: anyOffset,
      timestampMs: anyTime,
      observedAtMs: anyTime,
      lag: fc.option(fc.nat({ max: 2 ** 52 }), { nil: undefined }),
    }),
    { maxLength: 10 },
  ),
  committedAtMs: fc.integer({ min: -1, max: 2 ** 46 }),
  behindSinceMs: fc.option(anyTime, { nil: undefined }),
  unreadSinceMs: fc.option(fc.integer({ min: -1, max: 2 ** 46 }), { nil: undefined }),
});

test("windows of a block survive being packed", () => {
  const anyBlock = fc.dictionary(fc.integer({ min: 96, max: 127 }).map(String), anyWindow);
  fc.assert(
    fc.property(anyBlock, (block) => {
      const windows = new Map(Object.entries(block).map(([partition, window]) => [Number(partition), window]));
      const { item } = putWindows(windowsKey("g", "t", 3), windows, 0);
      expect(decodeWindows(item, 3)).toEqual(windows);
    }),
  );
});

test("a block of 32 full windows is 4 KB as groups are, and 12 KB at worst", () => {
  const block = (offset: (i: number) => number, timeMs: (i: number) => number, lag: number) => {
    const observations = Array.from({ length: 10 }, (_, i) => ({
      offset: offset(i),
      timestampMs: timeMs(i),
      observedAtMs: timeMs(i) + 4000,
      lag,
    }));
    const window = windowOf(observations, { behindSinceMs: timeMs(0), unreadSinceMs: timeMs(0) });
    return packWindows(new Map(Array.from({ length: 32 }, (_, p) => [p, window]))).byteLength;
  };
  const nowMs = 1_763_000_000_000;
  expect(
    block(
      (i) => 9_000_000_000 + i * 6000,
      (i) => nowMs + i * MINUTE_MS,
      20_000,
    ),
  ).toBeLessThanOrEqual(4 * 1024);
  expect(
    block(
      (i) => (i % 2) * (Number.MAX_SAFE_INTEGER - 1),
      (i) => (i % 2) * 2 ** 46,
      2 ** 52,
    ),
  ).toBeLessThanOrEqual(12 * 1024);
});

test("whatever is seen, the window keeps its invariants", () => {
  const anyLook = fc.record({
    offset: fc.nat(50),
    committedAtMs: fc.nat(3_000_000),
    logEndOffset: fc.nat(60),
    gapMs: fc.nat(200_000),
  });
  fc.assert(
    fc.property(fc.array(anyLook, { maxLength: 40 }), (looks) => {
      let window = NO_WINDOW;
      let nowMs = 0;
      for (const { gapMs, ...seen } of looks) {
        nowMs += gapMs;
        window = observe(window, seen, LAG_SETTINGS, nowMs);
        const { observations, behindSinceMs } = window;
        expect(observations.length).toBeLessThanOrEqual(LAG_SETTINGS.intervals);
        expect(observations.at(-1)?.offset).toBe(seen.offset);
        for (const [i, one] of observations.entries()) {
          expect(one.timestampMs).toBeGreaterThanOrEqual(observations[i - 1]?.timestampMs ?? 0);
          expect(one.timestampMs).toBeLessThanOrEqual(one.observedAtMs);
        }
        expect(behindSinceMs === undefined).toBe(seen.logEndOffset <= seen.offset);
        expect(observe(window, seen, LAG_SETTINGS, nowMs + 1)).toBe(window);
      }
    }),
  );
});
