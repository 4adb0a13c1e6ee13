import fc from "fast-check";
import { expect, test } from "vitest";
import { compareUlids, parseUlid, ulidFrom, ulidText, ulidTimeMs } from "../../../lib/base/ulid.ts";

const anyId = fc.uint8Array({ minLength: 16, maxLength: 16 });

test("the text of an id reads back as the id", () => {
  fc.assert(
    fc.property(anyId, (id) => {
      expect(parseUlid(ulidText(id))).toEqual(id);
    }),
  );
});

test("ids sort as bytes as they sort as text", () => {
  fc.assert(
    fc.property(anyId, anyId, (a, b) => {
      expect(Math.sign(compareUlids(a, b))).toBe(ulidText(a) < ulidText(b) ? -1 : ulidText(a) > ulidText(b) ? 1 : 0);
    }),
  );
});

test("an id keeps its time, and the specification's example reads as it should", () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat().map((n) => n % 2 ** 48),
      fc.uint8Array({ minLength: 10, maxLength: 10 }),
      (ms, low) => {
        expect(ulidTimeMs(ulidFrom(ms, low))).toBe(ms);
      },
    ),
  );
  expect(ulidTimeMs(parseUlid("01ARZ3NDEKTSV4RRFFQ69G5FAV") as Uint8Array)).toBe(1469922850259);
});

test("what is not an id is refused", () => {
  for (const text of [
    "",
    "01ARZ3NDEKTSV4RRFFQ69G5FA",
    "81ARZ3NDEKTSV4RRFFQ69G5FAV",
    "01ARZ3NDEKTSV4RRFFQ69G5FAU",
    "01ARZ3NDEKTSV4RRFFQ69G5FAé",
  ]) {
    expect(parseUlid(text)).toBeUndefined();
  }
});
