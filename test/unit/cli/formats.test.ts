import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteBuilder } from "../../../lib/cli/format/byte-builder.ts";
import { jsonLine } from "../../../lib/cli/format/json-lines.ts";
import { compileFormat, plainFormat } from "../../../lib/cli/format/kcat.ts";
import type { FormattedRecord, RecordFormat } from "../../../lib/cli/format/types.ts";
import { parseJsonRecord } from "../../../lib/cli/input/json-record.ts";

const utf8 = new TextEncoder();

function record(more: Partial<FormattedRecord> = {}): FormattedRecord {
  return {
    topic: "clicks",
    partition: 3,
    offset: 42,
    timestampMs: 1_700_000_000_000,
    timestampType: "CreateTime",
    key: utf8.encode("ada"),
    value: utf8.encode("hëllo"),
    headers: [
      { key: "a", value: utf8.encode("1") },
      { key: "b", value: null },
    ],
    ...more,
  };
}

function formatted(format: RecordFormat, one: FormattedRecord): string {
  const out = new ByteBuilder();
  format(out, one);
  return Buffer.from(out.take()).toString("latin1");
}

describe("-f", () => {
  const nulls = { showNulls: false };
  test("knows kcat's tokens", () => {
    const format = compileFormat("%t [%p] at %o: %k(%K)=%s(%S) %T %h 100%%\\n", nulls);
    expect(formatted(format, record())).toBe(
      Buffer.from("clicks [3] at 42: ada(3)=hëllo(6) 1700000000000 a=1,b= 100%\n").toString("latin1"),
    );
  });

  test("prints nulls as nothing and -1, and as NULL when asked", () => {
    const one = record({ key: null, value: null });
    expect(formatted(compileFormat("%k|%K|%s|%S|%h", nulls), one)).toBe("|-1||-1|a=1,b=");
    expect(formatted(compileFormat("%k|%s|%h", { showNulls: true }), one)).toBe("NULL|NULL|a=1,b=NULL");
  });

  test("%R frames a value by its size in binary", () => {
    expect([...Buffer.from(formatted(compileFormat("%R%s", nulls), record({ value: Uint8Array.of(0, 255) })), "latin1")]).toEqual(
      [0, 0, 0, 2, 0, 255],
    );
    expect([...Buffer.from(formatted(compileFormat("%R", nulls), record({ value: null })), "latin1")]).toEqual([
      255, 255, 255, 255,
    ]);
  });

  test.each(["%x", "%", "a%"])("%j is refused, and what there is is named", (format) => {
    expect(() => compileFormat(format, nulls)).toThrow("is no token; there are %s %S");
  });
});

test("without -f: the value and a delimiter, after the key where one is asked for", () => {
  expect(formatted(plainFormat(Uint8Array.of(10), undefined, { showNulls: false }), record({ value: utf8.encode("v") }))).toBe(
    "v\n",
  );
  expect(formatted(plainFormat(Uint8Array.of(0), utf8.encode("::"), { showNulls: true }), record({ value: null }))).toBe(
    "ada::NULL\0",
  );
});

describe("JSON lines", () => {
  test("have kcat's names", () => {
    expect(JSON.parse(formatted(jsonLine, record({ value: utf8.encode("v") })))).toEqual({
      topic: "clicks",
      partition: 3,
      offset: 42,
      tstype: "create",
      ts: 1_700_000_000_000,
      broker: -1,
      headers: ["a", "1", "b", null],
      key: "ada",
      payload: "v",
    });
  });

  test("lose nothing on the way out and in: any bytes, nulls, headers, time, partition", () => {
    const blob = fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 30 }),
        fc.string({ unit: "binary" }).map((text) => utf8.encode(text)),
      ),
    );
    const records = fc.record({
      key: blob,
      value: blob,
      headers: fc.array(fc.record({ key: fc.string({ unit: "grapheme" }), value: blob }), { maxLength: 4 }),
      timestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
      partition: fc.nat(5000),
    });
    fc.assert(
      fc.property(records, (given) => {
        const out = new ByteBuilder();
        jsonLine(out, record(given));
        const read = parseJsonRecord(out.take().slice());
        const bytes = (value: unknown) =>
          value === null || value === undefined ? null : Buffer.from(value as string).toString("hex");
        expect(bytes(read.key)).toBe(bytes(given.key));
        expect(bytes(read.value)).toBe(bytes(given.value));
        expect(((read.headers ?? []) as typeof given.headers).map(({ key, value }) => [key, bytes(value)])).toEqual(
          given.headers.map(({ key, value }) => [key, bytes(value)]),
        );
        expect(read.timestampMs).toBe(given.timestampMs);
        expect(read.partition).toBe(given.partition);
      }),
    );
  });
});

describe("a JSON line to produce", () => {
  const parse = (line: string) => parseJsonRecord(utf8.encode(line));
  test("takes the plain names, and JSON values as they are", () => {
    expect(parse('{"key":"k","value":{"a":[1]},"headers":{"h":"x","n":null},"partition":2,"timestamp":7}')).toEqual({
      key: "k",
      value: '{"a":[1]}',
      headers: [
        { key: "h", value: "x" },
        { key: "n", value: null },
      ],
      partition: 2,
      timestampMs: 7,
    });
    expect(parse("{}")).toEqual({ key: null, value: null });
    expect(parse('{"value":5,"key":false}')).toEqual({ key: "false", value: "5" });
  });

  test.each([
    ["{", "not JSON"],
    ["[1]", "not a JSON object"],
    ['{"valeu":1}', 'the field "valeu" is not known; there are key, value, headers, partition, timestamp'],
    ['{"value":1,"payload":2}', "value and payload are the same"],
    ['{"partition":-1}', "partition must be a whole number from 0; it is -1"],
    ['{"partition":"1"}', 'partition must be a whole number from 0; it is "1"'],
    ['{"timestamp":"today"}', "timestamp must be"],
    ['{"payload":"%","payload_encoding":"base64"}', "payload must be base64"],
    ['{"key":"a","key_encoding":"hex"}', 'key_encoding must be "base64"; it is "hex"'],
    ['{"headers":["a"]}', "name and value in turn; there are 1"],
    ['{"headers":{"a":{"b":1}}}', 'headers.a must be text, null or {"base64": "..."}'],
    ['{"headers":7}', "headers must be an object"],
  ])("%s: %s", (line, message) => {
    expect(() => parse(line)).toThrow(message);
  });

  test("bytes that are not UTF-8 are no JSON", () => {
    expect(() => parseJsonRecord(Uint8Array.of(0x22, 0xff, 0x22))).toThrow("not JSON");
  });
});
