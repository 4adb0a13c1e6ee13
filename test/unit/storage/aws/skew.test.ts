import { expect, test } from "vitest";
import { ClockSkew } from "../../../../lib/storage/aws/skew.ts";
import { manualClock } from "./support.ts";

const START_MS = 1_790_000_000_000;

function observed(aheadMs: number, mostMs = 60_000): ClockSkew {
  // Half way through the second of the reply.
  const skew = new ClockSkew(manualClock(START_MS + 500), mostMs);
  skew.observe(new Date(START_MS - aheadMs).toUTCString());
  return skew;
}

test.each([0, 59_000, -59_000])("a clock that is %d ms off is trusted", (aheadMs) => {
  const skew = observed(aheadMs);
  expect(skew.isTrusted).toBe(true);
  skew.check();
});

test.each([
  [90_000, "this machine's clock is 90 s ahead of the storage's; at most 60 s are allowed for writing: set it right (NTP)"],
  [-3_600_000, "this machine's clock is 3600 s behind the storage's; at most 60 s are allowed for writing: set it right (NTP)"],
])("a clock that is %d ms off is refused, with the way out", (aheadMs, message) => {
  const skew = observed(aheadMs);
  expect(skew.isTrusted).toBe(false);
  expect(() => skew.check()).toThrow(message);
});

test("a clock that was set right is trusted with the next reply", () => {
  const clock = manualClock(START_MS);
  const skew = new ClockSkew(clock, 60_000);
  skew.observe(new Date(START_MS + 120_000).toUTCString());
  expect(skew.isTrusted).toBe(false);
  clock.pass(120_000);
  skew.observe(new Date(START_MS + 120_000).toUTCString());
  expect(skew.isTrusted).toBe(true);
});

test("before the first reply nothing is trusted, and nothing is refused either", () => {
  const skew = new ClockSkew(manualClock(), 60_000);
  expect(skew.isTrusted).toBe(false);
  skew.check();
});

test("replies that do not say the time are no reason to ask for it again and again", () => {
  const skew = new ClockSkew(manualClock(), 60_000);
  skew.observe(undefined);
  expect(skew.isTrusted).toBe(true);
});
