import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { parseRecords } from "../../../lib/http/json/records.ts";
import {
  ATOMIC,
  documentSchema,
  FOR_PARTITION,
  FOR_TOPIC,
  type RecordShape,
  V2_BINARY,
  V2_JSON,
  V3_ENTRIES,
  V3_RECORD,
} from "../../../lib/http/json/shapes.ts";
import { DEFAULT_LIMITS } from "../../../lib/http/limits.ts";

const SHAPES: Readonly<Record<string, RecordShape>> = {
  FOR_PARTITION,
  FOR_TOPIC,
  ATOMIC,
  V2_JSON,
  V2_BINARY,
  V3_RECORD,
  V3_ENTRIES,
};

function parse(text: string, shape: RecordShape) {
  return parseRecords(Buffer.from(text, "utf8"), shape, DEFAULT_LIMITS);
}

function refusal(text: string | Uint8Array, shape: RecordShape): BrokerlessError {
  try {
    parseRecords(typeof text === "string" ? Buffer.from(text) : text, shape, DEFAULT_LIMITS);
  } catch (error) {
    if (error instanceof BrokerlessError) return error;
    throw error;
  }
  throw new Error(`taken: ${text}`);
}

/** JSON that is near a record: right names and kinds mostly, wrong ones now and then. */
const base64 = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const scalar = fc.oneof(
  fc.string({ unit: "binary" }),
  base64,
  fc.constantFrom("YQ=", "YQ", "Y Q=", "2026-01-31T23:59:59Z", "1960-01-01T00:00:00Z", "\ud800", "BINARY", ""),
  fc.integer(),
  fc.constantFrom(0, 3, 1e300, 1.5, -1, 8.64e15, 8.65e15),
  fc.boolean(),
  fc.constant(null),
);
const typed = fc.record(
  {
    type: fc.oneof({ weight: 8, arbitrary: fc.constantFrom("BINARY", "JSON", "STRING") }, { weight: 1, arbitrary: scalar }),
    data: fc.oneof({ weight: 3, arbitrary: base64 }, { weight: 2, arbitrary: scalar }, { weight: 1, arbitrary: fc.jsonValue() }),
    extra: scalar,
  },
  { requiredKeys: ["type"] },
);
const bad = fc.oneof({ weight: 3, arbitrary: typed }, { weight: 2, arbitrary: scalar }, { weight: 1, arbitrary: fc.jsonValue() });
const goodTyped = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constant(null),
  base64.map((data) => ({ type: "BINARY", data })),
  fc.string().map((data) => ({ data, type: "STRING" })),
  fc.jsonValue().map((data) => ({ type: "JSON", data })),
);
function payload(shape: RecordShape): fc.Arbitrary<unknown> {
  const good = shape.payload === "typed" ? goodTyped : fc.oneof(base64, fc.constant(null));
  return fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: bad });
}
const header = fc.record(
  { name: fc.oneof({ weight: 20, arbitrary: fc.string() }, scalar), value: fc.oneof({ weight: 20, arbitrary: base64 }, scalar) },
  { requiredKeys: ["name"] },
);
const rarely = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 30, arbitrary }, { weight: 1, arbitrary: scalar });
const recordOf = (shape: RecordShape) =>
  fc.record(
    {
      key: payload(shape),
      value: payload(shape),
      headers: rarely(fc.array(header, { maxLength: 3 })),
      timestamp: rarely(
        fc.oneof(
          fc.nat(),
          fc.date({ min: new Date(0), noInvalidDate: true }).map((date) => date.toISOString()),
        ),
      ),
      partition: rarely(fc.nat(5)),
      partition_id: rarely(fc.nat(5)),
      topic: rarely(fc.constant("t")),
      id: rarely(fc.constantFrom("1", "a")),
      unknown: scalar,
    },
    { requiredKeys: [] },
  );

