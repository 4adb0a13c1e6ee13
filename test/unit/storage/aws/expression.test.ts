import fc from "fast-check";
import { expect, test } from "vitest";
import type { Change, Condition, Update, Value } from "../../../../lib/ports/index.ts";
import { allOf, Expression } from "../../../../lib/storage/aws/expression.ts";
import { translate } from "../../../../lib/storage/aws/translate.ts";

const bytes = new Uint8Array([1, 2]);

function condition(one: Condition): { text: string; expression: Expression } {
  const expression = new Expression();
  return { text: expression.condition(one), expression };
}

test.each([
  [{ item: "exists" }, "attribute_exists(pk)"],
  [{ item: "absent" }, "attribute_not_exists(pk)"],
  [{ path: "a", is: "exists" }, "attribute_exists(#0)"],
  [{ path: ["m", "x"], is: "absent" }, "attribute_not_exists(#0.#1)"],
  [{ path: "a", is: "=", value: [1] }, "#0 = :0"],
  [{ path: "a", is: "!=", value: 1 }, "(attribute_not_exists(#0) OR #0 <> :0)"],
  [{ path: "a", is: "<=", value: bytes }, "#0 <= :0"],
  [{ path: "t", is: "contains", value: bytes }, "attribute_type(#0, :0) AND contains(#0, :1)"],
  [{ path: "t", is: "lacks", value: bytes }, "NOT (attribute_type(#0, :0) AND contains(#0, :1))"],
] satisfies [Condition, string][])("%o in DynamoDB's words", (given, wanted) => {
  expect(condition(given).text).toBe(wanted);
});

test.each([true, [1], { a: 1 }] satisfies Value[])(
  "nothing is above or below %o, which DynamoDB would refuse to compare",
  (value) => {
    const { text, expression } = condition({ path: "a", is: "<", value });
    expect(text).toBe("attribute_exists(pk) AND attribute_not_exists(pk)");
    expect([expression.names, expression.values]).toEqual([undefined, undefined]);
  },
);

test("an append as the log makes it is one expression", () => {
  const expression = new Expression();
  const changes: Change[] = [
    { add: "n", by: 5 },
    { append: "t", values: [bytes] },
    { set: ["q", "7"], to: 6 },
    { copy: ["o", "7"], from: "n", plus: 2 },
  ];
  expect(expression.update(changes, undefined)).toBe("SET #1 = list_append(#1, :1), #2.#3 = :2, #4.#3 = #0 + :3 ADD #0 :0");
  expect(expression.names).toEqual({ "#0": "n", "#1": "t", "#2": "q", "#3": "7", "#4": "o" });
  expect(expression.values).toEqual({ ":0": { N: "5" }, ":1": { L: [{ B: bytes }] }, ":2": { N: "6" }, ":3": { N: "2" } });
});

test("the first elements of a list are removed from the last to the first", () => {
  expect(new Expression().update([{ dropFirst: "t", count: 3 }], undefined)).toBe("REMOVE #0[2], #0[1], #0[0]");
});

test("an expiry is set with the changes, and without any", () => {
  expect(new Expression().update([{ remove: ["m", "a"] }], 99)).toBe("SET #2 = :0 REMOVE #0.#1");
  expect(new Expression().update([], 99)).toBe("SET #0 = :0");
  expect(new Expression().update([], undefined)).toBeUndefined();
});

test("a clause that is needed twice is said once", () => {
  const expression = new Expression();
  const changes: Change[] = [
    { set: ["q", "1"], to: 1 },
    { set: ["q", "2"], to: 2 },
  ];
  const needs = changes.map((change) => expression.need(change));
  expect(allOf(needs)).toBe("attribute_type(#0, :0)");
  expect(allOf([undefined])).toBeUndefined();
});

const name = fc.constantFrom("a", "b", "n", "t", "q", "size", "name", "x.y", "#", ":");
const path = fc.oneof(name, fc.tuple(name, name));
const given: fc.Arbitrary<Value> = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.boolean(),
  fc.uint8Array({ maxLength: 3 }),
  fc.constant([1]),
);
const conditions: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ item: fc.constantFrom("exists" as const, "absent" as const) }),
  fc.record({ path, is: fc.constantFrom("exists" as const, "absent" as const) }),
  fc.record({ path, is: fc.constantFrom("=" as const, "!=" as const, "<" as const, ">=" as const), value: given }),
  fc.record({ path: name, is: fc.constantFrom("contains" as const, "lacks" as const), value: given }),
);
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ set: path, to: given }),
  fc.record({ add: name, by: fc.integer() }),
  fc.record({ copy: path, from: name, plus: fc.integer() }),
  fc.record({ append: name, values: fc.array(given, { maxLength: 2 }) }),
  fc.record({ dropFirst: name, count: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ remove: path }),
);

test("every placeholder is used, and every used one is given: DynamoDB refuses a request otherwise", () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 5 }), fc.array(conditions, { maxLength: 5 }), (all, when) => {
      const op: Update = { op: "update", key: { pk: "p", sk: "s" }, changes: all, when };
      const request = translate(op, 1_790_000_000_000);
      if (request.kind !== "update") return expect.fail(request.kind);
      const { ConditionExpression = "", ExpressionAttributeNames = {}, ExpressionAttributeValues = {} } = request.expressions;
      const text = `${ConditionExpression} ${request.UpdateExpression ?? ""}`;
      const used = [...new Set(text.match(/[#:][0-9a-z]+/g) ?? [])].sort();
      expect(used).toEqual([...Object.keys(ExpressionAttributeNames), ...Object.keys(ExpressionAttributeValues)].sort());
    }),
  );
});

/** A commit of so many idempotent producers, as the log makes it. */
function commitOf(producers: number): Update {
  const when: Condition[] = [
    { item: "exists" },
    { path: "f", is: "<", value: new Uint8Array(16) },
    { path: "t", is: "lacks", value: new Uint8Array(32) },
  ];
  const all: Change[] = [
    { add: "n", by: 1 },
    { append: "t", values: [new Uint8Array(32)] },
  ];
  for (let i = 0; i < producers; i++) {
    when.push({ path: ["q", String(i)], is: "=", value: i });
    all.push({ set: ["q", String(i)], to: i + 1 }, { copy: ["o", String(i)], from: "n", plus: i });
  }
  return { op: "update", key: { pk: "p", sk: "HEAD" }, changes: all, when };
}

test("a commit of 64 producers fits into one expression", () => {
  const request = translate(commitOf(64), 0);
  expect(request.kind).toBe("update");
  expect(request.expressions.ConditionExpression?.length).toBeLessThan(4096);
});

test("an update with more than DynamoDB takes is refused before it is sent, with the limit", () => {
  expect(() => translate(commitOf(101), 0)).toThrow(/an expression of \d+ operators; at most 300/);
  const many = Array.from({ length: 600 }, (_, i): Change => ({ remove: ["m", `e${i}`] }));
  expect(() => translate({ op: "update", key: { pk: "p", sk: "s" }, changes: many }, 0)).toThrow(
    /an expression of \d+ characters; at most 4096/,
  );
});
