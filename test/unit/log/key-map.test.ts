import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyMap } from "../../../lib/log/jobs/compact/key-map.ts";
import { systemDigest } from "../../../lib/storage/system/digest.ts";

const text = new TextEncoder();

test("a map of keys knows the latest offset of each, and of no other, as a Map does", () => {
  // Keys that differ in one place only, short and long, and keys that are others' beginnings.
  const key = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(fc.nat({ max: 39 }), fc.nat({ max: 3 }), fc.nat({ max: 40 })).map(([at, value, size]) => {
      const bytes = new Uint8Array(size);
      if (at < size) bytes[at] = value;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 500 }), fc.array(key, { maxLength: 100 }), (keys, others) => {
      const map = new KeyMap(2 ** 20, keys.length, systemDigest);
      const truth = new Map<string, number>();
      for (const [offset, one] of keys.entries()) {
        map.set(one, offset);
        truth.set(one.toString(), offset);
      }
      expect(map.count).toBe(truth.size);
      for (const one of [...keys, ...others]) expect(map.get(one)).toBe(truth.get(one.toString()) ?? -1);
    }),
    { numRuns: 200 },
  );
});

test("a map of keys fits into its memory, and says how much room is left", () => {
  const map = new KeyMap(24 * 1000, 1e9, systemDigest);
  expect(map.room).toBe(750);
  for (let i = 0; i < 750; i++) map.set(text.encode(`key ${i}`), i);
  for (let i = 0; i < 750; i++) map.set(text.encode(`key ${i}`), 1000 + i);
  expect(map.room).toBe(0);
  for (let i = 0; i < 750; i++) expect(map.get(text.encode(`key ${i}`))).toBe(1000 + i);
  expect(map.get(text.encode("key 750"))).toBe(-1);
});
