import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lineRecord } from "../../../lib/cli/input/line-record.ts";
import { linesOf } from "../../../lib/cli/input/pieces.ts";
import { untilAborted } from "../../../lib/cli/input/sources.ts";

async function* chunks(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) return;
    yield new Uint8Array(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.length) yield new Uint8Array(bytes.subarray(at));
}

async function linesIn(text: string, delimiter: string, sizes: readonly number[] = []): Promise<string[]> {
  const found: string[] = [];
  for await (const some of linesOf(chunks(Buffer.from(text), sizes), Buffer.from(delimiter))) {
    found.push(...some.map((line) => Buffer.from(line).toString()));
  }
  return found;
}

describe("lines", () => {
  test("a last line without a delimiter counts, an empty rest does not, empty lines between do", async () => {
    expect(await linesIn("a\n\nb", "\n")).toEqual(["a", "", "b"]);
    expect(await linesIn("a\nb\n", "\n")).toEqual(["a", "b"]);
    expect(await linesIn("", "\n")).toEqual([]);
    expect(await linesIn("\n", "\n")).toEqual([""]);
  });

  test("are the same however the input arrives", async () => {
    const input = fc
      .array(fc.constantFrom("a", "bc", "\n", "\r\n", "::", ":", "ü"), { maxLength: 40 })
      .map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(
        input,
        fc.constantFrom("\n", "::", "\r\n"),
        fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 60 }),
        async (text, delimiter, sizes) => {
          const wanted = text.split(delimiter);
          if (wanted.at(-1) === "") wanted.pop();
          expect(await linesIn(text, delimiter, sizes)).toEqual(wanted);
        },
      ),
    );
  });
});

describe("a line", () => {
  const options = { keyDelimiter: Buffer.from(":"), key: undefined, emptyIsNull: false };
  const read = (line: string, more: object = {}) => {
    const { key, value } = lineRecord(Buffer.from(line), { ...options, ...more });
    return [key, value].map((part) => (part === null ? null : Buffer.from(part as string).toString()));
  };

  test("is cut at the first key delimiter", () => {
    expect(read("a:b:c")).toEqual(["a", "b:c"]);
    expect(read(":v")).toEqual(["", "v"]);
    expect(read("k:")).toEqual(["k", ""]);
  });

  test("without one has no key, or the key that all have", () => {
    expect(read("abc")).toEqual([null, "abc"]);
    expect(read("abc", { key: "all" })).toEqual(["all", "abc"]);
    expect(read("a:b", { key: "all" })).toEqual(["a", "b"]);
  });

  test("has nulls in place of nothing where that is asked for", () => {
    expect(read("k:", { emptyIsNull: true })).toEqual(["k", null]);
    expect(read(":v", { emptyIsNull: true })).toEqual([null, "v"]);
    expect(read("", { emptyIsNull: true })).toEqual([null, null]);
  });
});

test("an input that never ends is left when the signal aborts", async () => {
  const stop = new AbortController();
  async function* endless(): AsyncGenerator<number> {
    yield 1;
    yield 2;
    await new Promise(() => {});
  }
  const seen: number[] = [];
  setTimeout(() => stop.abort(), 20);
  for await (const one of untilAborted(endless(), stop.signal)) seen.push(one);
  expect(seen).toEqual([1, 2]);
});
