/** What each condition says about an item. */
import { expect, test } from "vitest";
import type { Condition, Item, Value } from "../../../lib/ports/index.ts";
import { type Backend, freshKey, storageErrorOf } from "../backend.ts";

const bytes = (...all: number[]): Uint8Array => new Uint8Array(all);

const ITEM: Item = {
  n: 5,
  text: "m",
  bytes: bytes(1, 128),
  yes: true,
  no: false,
  list: ["a", 1, true, bytes(7, 255), [1, bytes(2)], { x: bytes(3) }],
  empty: [],
  map: { a: 1, "b.c": "two", z: bytes(9) },
};

type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** Which comparisons hold when the stored value is below, equal to or above the given one. */
const HOLD: Record<"below" | "equal" | "above", readonly Comparison[]> = {
  below: ["!=", "<", "<="],
  equal: ["=", "<=", ">="],
  above: ["!=", ">", ">="],
};
const ALL: readonly Comparison[] = ["=", "!=", "<", "<=", ">", ">="];

const ORDERED: readonly (readonly [why: string, stored: Value, relation: "below" | "equal" | "above", given: Value])[] = [
  ["a smaller number", 5, "below", 6],
  ["the same number", 5, "equal", 5],
  ["a larger number", 5, "above", -6],
  ["numbers by value, not by their digits", 10, "above", 9],
  ["numbers at the end of the safe range", Number.MAX_SAFE_INTEGER, "above", Number.MAX_SAFE_INTEGER - 1],
  ["negative numbers", -2, "below", -1],
  ["a fraction", 0.5, "below", 0.75],
  ["text by its characters", "abc", "below", "abd"],
  ["the same text", "日本", "equal", "日本"],
  ["a text that is a prefix", "ab", "below", "abc"],
  ["capital letters before small ones", "Z", "below", "a"],
  ["text by its UTF-8 bytes, not its UTF-16 units", "\ufffd", "below", "😀"],
  ["empty text", "", "below", "a"],
  ["bytes as unsigned numbers", bytes(127), "below", bytes(128)],
  ["the same bytes", bytes(0, 255), "equal", bytes(0, 255)],
  ["bytes that are a prefix", bytes(1, 2), "below", bytes(1, 2, 0)],
  ["bytes from the first to the last", bytes(2), "above", bytes(1, 255)],
  ["no bytes", bytes(), "below", bytes(0)],
];

/** Condition, and whether it holds on `ITEM`. */
const CASES: readonly (readonly [why: string, condition: Condition, holds: boolean])[] = [
  ["an item that is there exists", { item: "exists" }, true],
  ["an item that is there is not absent", { item: "absent" }, false],
  ["an attribute exists", { path: "n", is: "exists" }, true],
  ["an attribute that is false exists", { path: "no", is: "exists" }, true],
  ["an attribute that is an empty list exists", { path: "empty", is: "exists" }, true],
  ["an attribute that is there is not absent", { path: "n", is: "absent" }, false],
  ["an attribute that is not there is absent", { path: "other", is: "absent" }, true],
  ["an attribute that is not there does not exist", { path: "other", is: "exists" }, false],
  ["a name that every object inherits is absent", { path: "toString", is: "absent" }, true],
  ["an entry of a map exists", { path: ["map", "a"], is: "exists" }, true],
  ["an entry with a dot in its name exists", { path: ["map", "b.c"], is: "exists" }, true],
  ["an entry that is not there is absent", { path: ["map", "b"], is: "absent" }, true],
  ["an entry that every object inherits is absent", { path: ["map", "constructor"], is: "absent" }, true],
  ["an entry of a map that is not there is absent", { path: ["other", "a"], is: "absent" }, true],
  ["an entry of a map that is not there does not exist", { path: ["other", "a"], is: "exists" }, false],
  ["an entry of what is not a map is absent", { path: ["n", "a"], is: "absent" }, true],
  ["an entry compares like an attribute", { path: ["map", "a"], is: "=", value: 1 }, true],
  ["an entry that differs is not equal", { path: ["map", "b.c"], is: "=", value: "three" }, false],
  ["bytes in an entry compare", { path: ["map", "z"], is: "<", value: bytes(10) }, true],
  ["booleans are equal to themselves", { path: "yes", is: "=", value: true }, true],
  ["booleans differ", { path: "yes", is: "=", value: false }, false],
  ["booleans that differ are unequal", { path: "no", is: "!=", value: true }, true],
  ["a list is equal to the same elements in the same order", { path: "list", is: "=", value: ITEM["list"] as Value }, true],
  ["a list differs when its order does", { path: "list", is: "=", value: [...(ITEM["list"] as Value[])].reverse() }, false],
  ["a list differs from its beginning", { path: "list", is: "=", value: ["a", 1] }, false],
  ["an empty list is equal to an empty list", { path: "empty", is: "=", value: [] }, true],
  ["an empty list is not an empty map", { path: "empty", is: "=", value: {} }, false],
  ["a map is equal to the same entries in any order", { path: "map", is: "=", value: { z: bytes(9), "b.c": "two", a: 1 } }, true],
  ["a map differs when it has fewer entries", { path: "map", is: "=", value: { a: 1 } }, false],
  ["a map differs by one byte", { path: "map", is: "=", value: { a: 1, "b.c": "two", z: bytes(8) } }, false],
  ["a map that differs is unequal", { path: "map", is: "!=", value: { a: 1 } }, true],
  ["a list contains text", { path: "list", is: "contains", value: "a" }, true],
  ["a list contains a number", { path: "list", is: "contains", value: 1 }, true],
  ["a list does not contain the number as text", { path: "list", is: "contains", value: "1" }, false],
  ["a list contains bytes", { path: "list", is: "contains", value: bytes(7, 255) }, true],
  ["a list does not contain a part of its bytes", { path: "list", is: "contains", value: bytes(7) }, false],
  ["a list contains a list", { path: "list", is: "contains", value: [1, bytes(2)] }, true],
  ["a list contains a map", { path: "list", is: "contains", value: { x: bytes(3) } }, true],
  ["a list lacks bytes that it does not have", { path: "list", is: "lacks", value: bytes(7, 254) }, true],
  ["a list does not lack what it has", { path: "list", is: "lacks", value: bytes(7, 255) }, false],
  ["an empty list contains nothing", { path: "empty", is: "contains", value: "a" }, false],
  ["an empty list lacks everything", { path: "empty", is: "lacks", value: "a" }, true],
  ["an attribute that is absent contains nothing", { path: "other", is: "contains", value: "a" }, false],
  ["an attribute that is absent lacks everything", { path: "other", is: "lacks", value: "a" }, true],
  ["text contains nothing, for it is no list", { path: "text", is: "contains", value: "m" }, false],
];

