import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Mergeable, type MergePolicy, planMerge } from "../../../lib/log/jobs/plan-merge.ts";

const POLICY: MergePolicy = { segmentBytes: 1000, spanMs: 100, apartAt: 0 };

function segments(sizes: readonly number[], timesMs: readonly number[] = []): Mergeable[] {
  return sizes.map((sizeBytes, i) => ({ base: i * 10, last: i * 10 + 9, sizeBytes, maxTimestampMs: timesMs[i] ?? 0 }));
}

/** As the merger does it, until there is nothing left; answers the bytes that were copied too. */
function mergeAll(list: Mergeable[], policy: MergePolicy, countMost = 90): number {
  let copiedBytes = 0;
  for (;;) {
    const plan = planMerge(list, policy, countMost);
    if (plan === undefined) return copiedBytes;
    const some = list.slice(plan.from, plan.to);
    const sizeBytes = some.reduce((sum, one) => sum + one.sizeBytes, 0);
    copiedBytes += sizeBytes;
    list.splice(plan.from, some.length, {
      base: some[0]!.base,
      last: some.at(-1)!.last,
      sizeBytes,
      maxTimestampMs: Math.max(...some.map((one) => one.maxTimestampMs)),
    });
  }
}

describe("what is merged", () => {
  test("is eight of alike size, and not fewer while more may come", () => {
    expect(planMerge(segments(Array(7).fill(10)), POLICY, 90)).toBeUndefined();
    expect(planMerge(segments(Array(8).fill(10)), POLICY, 90)).toEqual({ from: 0, to: 8 });
  });

  test("leaves a large one alone until as much has come beside it", () => {
    expect(planMerge(segments([500, ...Array(7).fill(10)]), POLICY, 90)).toBeUndefined();
    expect(planMerge(segments([500, ...Array(8).fill(10)]), POLICY, 90)).toEqual({ from: 1, to: 9 });
  });

  test("is fewer than eight where what follows is too much for one segment", () => {
    expect(planMerge(segments([300, 300, 300, 300]), POLICY, 90)).toEqual({ from: 0, to: 3 });
  });

  test("is never more than segment.bytes, never further apart in time than the span", () => {
    expect(planMerge(segments([600, 600, 600]), POLICY, 90)).toBeUndefined();
    expect(planMerge(segments(Array(9).fill(10), [0, 0, 0, 0, 500, 500, 500, 500, 500]), POLICY, 90)).toEqual({ from: 0, to: 4 });
    expect(planMerge(segments(Array(8).fill(10), [0, 30, 60, 90, 120, 90, 60, 30]), POLICY, 90)).toEqual({ from: 0, to: 4 });
  });

  test("never reaches over what is to stay apart, nor over a gap", () => {
    expect(planMerge(segments(Array(10).fill(10)), { ...POLICY, apartAt: 30 }, 90)).toEqual({ from: 0, to: 3 });
    const holed = segments(Array(8).fill(10)).map((one, i) => (i < 3 ? one : { ...one, base: one.base + 5, last: one.last + 5 }));
    expect(planMerge(holed, POLICY, 90)).toEqual({ from: 0, to: 3 });
  });

  test("is as many as one transaction takes", () => {
    expect(planMerge(segments(Array(300).fill(1)), POLICY, 90)).toEqual({ from: 0, to: 90 });
  });

  test("keeps to the rules whatever comes, and copies each byte a few times only", () => {
    const arrivals = fc.array(fc.record({ sizeBytes: fc.integer({ min: 1, max: 64 }), afterMs: fc.nat({ max: 3 }) }), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(arrivals, (all) => {
        const policy = { ...POLICY, segmentBytes: 4096 };
        const list: Mergeable[] = [];
        let offset = 0;
        let nowMs = 0;
        let copiedBytes = 0;
        let cameBytes = 0;
        for (const { sizeBytes, afterMs } of all) {
          nowMs += afterMs;
          list.push({ base: offset, last: offset + 9, sizeBytes, maxTimestampMs: nowMs });
          offset += 10;
          cameBytes += sizeBytes;
          copiedBytes += mergeAll(list, policy);
        }
        expect(list.reduce((sum, one) => sum + one.sizeBytes, 0)).toBe(cameBytes);
        for (const [i, one] of list.entries()) {
          expect(one.base).toBe(i === 0 ? 0 : list[i - 1]!.last + 1);
          expect(one.sizeBytes).toBeLessThanOrEqual(policy.segmentBytes);
        }
        expect(copiedBytes).toBeLessThanOrEqual(cameBytes * 12);
        // Seven of each doubling at most, in each of the windows that are closed and in the one that is open.
        const windows = 2 + (2 * nowMs) / policy.spanMs + (2 * cameBytes) / policy.segmentBytes;
        expect(list.length).toBeLessThanOrEqual(12 * 7 * windows);
      }),
      { numRuns: 100 },
    );
  });
});
