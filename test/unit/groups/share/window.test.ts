/** The window against a model that keeps every offset by itself. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeShare, encodeShare, newShare, type ShareState } from "../../../../lib/groups/items/share-partition.ts";
import {
  acquired,
  countOf,
  expired,
  extended,
  finished,
  judged,
  offsetsOf,
  startOf,
  trimmed,
  type Verdict,
  type Window,
} from "../../../../lib/groups/share/window.ts";

const LIMIT = 3;

/** Absent: finished, or no record. */
type Model = Map<number, { state: string; deliveries: number; untilMs: number; holder: string }>;

function flat(window: Window): Model {
  const model: Model = new Map();
  for (const { first, last, ...rest } of window.runs) for (let o = first; o <= last; o++) model.set(o, rest);
  return model;
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("extend" as const), holes: fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }) }),
  fc.record({ kind: fc.constant("acquire" as const), holder: fc.constantFrom("a", "b"), most: fc.integer({ min: 1, max: 8 }) }),
  fc.record({
    kind: fc.constant("judge" as const),
    holder: fc.constantFrom("a", "b"),
    verdict: fc.constantFrom<Verdict>("finish", "release", "reject", "renew"),
    from: fc.nat(20),
    size: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant("finish" as const), at: fc.nat(20) }),
  fc.record({ kind: fc.constant("trim" as const), at: fc.nat(5) }),
);

describe("the window of a share partition", () => {
  test("does what a table of all offsets does, whatever is asked in whatever order, and is the same after it was stored", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let window: Window = { end: 0, runs: [] };
        let model: Model = new Map();
        let nowMs = 1000;
        const age = (): void => {
          window = expired(window, nowMs, LIMIT);
          for (const [offset, one] of model) {
            const over = one.state === "acquired" && one.untilMs <= nowMs;
            if (over)
              model.set(offset, { ...one, state: one.deliveries >= LIMIT ? "spent" : "available", untilMs: 0, holder: "" });
          }
        };
        for (const one of steps) {
          age();
          if (one.kind === "wait") nowMs += one.ms;
          if (one.kind === "extend") {
            const offsets = one.holes.flatMap((there, i) => (there ? [window.end + i] : []));
            window = extended(window, window.end + one.holes.length, offsets);
            for (const o of offsets) model.set(o, { state: "available", deliveries: 0, untilMs: 0, holder: "" });
          }
          if (one.kind === "acquire") {
            const offsets = offsetsOf(window, ({ state }) => state === "available", one.most);
            const available = [...model].filter(([, { state }]) => state === "available").map(([o]) => o);
            expect(offsets).toEqual(available.sort((a, b) => a - b).slice(0, one.most));
            const { window: after, taken } = acquired(window, offsets, one.holder, nowMs + 20);
            window = after;
            const seen = taken.flatMap(({ firstOffset, lastOffset, deliveryCount }) =>
              Array.from({ length: lastOffset - firstOffset + 1 }, (_, i) => [firstOffset + i, deliveryCount]),
            );
            expect(seen).toEqual(offsets.map((o) => [o, (model.get(o)?.deliveries ?? 0) + 1]));
            for (const o of offsets) {
              const deliveries = (model.get(o)?.deliveries ?? 0) + 1;
              expect(deliveries).toBeLessThanOrEqual(LIMIT);
              model.set(o, { state: "acquired", deliveries, untilMs: nowMs + 20, holder: one.holder });
            }
          }
          if (one.kind === "judge") {
            const first = startOf(window) + one.from;
            const last = first + one.size - 1;
            const { verdict, holder } = one;
            const untilMs = nowMs + 40;
            const result = judged(window, { first, last, verdict, holder, untilMs, gap: false }, LIMIT);
            const named = Array.from({ length: one.size }, (_, i) => first + i);
            const there = named.filter((o) => model.has(o));
            const mine = there.every((o) => model.get(o)?.state === "acquired" && model.get(o)?.holder === holder);
            expect(result.refused).toBe(!mine);
            const outside = result.outside.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i));
            expect(outside).toEqual(named.filter((o) => !model.has(o)));
            if (result.refused) expect(result.window).toBe(window);
            window = result.window;
            for (const o of mine ? there : []) {
              const old = model.get(o) as { deliveries: number; holder: string };
              const free = { deliveries: old.deliveries, untilMs: 0, holder: "" };
              if (verdict === "finish") model.delete(o);
              else if (verdict === "renew") model.set(o, { ...old, state: "acquired", untilMs });
              else if (verdict === "reject") model.set(o, { ...free, state: "rejected" });
              else model.set(o, { ...free, state: old.deliveries >= LIMIT ? "spent" : "available" });
            }
          }
          if (one.kind === "finish") {
            window = finished(window, [startOf(window) + one.at]);
            model.delete([...model.keys()].length === 0 ? -1 : Math.min(...model.keys()) + one.at);
          }
          if (one.kind === "trim") {
            const to = startOf(window) + one.at;
            window = trimmed(window, to);
            model = new Map([...model].filter(([o]) => o >= to));
          }
          expect(flat(window)).toEqual(new Map([...model].sort(([a], [b]) => a - b)));
          expect(startOf(window)).toBe(model.size === 0 ? window.end : Math.min(...model.keys()));
          expect(countOf(window, () => true)).toBe(model.size);
          const state: ShareState = { ...newShare("n", 1, 0, 0), window };
          expect(decodeShare(encodeShare(state, 1, [])).state).toEqual(state);
        }
      }),
      { numRuns: 300 },
    );
  });
});
