/** Sizes and orders as DynamoDB has them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Value } from "../../../lib/ports/index.ts";
import { compareText, itemSizeBytes, textBytes } from "../../../lib/ports/values.ts";

const KEY = { pk: "ab", sk: "c" };
/** Of the key: its attributes' names and values. */
const KEY_BYTES = 2 + 2 + 2 + 1;

const SIZES: readonly (readonly [string, Value, number])[] = [
  ["text in UTF-8", "aé€😀", 1 + 2 + 3 + 4],
  ["bytes", new Uint8Array(10), 10],
  ["a boolean", true, 1],
  ["zero", 0, 1],
  ["one digit", 7, 2],
  ["two digits", 42, 2],
  ["three digits", 123, 3],
  ["trailing zeros count nothing", 1_200_000, 2],
  ["leading zeros count nothing", 0.000_12, 2],
  ["a minus sign", -42, 3],
  ["sixteen digits", 9_007_199_254_740_991, 9],
  ["a list", [1, "ab"], 3 + (2 + 1) + (2 + 1)],
  ["a map", { k: new Uint8Array(4), kk: 1 }, 3 + (1 + 4 + 1) + (2 + 2 + 1)],
  ["nothing in a list", [], 3],
];

test.each(SIZES)("the size of an item with %s", (_, value, sizeBytes) => {
  expect(itemSizeBytes(KEY, { name: value }, undefined)).toBe(KEY_BYTES + 4 + sizeBytes);
});

test("an expiry is an attribute too", () => {
  // ttl, and ten digits.
  expect(itemSizeBytes(KEY, {}, 1_700_000_001)).toBe(KEY_BYTES + 3 + 6);
});

test("the order of texts is the order of their UTF-8 bytes", () => {
  const text = fc.string({ unit: "binary", maxLength: 8 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    {
      examples: [
        ["\uffee", "\u{1f600}"],
        ["a", "a\u{1f600}"],
        ["", "\0"],
      ],
    },
  );
});

test("bytes of a text are counted without encoding it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(textBytes(text)).toBe(Buffer.byteLength(text));
    }),
  );
});