/** Keeps the fields that a shape has, mostly. */
function fitted(shape: RecordShape): fc.Arbitrary<unknown> {
  const one = recordOf(shape).chain((value) =>
    fc.double({ min: 0, max: 1, noNaN: true }).map((luck) => {
      if (luck > 0.9) return value;
      const kept: Record<string, unknown> = { ...value };
      delete kept["unknown"];
      if (shape.partition !== "partition") delete kept["partition"];
      if (shape.partition !== "partition_id") delete kept["partition_id"];
      if (shape.topic) kept["topic"] ??= "t";
      else delete kept["topic"];
      if (shape.id) kept["id"] ??= "1";
      else delete kept["id"];
      return kept;
    }),
  );
  if (shape.list === undefined) return one;
  const list = fc.array(one, { maxLength: 3 }).map((records) => ({ [shape.list as string]: records }));
  return shape.single ? fc.oneof(one, list) : list;
}

/** JSON text with white space and escapes where JSON allows them. */
function written(value: unknown, seed: number): string {
  const text = JSON.stringify(value, null, seed % 3);
  return seed % 2 === 0
    ? text
    : text.replace(/"(key|value|data|type|records)"/g, (name) =>
        name.replace(/[kvdtr]/, (c) => `\\u00${c.charCodeAt(0).toString(16)}`),
      );
}

describe("the parser of records takes exactly what its schema takes", () => {
  for (const [name, shape] of Object.entries(SHAPES)) {
    test(name, () => {
      const schema = documentSchema(shape, DEFAULT_LIMITS);
      let taken = 0;
      fc.assert(
        fc.property(fitted(shape), fc.nat(5), (value, seed) => {
          const text = written(value, seed);
          const valid = schema.safeParse(JSON.parse(text)).success;
          let accepted = true;
          try {
            parse(text, shape);
          } catch (error) {
            if (!(error instanceof BrokerlessError) || error.code !== "invalid_request") throw error;
            expect(error.message).not.toContain("as /openapi.json describes");
            accepted = false;
          }
          if (accepted) taken++;
          expect(accepted).toBe(valid);
        }),
        { numRuns: 1500 },
      );
      expect(taken).toBeGreaterThan(100);
    });
  }

  test("what it takes are the bytes that the JSON stands for", () => {
    fc.assert(
      fc.property(
        fc.option(fc.string({ unit: "grapheme" }), { nil: null }),
        fc.option(fc.uint8Array(), { nil: null }),
        fc.jsonValue(),
        fc.nat(1000),
        (key, value, data, timestamp) => {
          const text = JSON.stringify({
            key,
            value: value === null ? null : { data: Buffer.from(value).toString("base64"), type: "BINARY" },
            headers: [{ name: key ?? "h", value: value === null ? null : Buffer.from(value).toString("base64") }],
            timestamp,
          });
          const { records, single } = parse(text, FOR_PARTITION);
          expect(single).toBe(true);
          const [record] = records;
          expect(record?.key === null ? null : Buffer.from(record?.key as Uint8Array).toString()).toBe(key);
          expect(record?.value === null ? null : Buffer.from(record?.value as Uint8Array)).toEqual(
            value === null ? null : Buffer.from(value),
          );
          expect(record?.headers?.[0]?.key).toBe(key ?? "h");
          expect(record?.timestampMs).toBe(timestamp);
          const json = JSON.stringify(data);
          const [other] = parse(`{"records":[{"value":{"type":"JSON","data": ${json} }}]}`, FOR_PARTITION).records;
          expect(other?.value === null ? "null" : Buffer.from(other?.value as Uint8Array).toString()).toBe(json);
        },
      ),
    );
  });
});

