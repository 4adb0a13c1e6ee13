import { expect, test } from "vitest";
import { pauseBeforeRetry } from "../../../../lib/storage/aws/retry.ts";

test("a write whose answer was lost is never sent again", () => {
  expect(pauseBeforeRetry("lost", "write", 1, 1)).toBeUndefined();
  expect(pauseBeforeRetry("lost", "repeatable", 1, 1)).toBeGreaterThan(0);
  expect(pauseBeforeRetry("lost", "read", 1, 1)).toBeGreaterThan(0);
});

test("what was refused for good is not sent again, whatever it was", () => {
  for (const repeat of ["read", "write", "repeatable"] as const) expect(pauseBeforeRetry("no", repeat, 1, 1)).toBeUndefined();
});

test.each(["throttled", "contended", "unreachable"] as const)(
  "a write that was %s is sent again after growing pauses, then given up",
  (why) => {
    const pauses: number[] = [];
    for (let attempt = 1; ; attempt++) {
      const pauseMs = pauseBeforeRetry(why, "write", attempt, 1);
      if (pauseMs === undefined) break;
      pauses.push(pauseMs);
    }
    expect(pauses.length).toBeGreaterThan(2);
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(5000);
  },
);

test("pauses are spread, so that those refused together do not come back together", () => {
  const [least, most] = [0, 1].map((random) => pauseBeforeRetry("throttled", "read", 3, random) as number);
  expect(least).toBe((most as number) / 2);
});
