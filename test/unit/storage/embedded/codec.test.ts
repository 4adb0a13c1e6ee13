import fc from "fast-check";
import { expect, test } from "vitest";
import type { Value } from "../../../../lib/ports/index.ts";
import { ByteReader, ByteWriter, decodeItem, type Encodable } from "../../../../lib/storage/embedded/codec.ts";

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.string({ maxLength: 60 }),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 8 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 8, noNullPrototype: true }),
  ),
}));

function encode(one: Encodable): Uint8Array {
  const writer = new ByteWriter(1);
  writer.value(one);
  return writer.take();
}

test("every value is read back as it was, and nothing is left", () => {
  fc.assert(
    fc.property(value, (one) => {
      const reader = new ByteReader(encode(one as Encodable));
      expect(reader.value()).toEqual(one === 0 ? 0 : one);
      expect(reader.atEnd).toBe(true);
    }),
  );
});

test("any numbers, texts and bytes one after the other are read back", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: 2 ** 31 - 1 }), fc.maxSafeInteger(), fc.string({ unit: "binary" }), fc.uint8Array())),
      (entries) => {
        const writer = new ByteWriter(1);
        for (const [small, large, text, bytes] of entries) {
          writer.varint(small);
          writer.varint(Math.abs(large));
          writer.text(text);
          writer.bytes(bytes);
          writer.double(small / 3);
        }
        const reader = new ByteReader(writer.take());
        for (const [small, large, text, bytes] of entries) {
          expect([reader.varint(), reader.varint(), reader.text()]).toEqual([small, Math.abs(large), text]);
          expect(reader.view()).toEqual(bytes);
          expect(reader.double()).toBe(small / 3);
        }
        expect(reader.atEnd).toBe(true);
      },
    ),
  );
});

test("what is undefined in a map is left out", () => {
  expect(decodeItem(encode({ a: 1, b: undefined, c: { d: undefined } }))).toEqual({ a: 1, c: {} });
});

test("a copying reader keeps nothing of the buffer, another one shows it", () => {
  const bytes = encode([new Uint8Array([1, 2, 3])]);
  const [copied] = new ByteReader(bytes, { copy: true }).value() as Uint8Array[];
  const [shown] = new ByteReader(bytes).value() as Uint8Array[];
  bytes.fill(0);
  expect(copied).toEqual(new Uint8Array([1, 2, 3]));
  expect(shown).toEqual(new Uint8Array(3));
});

test("a writer that was rewound goes on from there", () => {
  const writer = new ByteWriter(1);
  writer.text("kept");
  const size = writer.sizeBytes;
  writer.value({ not: "kept" });
  writer.rewind(size);
  writer.varint(5);
  const reader = new ByteReader(writer.take());
  expect([reader.text(), reader.varint(), reader.atEnd]).toEqual(["kept", 5, true]);
  expect(writer.sizeBytes).toBe(0);
});

test("an unknown tag is an error, not a guess", () => {
  expect(() => new ByteReader(new Uint8Array([99])).value()).toThrow("unknown tag 99");
});

test("the bytes of a stored item stay what they are: a change needs a new format version", () => {
  const item = { n: 300, m: -1, f: 0.5, t: [new Uint8Array([7]), "é"], yes: true, no: false, o: { "": 2 ** 40 } };
  expect(Buffer.from(encode(item)).toString("hex")).toBe(
    "0807016e02ac02016d0300016604" +
      "3fe0000000000000" +
      "0174070206010705" +
      "02c3a9" +
      "0379657301026e6f00016f0801000280808080" +
      "8020",
  );
});