describe("what a record's JSON says", () => {
  test("numbers in JSON values keep all their digits", () => {
    const [record] = parse('{"value":{"type":"JSON","data":{"id":12345678901234567890, "x": 1.10}}}', FOR_PARTITION).records;
    expect(Buffer.from(record?.value as Uint8Array).toString()).toBe('{"id":12345678901234567890, "x": 1.10}');
  });

  test("a field that is given twice counts as JSON.parse counts it: the last one", () => {
    const [record] = parse('{"value":"a","value":"b"}', FOR_PARTITION).records;
    expect(Buffer.from(record?.value as Uint8Array).toString()).toBe("b");
  });

  test("a timestamp may be RFC 3339", () => {
    expect(parse('{"timestamp":"2021-02-05T19:14:42Z"}', V3_RECORD).records[0]?.timestampMs).toBe(1612552482000);
  });
});

describe("bad JSON is answered by where and why", () => {
  test.each([
    ['{"value":"a"', /the text ends where "," or "}" should be, at byte 12 \(line 1, column 13\)/],
    ['{"value":\n "a" x}', /"x" where "," or "}" should be, at byte 15 \(line 2, column 6\)/],
    ['{"value":tru}', /"t" where a value should be, at byte 9/],
    ['{"value":"a\u0001"}', /a control character in a string must be escaped, at byte 11/],
    ['{"value":"\\x"}', /an unknown escape in a string, at byte 10/],
    ['{"value":01}', /"1" where "," or "}" should be/],
    ["", /the text ends where a value should be, at byte 0/],
    ['{"value":1}{"value":2}', /"{" where the end of the text should be, at byte 11/],
  ])("%j", (text, message) => {
    const error = refusal(text, FOR_PARTITION);
    expect(error.code).toBe("invalid_request");
    expect(error.message).toMatch(message);
  });

  test("bytes that are not UTF-8 are answered with their position", () => {
    const bytes = Buffer.concat([Buffer.from('{"value":"é'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(refusal(bytes, FOR_PARTITION).message).toMatch(/not UTF-8 at byte 12;/);
  });

  test("a value of the wrong kind is answered with its field", () => {
    expect(refusal('{"records":[{"value":"a"},{"value":7}]}', FOR_TOPIC)).toMatchObject({ field: "records[1].value" });
    expect(refusal('{"records":[{"value":{"type":"BINARY","data":"Y"}}]}', FOR_TOPIC)).toMatchObject({
      field: "records[0].value.data",
      message: 'records[0].value.data: must be base64 (RFC 4648 section 4, padded); it is "Y"',
    });
    expect(refusal('{"valeu":"a"}', FOR_TOPIC).message).toBe('unknown field "valeu"');
    expect(refusal('{"partition":-1}', FOR_TOPIC).message).toMatch(/^partition: .*; it is -1$/);
    expect(refusal('{"records":[]}', FOR_TOPIC).message).toMatch(/^records: .*; it is \[\]$/);
    expect(refusal("[]", FOR_TOPIC).message).toMatch(/^the body: /);
  });

  test("limits of a request are named with their value", () => {
    const many = JSON.stringify({ records: Array.from({ length: 5 }, () => ({ value: "a" })) });
    expect(() => parseRecords(Buffer.from(many), FOR_TOPIC, { ...DEFAULT_LIMITS, recordsPerRequest: 4 })).toThrow(
      /more than 4 records/,
    );
    expect(refusal(JSON.stringify({ key: "k".repeat(65_537) }), FOR_TOPIC)).toMatchObject({
      code: "record_too_large",
      field: "key",
    });
    const headers = Array.from({ length: 257 }, () => ({ name: "h" }));
    expect(refusal(JSON.stringify({ records: [{ headers }] }), FOR_TOPIC)).toMatchObject({
      code: "record_too_large",
      field: "records[0].headers",
    });
  });

  test("nesting deeper than any stack would like is refused, not followed", () => {
    const deep = `{"value":{"type":"JSON","data":${"[".repeat(600)}${"]".repeat(600)}}}`;
    expect(refusal(deep, FOR_TOPIC).message).toMatch(/nested deeper than 512 levels/);
    expect(refusal(`{"value":${"[".repeat(200_000)}`, FOR_TOPIC).message).toMatch(/nested deeper/);
  });
});
