import { expect, test } from "vitest";
import { json, parseJson, text } from "../../../lib/client/index.ts";

test("JSON goes through bytes and back", () => {
  const value = { a: [1, "ü", null], b: { c: true } };
  expect(parseJson(new TextEncoder().encode(json(value)))).toEqual(value);
  expect(parseJson(null)).toBeNull();
});

test("what JSON cannot hold is refused", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  expect(() => json(undefined)).toThrow("cannot be JSON: it is undefined");
  expect(() => json(circular)).toThrow("cannot be JSON");
  expect(() => json(1n)).toThrow("cannot be JSON");
});

test("bytes that are not UTF-8 are not text", () => {
  expect(() => text(Uint8Array.of(0xff))).toThrow("not UTF-8");
  expect(text(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  expect(() => parseJson(new TextEncoder().encode("{"))).toThrow("not JSON");
});
