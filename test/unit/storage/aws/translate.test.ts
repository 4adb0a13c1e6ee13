import { expect, test } from "vitest";
import { type Change, type Condition, StorageError, type Update, type Write } from "../../../../lib/ports/index.ts";
import type { StoredItem } from "../../../../lib/ports/table-semantics.ts";
import { afterRefusal, type Request, translate, translateCheck } from "../../../../lib/storage/aws/translate.ts";

const NOW_MS = 1_790_000_000_500;
const NOW_S = 1_790_000_000;
const key = { pk: "p", sk: "s" };
const EXPIRED: StoredItem = { item: { n: 1, m: { a: 1 } }, expiresAtS: NOW_S };

function put(...when: Condition[]): Write {
  return { op: "put", key, item: { x: 1 }, when };
}

function update(changes: Change[], more: Partial<Update> = {}): Update {
  return { op: "update", key, changes, ...more };
}

function request(next: Request | StorageError): Request {
  if (next instanceof StorageError) throw next;
  return next;
}

function refusal(next: Request | StorageError): StorageError {
  if (next instanceof StorageError) return next;
  return expect.fail(`expected an error, got ${next.kind}`);
}

test("a put without conditions has no expression at all", () => {
  expect(translate({ op: "put", key, item: { a: 1 } }, NOW_MS)).toEqual({
    kind: "put",
    Item: { pk: { S: "p" }, sk: { S: "s" }, a: { N: "1" } },
    stored: { item: { a: 1 }, expiresAtS: undefined },
    expressions: { ConditionExpression: undefined, ExpressionAttributeNames: undefined, ExpressionAttributeValues: undefined },
  });
});

test("what may be absent may be expired: now is the second that has begun", () => {
  const { expressions } = translate(put({ item: "absent" }), NOW_MS);
  expect(expressions).toEqual({
    ConditionExpression: "attribute_not_exists(pk) OR #0 <= :0",
    ExpressionAttributeNames: { "#0": "ttl" },
    ExpressionAttributeValues: { ":0": { N: String(NOW_S) } },
  });
});

test("what must be there must be alive", () => {
  const wanted = "attribute_exists(pk) AND (attribute_not_exists(#0) OR #0 > :0)";
  expect(translate(put({ item: "exists" }), NOW_MS).expressions.ConditionExpression).toBe(wanted);
  expect(translate({ op: "delete", key, when: [{ item: "exists" }] }, NOW_MS).expressions.ConditionExpression).toBe(wanted);
  expect(translateCheck({ op: "check", key, when: [{ item: "exists" }] }, NOW_MS).expressions.ConditionExpression).toBe(wanted);
});

test("an update is made only on an item that is alive, or on none", () => {
  const made = translate(update([{ add: "n", by: 1 }]), NOW_MS);
  expect(made.expressions.ConditionExpression).toBe(
    "(attribute_not_exists(#0) OR attribute_type(#0, :0)) AND (attribute_not_exists(#1) OR #1 > :1)",
  );
});

test("an update that met an expired item becomes a put of what it makes out of nothing, while the item is expired", () => {
  const next = request(afterRefusal(update([{ add: "n", by: 5 }]), EXPIRED, NOW_MS));
  expect(next).toMatchObject({
    kind: "put",
    Item: { pk: { S: "p" }, sk: { S: "s" }, n: { N: "5" } },
    expressions: { ConditionExpression: "attribute_not_exists(pk) OR #0 <= :0" },
  });
  expect((next as { Item: object }).Item).not.toHaveProperty("ttl");
});

test("an update that gives an expired item a new expiry puts it with that", () => {
  const next = request(afterRefusal(update([{ add: "n", by: 5 }], { expiresAtMs: NOW_MS + 1000 }), EXPIRED, NOW_MS));
  expect(next).toMatchObject({ Item: { n: { N: "5" }, ttl: { N: String(NOW_S + 2) } } });
});

test("an update whose condition does not hold on nothing is refused on an expired item, and shows none", () => {
  const error = refusal(afterRefusal(update([{ add: "n", by: 5 }], { when: [{ item: "exists" }] }), EXPIRED, NOW_MS));
  expect(error).toMatchObject({ kind: "condition_failed", item: undefined });
});

test("an update of an expired item that needs a list is refused", () => {
  expect(refusal(afterRefusal(update([{ append: "l", values: [1] }]), EXPIRED, NOW_MS)).kind).toBe("condition_failed");
});

test("a refusal carries the item as it was judged, and says which condition failed", () => {
  const found = { item: { n: 7 }, expiresAtS: NOW_S + 60 };
  const error = refusal(afterRefusal(put({ path: "n", is: "=", value: 8 }), found, NOW_MS));
  expect(error).toMatchObject({ kind: "condition_failed", item: { n: 7 }, message: "condition failed on p s: n =" });
});

test("an update of nothing but removals makes an item where there is none", () => {
  const removal = update([{ remove: "a" }]);
  expect(translate(removal, NOW_MS).expressions.ConditionExpression).toMatch(/^attribute_exists\(pk\) AND /);
  expect(request(afterRefusal(removal, undefined, NOW_MS))).toMatchObject({
    kind: "put",
    Item: { pk: { S: "p" }, sk: { S: "s" } },
    expressions: { ConditionExpression: "attribute_not_exists(pk) OR #0 <= :0" },
  });
});

test("removing an entry of a map that is not there is left out, while the map is not there", () => {
  const both = update([{ remove: ["m", "a"] }, { set: "b", to: 2 }]);
  const next = request(afterRefusal(both, { item: { x: 1 }, expiresAtS: undefined }, NOW_MS));
  expect(next).toMatchObject({ kind: "update", UpdateExpression: "SET #2 = :2" });
  expect(next.expressions.ConditionExpression).toBe("NOT attribute_type(#0, :0) AND (attribute_not_exists(#1) OR #1 > :1)");
  expect(next.expressions.ExpressionAttributeNames).toEqual({ "#0": "m", "#1": "ttl", "#2": "b" });
});

test("an update that would make an item too large out of nothing is too large", () => {
  const large = update([{ set: "b", to: new Uint8Array(410 * 1024) }]);
  expect(refusal(afterRefusal(large, EXPIRED, NOW_MS)).kind).toBe("too_large");
});

test("where DynamoDB refused what the port's rules would let through, it stays refused", () => {
  const error = refusal(afterRefusal(put({ path: "n", is: "=", value: 7 }), { item: { n: 7 }, expiresAtS: undefined }, NOW_MS));
  expect(error).toMatchObject({ kind: "condition_failed", item: { n: 7 } });
});
