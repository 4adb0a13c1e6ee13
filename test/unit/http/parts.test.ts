import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { decompressBody, decompressPieces } from "../../../lib/http/body.ts";
import { Budget } from "../../../lib/http/budget.ts";
import { isJson, JsonWriter } from "../../../lib/http/consume/writer.ts";
import { firstControl, wordsOf } from "../../../lib/http/json/control.ts";
import { DocumentSplitter } from "../../../lib/http/json/documents.ts";
import { chooseEncoding, chooseType } from "../../../lib/http/negotiate.ts";

describe("JSON that is written from bytes", () => {
  test("is read back as the same text, whatever is in it and however long it is", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme", maxLength: 200 }),
      fc.string({ maxLength: 200 }).map((part) => part.repeat(5)),
    );
    fc.assert(
      fc.property(fc.array(text), (texts) => {
        const out = new JsonWriter(16);
        for (const [i, one] of texts.entries()) {
          out.ascii(i === 0 ? "[" : ",");
          expect(out.utf8(Buffer.from(one))).toBe(true);
        }
        out.ascii(texts.length === 0 ? "[]" : "]");
        expect(JSON.parse(Buffer.from(out.take()).toString())).toEqual(texts.map((one) => Buffer.from(one).toString()));
      }),
    );
  });

  test("bytes that are not UTF-8 are not written as text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const out = new JsonWriter(16);
        const valid = Buffer.compare(Buffer.from(Buffer.from(bytes).toString("utf8")), Buffer.from(bytes)) === 0;
        expect(out.utf8(bytes)).toBe(valid);
        if (!valid) expect(out.sizeBytes).toBe(0);
      }),
    );
  });

  test("what is taken stays as it is when the writer goes on", () => {
    const out = new JsonWriter(16);
    out.ascii("first");
    const first = out.take();
    out.ascii("second!");
    expect(Buffer.from(first).toString()).toBe("first");
  });

  test("isJson agrees with JSON.parse", () => {
    const near = fc.oneof(
      fc.json(),
      fc.json().map((text) => text.slice(1)),
      fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', ",", ":", "1", "-", ".", "e", "t", "r", "u", " ", "\\", "\n") }),
      fc.constantFrom(
        "-0",
        "1e5",
        "1.",
        ".5",
        "01",
        "+1",
        "nul",
        "truex",
        '"\\u12g4"',
        "1 2",
        "",
        "[1,]",
        '{"a":1,}',
        "\ufeff1",
        "1E+2",
        "-",
      ),
    );
    fc.assert(
      fc.property(near, (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        expect(isJson(Buffer.from(text))).toBe(valid);
      }),
      { numRuns: 3000 },
    );
  });

  test("control characters are found wherever they are, whatever is around them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), fc.nat(8), fc.nat(95), fc.nat(95), (content, offset, a, b) => {
        const bytes = new Uint8Array(new ArrayBuffer(offset + content.length + (a % 5))).subarray(
          offset,
          offset + content.length,
        );
        bytes.set(content.map((byte) => (byte % 16 === 0 ? byte >> 3 : byte | 0x20)));
        const from = Math.min(a, bytes.length);
        const to = Math.max(from, Math.min(b, bytes.length));
        const expected = bytes.subarray(from, to).findIndex((byte) => byte < 0x20);
        expect(firstControl(bytes, wordsOf(bytes), from, to)).toBe(expected < 0 ? -1 : expected + from);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a stream of documents", () => {
  test("is split alike wherever it is cut", () => {
    const documents = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        documents,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        fc.constantFrom("", " ", "\n", "\r\n\t "),
        (values, cuts, gap) => {
          const bytes = Buffer.from(values.map((value) => JSON.stringify(value)).join(gap));
          const splitter = new DocumentSplitter(1_000_000);
          const found: unknown[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const end = at + (cuts[i % cuts.length] as number);
            for (const { bytes: one, position } of splitter.push(bytes.subarray(at, end))) {
              expect(Buffer.compare(one, bytes.subarray(position, position + one.byteLength))).toBe(0);
              found.push(JSON.parse(Buffer.from(one).toString()));
            }
            at = end;
          }
          splitter.end();
          expect(found).toEqual(JSON.parse(JSON.stringify(values)));
        },
      ),
    );
  });
});

