/** The doorbell of processes that cannot hear each other: the contract, and how its gaps grow. */
import { describe, expect, test } from "vitest";
import type { Clock } from "../../../lib/ports/index.ts";
import { nextGapMs, pollingDoorbell } from "../../../lib/storage/polling/doorbell.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { doorbellContract } from "../../contract/doorbell.contract.ts";

/** A clock that jumps to the end of every sleep, and notes how long each was. */
function jumpingClock(): Clock & { readonly slept: number[] } {
  let nowMs = 1000;
  const slept: number[] = [];
  return {
    slept,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(ms) {
      slept.push(ms);
      nowMs += ms;
    },
  };
}

doorbellContract(() => ({ doorbell: pollingDoorbell(systemClock), clock: systemClock }));

describe("the gaps of a polling doorbell", () => {
  test("grow from 25 to 500 ms within one long poll and end at its deadline", async () => {
    const clock = jumpingClock();
    const doorbell = pollingDoorbell(clock);
    const deadlineMs = clock.monotonicMs() + 3000;
    while (clock.monotonicMs() < deadlineMs) await doorbell.wait(["t#0"], deadlineMs);
    expect(clock.slept).toEqual([25, 50, 100, 200, 400, 500, 500, 500, 500, 225]);
  });

  test("begin again at 25 ms with the next long poll", async () => {
    const clock = jumpingClock();
    const doorbell = pollingDoorbell(clock);
    for (const lengthMs of [100, 100]) {
      const deadlineMs = clock.monotonicMs() + lengthMs;
      while (clock.monotonicMs() < deadlineMs) await doorbell.wait(["t#0"], deadlineMs);
    }
    expect(clock.slept).toEqual([25, 50, 25, 25, 50, 25]);
  });

  test("double and stop at 500", () => {
    expect(nextGapMs(undefined)).toBe(25);
    expect(nextGapMs(400)).toBe(500);
    expect(nextGapMs(500)).toBe(500);
  });
});
