/** Every promise of `lib/ports/doorbell.ts`. Times are real and generous: a doorbell is a hint, not a timer. */
import { describe, expect, test } from "vitest";
import type { Clock, Doorbell } from "../../lib/ports/index.ts";

export function doorbellContract(make: () => { readonly doorbell: Doorbell; readonly clock: Clock }): void {
  describe("doorbell", () => {
    const LONG_MS = 20_000;
    const SOON_MS = 5000;

    async function tookMs(clock: Clock, waiting: Promise<void>): Promise<number> {
      const beganMs = clock.monotonicMs();
      await waiting;
      return clock.monotonicMs() - beganMs;
    }

    test("a ring wakes whoever waits for its partition, long before the deadline", async () => {
      const { doorbell, clock } = make();
      const until = clock.monotonicMs() + LONG_MS;
      const waiting = [doorbell.wait(["a#0", "b#1"], until), doorbell.wait(["b#1"], until), doorbell.wait(["b#1", "b#1"], until)];
      setTimeout(() => doorbell.ring("b#1"), 10);
      expect(
        await tookMs(
          clock,
          Promise.all(waiting).then(() => undefined),
        ),
      ).toBeLessThan(SOON_MS);
    });

    test("a ring right after the call is never missed", async () => {
      const { doorbell, clock } = make();
      const waiting = doorbell.wait(["a#0"], clock.monotonicMs() + LONG_MS);
      doorbell.ring("a#0");
      expect(await tookMs(clock, waiting)).toBeLessThan(SOON_MS);
    });

    test("a wait ends at its deadline, and one that is over ends at once", async () => {
      const { doorbell, clock } = make();
      expect(await tookMs(clock, doorbell.wait(["a#0"], clock.monotonicMs() + 30))).toBeLessThan(SOON_MS);
      expect(await tookMs(clock, doorbell.wait(["a#0"], clock.monotonicMs() - 1))).toBeLessThan(SOON_MS);
      expect(await tookMs(clock, doorbell.wait([], clock.monotonicMs() + 30))).toBeLessThan(SOON_MS);
    });

    test("a wait ends when its signal aborts, without an error", async () => {
      const { doorbell, clock } = make();
      const stop = new AbortController();
      const waiting = doorbell.wait(["a#0"], clock.monotonicMs() + LONG_MS, stop.signal);
      setTimeout(() => stop.abort(new Error("stopped")), 10);
      expect(await tookMs(clock, waiting)).toBeLessThan(SOON_MS);
      expect(await tookMs(clock, doorbell.wait(["a#0"], clock.monotonicMs() + LONG_MS, stop.signal))).toBeLessThan(SOON_MS);
    });

    test("a ring for nobody does nothing, and a later wait works as ever", async () => {
      const { doorbell, clock } = make();
      doorbell.ring("a#0");
      for (let i = 0; i < 3; i++) {
        const waiting = doorbell.wait(["a#0"], clock.monotonicMs() + LONG_MS);
        doorbell.ring("other#0");
        doorbell.ring("a#0");
        doorbell.ring("a#0");
        expect(await tookMs(clock, waiting)).toBeLessThan(SOON_MS);
      }
    });

    test("a thousand waits are woken by one ring", async () => {
      const { doorbell, clock } = make();
      const until = clock.monotonicMs() + LONG_MS;
      const waiting = Array.from({ length: 1000 }, (_, i) => doorbell.wait(["hot#0", `cold#${i}`], until));
      doorbell.ring("hot#0");
      expect(
        await tookMs(
          clock,
          Promise.all(waiting).then(() => undefined),
        ),
      ).toBeLessThan(SOON_MS);
    });
  });
}
