import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createRecordsBatch, Reader, readRecordsBatch } from "@platformatic/kafka";
import fc from "fast-check";
import snappyjs from "snappyjs";
import { describe, expect, test } from "vitest";
import type { BrokerlessError } from "../../../lib/base/errors.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { portableCodecs } from "../../../lib/kafka/codecs/portable.ts";
import { xxh32 } from "../../../lib/kafka/codecs/xxh32.ts";
import { BATCH_OVERHEAD_BYTES } from "../../../lib/kafka/index.ts";
import { fromHex, noise, utf8 } from "./support.ts";

const NAMES = ["gzip", "snappy", "lz4", "zstd"] as const;
const PLENTY = 1 << 26;
const text = utf8("the same again, ".repeat(20_000));

/** Of many sizes and kinds, around the sizes of blocks (32 and 64 KB) too. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(fc.nat(140_000), fc.integer(), fc.integer({ min: 1, max: 255 }))
    .map(([size, seed, mask]) => noise(size, seed).map((b) => b & mask)),
  fc
    .tuple(fc.constantFrom(0, 1, 12, 13, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 131_072), fc.boolean())
    .map(([size, random]) => (random ? noise(size) : new Uint8Array(size).fill(7))),
);

function errorOf(work: () => unknown): BrokerlessError {
  try {
    work();
  } catch (error) {
    return error as BrokerlessError;
  }
  throw new Error("nothing was thrown");
}

describe.each(NAMES)("%s", (name) => {
  const codec = nodeCodecs[name];

  test("gives back what was compressed, when that is exactly the limit", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const packed = codec.compress(bytes);
        expect(Buffer.compare(codec.decompress(packed, bytes.byteLength), bytes)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("compresses what repeats", () => {
    expect(codec.compress(text).byteLength).toBeLessThan(text.byteLength / 20);
  });

  test("refuses to decompress one byte more than the limit", () => {
    const packed = codec.compress(text);
    expect(errorOf(() => codec.decompress(packed, text.byteLength - 1))).toMatchObject({
      code: "record_too_large",
      message: `decompresses to more than ${text.byteLength - 1} bytes`,
    });
    expect(errorOf(() => codec.decompress(packed, 0)).code).toBe("record_too_large");
  });

  test("refuses a bomb without holding it in memory", () => {
    const packed = codec.compress(new Uint8Array(64 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 20; i++) expect(errorOf(() => codec.decompress(packed, 1 << 20)).code).toBe("record_too_large");
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * 1024 * 1024);
  });

  test("says corrupt_record for what is cut, at every length", () => {
    const packed = codec.compress(utf8("some text, some text, some more text"));
    for (let size = 0; size < packed.byteLength; size++) {
      const cut = packed.subarray(0, size);
      // A frame of snappy that ends after a block, or before the first, is whole.
      if (name === "snappy" && size === 16) continue;
      expect(errorOf(() => codec.decompress(cut, PLENTY)).code, `${size} bytes`).toBe("corrupt_record");
    }
  });

  test("takes bytes that were changed, or says corrupt_record or record_too_large, and soon", () => {
    const packed = codec.compress(noise(3000).map((byte, i) => (i % 500 < 300 ? 65 + (i % 7) : byte)));
    const start = performance.now();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(packed.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = packed.slice();
        for (const [at, value] of changes) bytes[at] = value;
        expectTakenOrRefused(() => codec.decompress(bytes, 1 << 20));
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expectTakenOrRefused(() => codec.decompress(bytes, 1 << 20));
      }),
      { numRuns: 1000 },
    );
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});

function expectTakenOrRefused(work: () => Uint8Array): void {
  try {
    expect(work().byteLength).toBeLessThanOrEqual(1 << 20);
  } catch (error) {
    expect(["corrupt_record", "record_too_large"]).toContain((error as BrokerlessError).code);
  }
}

describe("snappy", () => {
  const { snappy } = portableCodecs;
  const sample = utf8("snappy snappy snappy snappy");

  test("is read as one bare block too, as librdkafka and sarama write it", () => {
    expect(snappy.decompress(snappyjs.compress(sample), PLENTY)).toEqual(sample);
    const large = noise(200_000).map((byte) => byte & 3);
    expect(Buffer.compare(snappy.decompress(snappyjs.compress(large), PLENTY), large)).toBe(0);
  });

  test("is written in Java's frame: magic, version 1, blocks of at most 32 KB", () => {
    const packed = snappy.compress(noise(70_000));
    expect([...packed.subarray(0, 16)]).toEqual([...fromHex("82534e41505059000000000100000001")]);
    const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    let blocks = 0;
    for (let at = 16; at < packed.byteLength; at += 4 + view.getInt32(at)) blocks++;
    expect(blocks).toBe(3);
  });

  test("reads copies of all three kinds, and literals with lengths of one to four bytes", () => {
    // Length 12; literal "abcd"; copies of 4 bytes, 4 back, with an offset of 1 byte, of 2, of 4.
    expect(snappy.decompress(fromHex("10" + "0c61626364" + "0104" + "0e0400" + "0f04000000"), PLENTY)).toEqual(
      utf8("abcd".repeat(4)),
    );
    for (const literal of ["f003", "f40300", "f8030000", "fc03000000"]) {
      expect(snappy.decompress(fromHex(`04${literal}61626364`), PLENTY)).toEqual(utf8("abcd"));
    }
  });

  test.each([
    ["a literal with a negative length, which sends snappyjs round in circles", `ff01fcf0ffffff${"00".repeat(30)}`],
    ["a copy from before the beginning", "080c61626364" + "0105"],
    ["a copy with distance 0", "080c61626364" + "0100"],
    ["more than it says", "040c61626364" + "0104"],
    ["less than it says", "090c61626364" + "0104"],
    ["a length that its bytes cannot give", "ffffff7f00"],
    ["a length of more than five bytes", "ffffffffff01"],
    ["a frame with a block beyond its end", "82534e41505059000000000100000001" + "7fffffff" + "00"],
  ])("refuses %s", (_, hex) => {
    expect(errorOf(() => snappy.decompress(fromHex(hex), PLENTY)).code).toBe("corrupt_record");
  });
});

describe("lz4", () => {
  const { lz4 } = portableCodecs;

  /** A frame of one block with these flags; the sums are right unless given. */
  function frame(
    flags: number,
    block: string,
    more: { size?: string; blockSum?: string; contentSum?: string; sizeId?: number } = {},
  ) {
    const descriptor = fromHex(`${flags.toString(16).padStart(2, "0")}${more.sizeId ?? 4}0${more.size ?? ""}`);
    const sum = ((xxh32(descriptor) >>> 8) & 255).toString(16).padStart(2, "0");
    const word = (n: number) => Buffer.from(new Uint32Array([n]).buffer).toString("hex");
    const length = word(block.length / 2);
    const hex = Buffer.from(descriptor).toString("hex");
    return fromHex(`04224d18${hex}${sum}${length}${block}${more.blockSum ?? ""}00000000${more.contentSum ?? ""}`);
  }
  const word = (n: number) => Buffer.from(new Uint32Array([n]).buffer).toString("hex");
  /** "abcd" four times: a literal, a match of 7 at distance 4, five literals. */
  const block = "4361626364" + "0400" + "50" + "6461626364";
  const content = utf8("abcd".repeat(4));

  test("is read with content size, block checksums and content checksum", () => {
    expect(lz4.decompress(frame(0x60, block), PLENTY)).toEqual(content);
    expect(lz4.decompress(frame(0x68, block, { size: "1000000000000000" }), PLENTY)).toEqual(content);
    expect(lz4.decompress(frame(0x70, block, { blockSum: word(xxh32(fromHex(block))) }), PLENTY)).toEqual(content);
    expect(lz4.decompress(frame(0x64, block, { contentSum: word(xxh32(content)) }), PLENTY)).toEqual(content);
  });

  test.each([
    ["another version", frame(0xa0, block), "version 2"],
    ["linked blocks", frame(0x40, block), "linked blocks"],
    ["a dictionary", frame(0x61, block, { size: "00000000" }), "dictionary"],
    ["an unknown block size", frame(0x60, block, { sizeId: 3 }), "block size id 3"],
    ["a wrong content size", frame(0x68, block, { size: "1100000000000000" }), "content size"],
    ["a wrong block checksum", frame(0x70, block, { blockSum: "00000000" }), "checksum of an lz4 block"],
    ["a wrong content checksum", frame(0x64, block, { contentSum: "00000000" }), "content checksum"],
    ["a match from before its block", frame(0x60, "4361626364" + "0500" + "50" + "6461626364"), "before its block"],
    ["a match with distance 0", frame(0x60, "4361626364" + "0000" + "50" + "6461626364"), "before its block"],
    ["a block that ends in a match", frame(0x60, "4361626364" + "0400"), "block is cut"],
    ["a block larger than its frame allows", frame(0x60, `1f610100${"ff".repeat(300)}001061`), "its frame allows 65536"],
    ["bytes after its end", new Uint8Array([...frame(0x60, block), 0]), "1 bytes follow"],
    ["no frame at all", utf8("this is text, not lz4"), "not an lz4 frame"],
  ])("refuses %s", (_, bytes, message) => {
    expect(errorOf(() => lz4.decompress(bytes, PLENTY))).toMatchObject({
      code: "corrupt_record",
      message: expect.stringContaining(message),
    });
  });

  test("stores a block that does not get smaller", () => {
    const random = noise(70_000);
    expect(lz4.compress(random).byteLength).toBe(7 + 4 + 65_536 + 4 + (70_000 - 65_536) + 4);
  });

  test.each(["lz4", "snappy"] as const)("and snappy: large values go to and from another implementation (%s)", (compression) => {
    const value = noise(300_000).map((byte, i) => (i % 1000 < 500 ? 32 + (i % 50) : byte & 15));
    const batch = createRecordsBatch(
      [{ topic: "t", value: Buffer.from(value), timestamp: 0n }] as Parameters<typeof createRecordsBatch>[0],
      { compression },
    );
    const theirs = new Uint8Array(batch.buffer).subarray(BATCH_OVERHEAD_BYTES);
    const plainRecords = nodeCodecs[compression].decompress(theirs, PLENTY);
    expect(Buffer.from(plainRecords).includes(Buffer.from(value))).toBe(true);
    const ours = Buffer.concat([batch.buffer.subarray(0, BATCH_OVERHEAD_BYTES), nodeCodecs[compression].compress(plainRecords)]);
    ours.writeInt32BE(ours.byteLength - 12, 8);
    expect(readRecordsBatch(Reader.from(ours)).records[0]?.value?.equals(Buffer.from(value))).toBe(true);
  });
});

test("only codecs/node.ts imports anything of Node: the rest runs in a browser", () => {
  const root = join(import.meta.dirname, "../../../lib/kafka");
  const seen = new Set<string>();
  const imported = new Set<string>();
  const follow = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, from] of readFileSync(file, "utf8").matchAll(/from "([^"]+)"/g)) {
      if (from?.startsWith(".")) follow(join(dirname(file), from));
      else imported.add(from as string);
    }
  };
  follow(join(root, "index.ts"));
  follow(join(root, "codecs/portable.ts"));
  for (const file of ["apis.ts", "consumer-offsets.ts", "messages.ts"]) follow(join(root, "protocol", file));
  expect([...imported]).toEqual(["snappyjs"]);
  const all = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".d.ts"),
  );
  const unreached = all.map((file) => join(root, file)).filter((file) => !seen.has(file));
  expect(unreached).toEqual([join(root, "codecs/node.ts")]);
});
