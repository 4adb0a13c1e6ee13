import { describe, expect, test } from "vitest";
import { offsetRange } from "../../../lib/cli/values/offset-spec.ts";
import { configs, delimiter, headers, partitions, unescapeBytes, whole } from "../../../lib/cli/values/parsers.ts";

describe("-o", () => {
  test.each([
    ["beginning", { from: { kind: "earliest" } }],
    ["earliest", { from: { kind: "earliest" } }],
    ["end", { from: { kind: "latest" } }],
    ["0", { from: { kind: "offset", offset: 0 } }],
    ["9007199254740991", { from: { kind: "offset", offset: 9007199254740991 } }],
    ["-25", { from: { kind: "last", records: 25 } }],
    ["s@1700000000000", { from: { kind: "since", timestampMs: 1_700_000_000_000 } }],
    ["s@2026-01-31T00:00:00Z", { from: { kind: "since", timestampMs: Date.UTC(2026, 0, 31) } }],
    ["s@2026-01-31T12:00:00.5+01:00", { from: { kind: "since", timestampMs: Date.UTC(2026, 0, 31, 11, 0, 0, 500) } }],
    ["s@2026-01-31", { from: { kind: "since", timestampMs: Date.UTC(2026, 0, 31) } }],
    ["e@5", { untilMs: 5 }],
  ])("%s", (text, meaning) => {
    expect(offsetRange(text)).toEqual(meaning);
  });

  test("a beginning and an end go together, two of one kind do not", () => {
    expect(offsetRange("e@9", offsetRange("s@5"))).toEqual({ from: { kind: "since", timestampMs: 5 }, untilMs: 9 });
    expect(offsetRange("7", offsetRange("e@9"))).toEqual({ from: { kind: "offset", offset: 7 }, untilMs: 9 });
    expect(() => offsetRange("7", offsetRange("end"))).toThrow("The beginning is given twice.");
    expect(() => offsetRange("e@7", offsetRange("e@5"))).toThrow("The end is given twice.");
  });

  test.each([
    "",
    "start",
    "+5",
    "1.5",
    "--5",
    "s@",
    "s@yesterday",
    "s@2026-13-01",
    "s@2026-01-31T00:00:00",
    "e@-5",
    "1e3",
    "0x10",
    "5 ",
  ])("%j is refused", (text) => {
    expect(() => offsetRange(text)).toThrow(/must be|A time is/);
  });

  test("stored says why not", () => {
    expect(() => offsetRange("stored")).toThrow("consumer group");
  });
});

describe("numbers", () => {
  test("are whole, in their range, and written as such", () => {
    expect(whole(1, 10)("10")).toBe(10);
    expect(whole(-1, 3)("-1")).toBe(-1);
    for (const text of ["0", "11", "1.0", "1e1", "", " 1", "abc", "99999999999999999999"])
      expect(() => whole(1, 10)(text)).toThrow("whole number from 1 to 10");
  });

  test("of partitions come repeated and with commas, each once", () => {
    expect(partitions("0,2", partitions("2,5"))).toEqual([2, 5, 0]);
    expect(() => partitions("0,,2")).toThrow("whole number");
    expect(() => partitions("-1")).toThrow("whole number");
  });
});

describe("name=value", () => {
  test("a config is given once, and its value may hold =", () => {
    expect(configs("a=b=c", configs("x=1"))).toEqual({ x: "1", a: "b=c" });
    expect(configs("a=")).toEqual({ a: "" });
    expect(() => configs("x=2", configs("x=1"))).toThrow("x is given twice");
    for (const text of ["a", "=b", ""]) expect(() => configs(text)).toThrow("name=value");
  });

  test("a header may come again, and without = it is null", () => {
    expect(headers("a", headers("a=1"))).toEqual([
      { key: "a", value: "1" },
      { key: "a", value: null },
    ]);
    for (const text of ["", "=b"]) expect(() => headers(text)).toThrow("name=value");
  });
});

describe("escapes", () => {
  test("stand for bytes", () => {
    expect([...unescapeBytes("a\\n\\t\\r\\0\\\\\\xFFü")]).toEqual([97, 10, 9, 13, 0, 92, 255, 0xc3, 0xbc]);
  });

  test("that are none are refused, and so is an empty delimiter", () => {
    for (const text of ["\\q", "\\", "\\x1", "\\xZZ"]) expect(() => unescapeBytes(text)).toThrow("is no escape");
    expect(() => delimiter("")).toThrow("not be empty");
  });
});
