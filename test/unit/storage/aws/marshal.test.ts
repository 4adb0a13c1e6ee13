import fc from "fast-check";
import { expect, test } from "vitest";
import type { Value } from "../../../../lib/ports/index.ts";
import { cloneItem, equalValues } from "../../../../lib/ports/values.ts";
import { fromAttribute, fromStored, keyOf, toAttribute, toKey, toStored } from "../../../../lib/storage/aws/marshal.ts";

const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-120, max: 1e120 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e120, max: -1e-120 }),
);
const value = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: "grapheme" }),
    number,
    fc.boolean(),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string({ minLength: 1 }), tie("value"), { maxKeys: 4 }),
  ),
})).value;

test("every value comes back as it was", () => {
  fc.assert(
    fc.property(value, (given) => {
      expect(equalValues(fromAttribute(toAttribute(given)), cloneItem({ given })["given"] as Value)).toBe(true);
    }),
  );
});

test("a value has exactly one type in DynamoDB's own words", () => {
  expect(toAttribute({ s: "x", n: 1.5, t: true, b: new Uint8Array([1]), l: [-0, []], m: {} })).toEqual({
    M: {
      s: { S: "x" },
      n: { N: "1.5" },
      t: { BOOL: true },
      b: { B: new Uint8Array([1]) },
      l: { L: [{ N: "0" }, { L: [] }] },
      m: { M: {} },
    },
  });
});

test("numbers that DynamoDB writes out in full are the same numbers", () => {
  expect(fromAttribute({ N: `1${"0".repeat(100)}` })).toBe(1e100);
  expect(fromAttribute({ N: "-0.0000000015" })).toBe(-1.5e-9);
  expect(fromAttribute({ N: "9007199254740991" })).toBe(Number.MAX_SAFE_INTEGER);
});

test("an item's key and expiry are kept beside its attributes, and taken off again", () => {
  const key = { pk: "p", sk: "s" };
  const attributes = toStored(key, { item: { a: 1 }, expiresAtS: 1_790_000_000 });
  expect(attributes).toEqual({ ...toKey(key), a: { N: "1" }, ttl: { N: "1790000000" } });
  expect(keyOf(attributes)).toEqual(key);
  expect(fromStored(attributes)).toEqual({ item: { a: 1 }, expiresAtS: 1_790_000_000 });
  expect(fromStored(toStored(key, { item: {}, expiresAtS: undefined }))).toEqual({ item: {}, expiresAtS: undefined });
});

test("names that mean something in JavaScript are names like others", () => {
  const map = Object.fromEntries(["__proto__", "constructor", "toString"].map((name, i) => [name, i]));
  const back = fromAttribute(toAttribute(map)) as Record<string, Value>;
  expect(Object.entries(back)).toEqual(Object.entries(map));
});

test("a type that the table does not use is named", () => {
  expect(() => fromAttribute({ SS: ["a"] })).toThrow("SS");
});
