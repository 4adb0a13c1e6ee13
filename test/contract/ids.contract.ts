/** Every promise of `lib/ports/ids.ts`. */
import { describe, expect, test } from "vitest";
import { compareUlids, ulidFrom, ulidText, ulidTimeMs } from "../../lib/base/ulid.ts";
import type { Clock, Ids } from "../../lib/ports/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";

export function idsContract(make: (clock: Clock) => Ids): void {
  describe("ids", () => {
    /** Ids by a clock that a test sets. */
    function at(startMs: number): { readonly ids: Ids; setMs(ms: number): void } {
      let nowMs = startMs;
      const ids = make({ ...systemClock, nowMs: () => nowMs });
      return {
        ids,
        setMs: (ms) => {
          nowMs = ms;
        },
      };
    }
    const NOW_MS = 1_790_000_000_000;

    test("a ULID is 16 bytes and carries the time of the clock", () => {
      const { ids } = at(NOW_MS);
      const id = ids.ulid();
      expect(id.byteLength).toBe(16);
      expect(ulidTimeMs(id)).toBe(NOW_MS);
    });

    test("every ULID is above the ones before it, within a millisecond and when the clock goes back", () => {
      const { ids, setMs } = at(NOW_MS);
      let last = ids.ulid();
      for (let i = 0; i < 5000; i++) {
        if (i === 2000) setMs(NOW_MS - 3_600_000);
        if (i === 4000) setMs(NOW_MS + 5);
        const next = ids.ulid();
        expect(compareUlids(next, last)).toBeGreaterThan(0);
        last = next;
      }
    });

    test("a ULID is above the one that it was asked to be above, and so are all after it", () => {
      const { ids } = at(NOW_MS);
      ids.ulid();
      const floor = ulidFrom(NOW_MS + 86_400_000, new Uint8Array(10).fill(7));
      const first = ids.ulid(floor);
      expect(compareUlids(first, floor)).toBeGreaterThan(0);
      expect(compareUlids(ids.ulid(), first)).toBeGreaterThan(0);
      expect(compareUlids(ids.ulid(floor), first)).toBeGreaterThan(0);
    });

    test("a floor in the past changes nothing", () => {
      const { ids } = at(NOW_MS);
      expect(ulidTimeMs(ids.ulid(ulidFrom(NOW_MS - 1000, new Uint8Array(10).fill(255))))).toBe(NOW_MS);
    });

    test("there is an id above a floor whose low bits are all ones", () => {
      const { ids } = at(NOW_MS);
      for (const timeMs of [NOW_MS, NOW_MS + 1, NOW_MS + 256 ** 3 - 1]) {
        const floor = ulidFrom(timeMs, new Uint8Array(10).fill(255));
        expect(compareUlids(ids.ulid(floor), floor)).toBeGreaterThan(0);
      }
    });

    test("the bytes of an id belong to the caller", () => {
      const { ids } = at(NOW_MS);
      const first = ids.ulid();
      const kept = first.slice();
      first.fill(255);
      const next = ids.ulid();
      expect(ulidTimeMs(next)).toBe(NOW_MS);
      expect(compareUlids(next, kept)).toBeGreaterThan(0);
    });

    test("processes with the same clock and the same floor mint different ids", () => {
      const floor = ulidFrom(NOW_MS + 5000, new Uint8Array(10).fill(1));
      const minted = new Set<string>();
      for (let process = 0; process < 50; process++) {
        const { ids } = at(NOW_MS);
        for (let i = 0; i < 20; i++) minted.add(ulidText(ids.ulid()));
        for (let i = 0; i < 20; i++) minted.add(ulidText(ids.ulid(floor)));
      }
      expect(minted.size).toBe(2000);
    });

    test("topic ids are 22 characters of base64url, 128 bits, not beginning with a dash", () => {
      const { ids } = at(NOW_MS);
      const seen = new Set<string>();
      for (let i = 0; i < 3000; i++) {
        const id = ids.topicId();
        expect(id).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
        expect(Buffer.from(id, "base64url").byteLength).toBe(16);
        expect(Buffer.from(id, "base64url").toString("base64url")).toBe(id);
        seen.add(id);
      }
      expect(seen.size).toBe(3000);
    });

    test("UUIDs are random, and random numbers lie from 0 up to 1", () => {
      const { ids } = at(NOW_MS);
      const seen = new Set<string>();
      for (let i = 0; i < 500; i++) {
        const uuid = ids.uuid();
        expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        seen.add(uuid);
        const number = ids.random();
        expect(number).toBeGreaterThanOrEqual(0);
        expect(number).toBeLessThan(1);
        seen.add(String(number));
      }
      expect(seen.size).toBeGreaterThan(990);
    });

    test("secrets have the size that is asked for, and every bit of them varies", () => {
      const { ids } = at(NOW_MS);
      const ones = new Uint8Array(20);
      const zeros = new Uint8Array(20);
      for (let i = 0; i < 200; i++) {
        const secret = ids.secret(20);
        expect(secret.byteLength).toBe(20);
        for (const [at, byte] of secret.entries()) {
          ones[at] = (ones[at] as number) | byte;
          zeros[at] = (zeros[at] as number) | ~byte;
        }
      }
      expect([...ones, ...zeros].every((bits) => bits === 255)).toBe(true);
    });
  });
}