export function conditionTests(backend: () => Backend): void {
  /** Judges a condition through a conditional write; checks what the refusal says and that it changed nothing. */
  async function judge(item: Item | undefined, when: readonly Condition[]): Promise<boolean> {
    const { table } = backend().storage;
    const key = freshKey();
    if (item !== undefined) await table.write({ op: "put", key, item });
    const write = table.write({ op: "update", key, changes: [{ set: "written", to: true }], when });
    const error = await write.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) {
      expect(await table.get(key)).toEqual({ ...item, written: true });
      return true;
    }
    expect(error).toMatchObject({ name: "StorageError", kind: "condition_failed", outcome: "not_applied" });
    expect((error as { item?: Item }).item).toEqual(item);
    expect(await table.get(key)).toEqual(item);
    return false;
  }

  test.each(CASES)("%s", async (_, condition, wanted) => {
    expect(await judge(ITEM, [condition])).toBe(wanted);
  });

  test.each(ORDERED)("order: %s", async (_, stored, relation, given) => {
    for (const is of ALL) {
      expect(await judge({ a: stored }, [{ path: "a", is, value: given }]), is).toBe(HOLD[relation].includes(is));
    }
  });

  test.each([
    ["an attribute that is absent", "other", 5],
    ["an entry that is absent", ["map", "other"], 5],
    ["an entry of a map that is absent", ["other", "a"], 5],
    ["a number and a text", "n", "5"],
    ["a text and a number", "text", 5],
    ["bytes and a text", "bytes", "m"],
    ["a boolean and a number", "yes", 1],
    ["a list and a text", "list", "a"],
    ["a map and a number", "map", 1],
  ] as const)("%s do not compare, save that they are unequal", async (_, path, value) => {
    for (const is of ALL) expect(await judge(ITEM, [{ path, is, value }]), is).toBe(is === "!=");
  });

  test("an item that is not there is absent, has no attributes and fails every comparison but !=", async () => {
    expect(await judge(undefined, [{ item: "absent" }])).toBe(true);
    expect(await judge(undefined, [{ item: "exists" }])).toBe(false);
    expect(await judge(undefined, [{ path: "a", is: "absent" }])).toBe(true);
    expect(await judge(undefined, [{ path: "a", is: "exists" }])).toBe(false);
    for (const is of ALL) expect(await judge(undefined, [{ path: "a", is, value: 0 }]), is).toBe(is === "!=");
  });

  test("several conditions are joined by AND", async () => {
    const five: Condition = { path: "n", is: "=", value: 5 };
    const six: Condition = { path: "n", is: "=", value: 6 };
    expect(await judge(ITEM, [])).toBe(true);
    expect(await judge(ITEM, [{ item: "exists" }, five, { path: "list", is: "contains", value: 1 }])).toBe(true);
    expect(await judge(ITEM, [six, five])).toBe(false);
    expect(await judge(ITEM, [five, six])).toBe(false);
    expect(
      await judge(ITEM, [
        { path: "n", is: ">", value: 4 },
        { path: "n", is: "<", value: 6 },
      ]),
    ).toBe(true);
    expect(
      await judge(ITEM, [
        { path: "n", is: ">", value: 4 },
        { path: "n", is: "<", value: 5 },
      ]),
    ).toBe(false);
  });

  test("a condition is judged on the item as it is before the write", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: { n: 1 } });
    const step = { op: "update", key, changes: [{ add: "n", by: 1 }], when: [{ path: "n", is: "=", value: 1 }] } as const;
    expect(await table.write(step)).toEqual({ n: 2 });
    const error = await storageErrorOf(table.write(step));
    expect(error.item).toEqual({ n: 2 });
    expect(await table.get(key)).toEqual({ n: 2 });
  });

  test("puts obey conditions too", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const put = (n: number, when: readonly Condition[]) => table.write({ op: "put", key, item: { n }, when });
    expect((await storageErrorOf(put(1, [{ item: "exists" }]))).item).toBeUndefined();
    expect(await put(2, [{ item: "absent" }])).toEqual({ n: 2 });
    expect((await storageErrorOf(put(3, [{ item: "absent" }]))).item).toEqual({ n: 2 });
    expect(await put(4, [{ path: "n", is: "<", value: 3 }])).toEqual({ n: 4 });
    expect(await table.get(key)).toEqual({ n: 4 });
  });
}
