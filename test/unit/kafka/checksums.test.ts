import { crc32c as platformaticCrc32c, murmur2 as platformaticMurmur2 } from "@platformatic/kafka";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { xxh32 } from "../../../lib/kafka/codecs/xxh32.ts";
import { crc32c, murmur2, partitionOfKey } from "../../../lib/kafka/index.ts";
import { noise, utf8 } from "./support.ts";

describe("crc32c", () => {
  test.each([
    ["nothing", new Uint8Array(0), 0],
    ["123456789", utf8("123456789"), 0xe3069283],
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(255), 0x62a8ab43],
    ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ])("gives RFC 3720's value for %s", (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
  });

  test("agrees with another implementation at every length, in the short loop and in the long one", () => {
    for (let size = 0; size < 700; size++) {
      const bytes = noise(size, size + 1);
      expect(crc32c(bytes)).toBe(platformaticCrc32c(Buffer.from(bytes)));
    }
  });

  test("takes a part of the bytes, also of a view into a larger buffer", () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.nat(2000), fc.nat(64), (a, b, shift) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const view = noise(2100).subarray(shift);
        expect(crc32c(view, from, to)).toBe(platformaticCrc32c(Buffer.from(view.slice(from, to))));
      }),
    );
  });
});

describe("murmur2", () => {
  // From Kafka's own class.
  test.each([
    ["21", -973932308, 0, 0, 40],
    ["foobar", -790332482, 0, 6, 16],
    ["a-little-bit-long-string", -985981536, 2, 8, 12],
    ["a-little-bit-longer-string", -1486304829, 2, 11, 19],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971, 2, 5, 27],
    ["abc", 479470107, 0, 3, 7],
    ["", 275646681, 0, 9, 31],
    ["0", 971027396, 2, 8, 46],
    ["user-123", -1468255980, 2, 8, 18],
    ["日本", -700811021, 0, 3, 27],
  ])("hashes %j and places it as Kafka does", (key, hash, of3, of12, of50) => {
    expect(murmur2(utf8(key))).toBe(hash);
    expect([3, 12, 50].map((n) => partitionOfKey(utf8(key), n))).toEqual([of3, of12, of50]);
  });

  test("agrees with another implementation for any key", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (key) => {
        expect(murmur2(key) & 0x7fffffff).toBe(Number(platformaticMurmur2(Buffer.from(key))) & 0x7fffffff);
      }),
    );
  });
});

describe("xxh32", () => {
  test.each([
    ["", 0x02cc5d05],
    ["a", 0x550d7456],
    ["abc", 0x32d153ff],
    ["Nobody inspects the spammish repetition", 0xe2293b2f],
  ])("of %j is the published value", (text, hash) => {
    expect(xxh32(utf8(text))).toBe(hash);
  });
});