describe("negotiation", () => {
  const types = ["application/json", "text/plain"];

  test.each([
    [undefined, "application/json"],
    ["text/*", "text/plain"],
    ["text/plain;q=0.2, application/json;q=0.1", "text/plain"],
    ["*/*;q=0.1, text/plain;q=0", "application/json"],
    ["nonsense, ;;, text/plain", "text/plain"],
    ["application/json;q=x, text/plain;q=0.1", "text/plain"],
  ])("Accept: %s chooses %s", (accept, type) => {
    expect(chooseType(accept, types)).toBe(type);
  });

  test("nothing that fits is not acceptable", () => {
    expect(() => chooseType("image/*", types)).toThrow(/there is application\/json, text\/plain/);
    expect(() => chooseType("*/*;q=0", types)).toThrow();
  });

  test.each([
    [undefined, undefined],
    ["", undefined],
    ["identity", undefined],
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["GZIP;q=1.0, zstd;q=0", "gzip"],
    ["*;q=0.5, gzip;q=0", "zstd"],
    ["*;q=0", undefined],
  ])("Accept-Encoding: %s chooses %s", (accept, encoding) => {
    expect(chooseEncoding(accept)).toBe(encoding);
  });
});

describe("compressed bodies", () => {
  const frames = (parts: readonly Uint8Array[], encoding: "gzip" | "zstd") =>
    Buffer.concat(parts.map((part) => (encoding === "gzip" ? gzipSync(part) : zstdCompressSync(part))));

  test("are undone whole and in pieces, however many frames they are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom("gzip" as const, "zstd" as const),
        fc.integer({ min: 1, max: 60 }),
        async (parts, encoding, size) => {
          const sent = frames(parts, encoding);
          const expected = Buffer.concat(parts);
          expect(Buffer.compare(await decompressBody(sent, encoding, 10_000), expected)).toBe(0);
          async function* pieces(): AsyncGenerator<Uint8Array> {
            for (let at = 0; at < sent.length; at += size) yield sent.subarray(at, at + size);
          }
          const got: Uint8Array[] = [];
          for await (const piece of decompressPieces(pieces(), encoding)) got.push(piece);
          expect(Buffer.compare(Buffer.concat(got), expected)).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  test.each(["gzip", "zstd"] as const)("a bomb in %s stops at the limit, in the last frame too", async (encoding) => {
    const bomb = frames([Buffer.alloc(600), Buffer.alloc(600)], encoding);
    expect((await decompressBody(bomb, encoding, 1200)).byteLength).toBe(1200);
    await expect(decompressBody(bomb, encoding, 1199)).rejects.toMatchObject({ code: "request_too_large" });
    await expect(decompressBody(frames([Buffer.alloc(50_000_000)], encoding), encoding, 1_000_000)).rejects.toMatchObject({
      code: "request_too_large",
    });
  });

  test("a source that fails says why, not that the encoding is wrong", async () => {
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield gzipSync(Buffer.alloc(100)).subarray(0, 10);
      throw new BrokerlessError("timeout", "gone");
    }
    const read = async () => {
      for await (const _ of decompressPieces(pieces(), "gzip"));
    };
    await expect(read()).rejects.toMatchObject({ code: "timeout", message: "gone" });
  });
});

test("the budget of bytes in flight is given back whole", () => {
  const budget = new Budget(100);
  budget.take(60);
  expect(() => budget.take(41)).toThrow(/holds 60 bytes of requests and takes at most 100; this one would add 41/);
  budget.give(60);
  budget.take(100);
  budget.give(100);
  expect(budget.heldBytes).toBe(0);
});
