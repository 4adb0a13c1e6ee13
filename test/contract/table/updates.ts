/** What each change of an update makes of an item. */
import { expect, test } from "vitest";
import type { Change, Item } from "../../../lib/ports/index.ts";
import { type Backend, freshKey, storageErrorOf } from "../backend.ts";

const bytes = (...all: number[]): Uint8Array => new Uint8Array(all);

const CASES: readonly (readonly [what: string, before: Item | undefined, changes: readonly Change[], after: Item])[] = [
  ["an update of what is absent makes it", undefined, [{ set: "a", to: 1 }], { a: 1 }],
  ["an update leaves the other attributes", { a: 1, b: bytes(2) }, [{ set: "a", to: "x" }], { a: "x", b: bytes(2) }],
  ["set may change the type", { a: 1 }, [{ set: "a", to: { b: [bytes(1)] } }], { a: { b: [bytes(1)] } }],
  ["set replaces a whole map", { m: { a: 1 } }, [{ set: "m", to: { b: 2 } }], { m: { b: 2 } }],
  ["set makes an entry of a map", { m: {} }, [{ set: ["m", "a"], to: 1 }], { m: { a: 1 } }],
  ["set replaces an entry of a map", { m: { a: 1, b: 2 } }, [{ set: ["m", "a"], to: bytes(3) }], { m: { a: bytes(3), b: 2 } }],
  ["set makes an entry named like a number", { m: {} }, [{ set: ["m", "12"], to: 1 }], { m: { "12": 1 } }],
  ["set makes an entry with a dot in its name", { m: { a: 1 } }, [{ set: ["m", "a.b"], to: 2 }], { m: { a: 1, "a.b": 2 } }],
  ["add adds", { n: 5 }, [{ add: "n", by: 3 }], { n: 8 }],
  ["add subtracts", { n: 5 }, [{ add: "n", by: -7 }], { n: -2 }],
  ["add counts an absent attribute as 0", { a: 1 }, [{ add: "n", by: 3 }], { a: 1, n: 3 }],
  ["add makes an item", undefined, [{ add: "n", by: 3 }], { n: 3 }],
  ["add is exact up to 2^53 - 1", { n: 2 ** 53 - 3 }, [{ add: "n", by: 2 }], { n: 2 ** 53 - 1 }],
  ["copy takes a number and adds to it", { n: 5 }, [{ copy: "m", from: "n", plus: 2 }], { n: 5, m: 7 }],
  ["copy may take from itself", { n: 5 }, [{ copy: "n", from: "n", plus: -1 }], { n: 4 }],
  [
    "copy fills an entry of a map",
    { n: 5, m: { a: 1 } },
    [{ copy: ["m", "b"], from: "n", plus: 0 }],
    { n: 5, m: { a: 1, b: 5 } },
  ],
  ["append adds to the end of a list", { l: ["a"] }, [{ append: "l", values: [bytes(1), 2] }], { l: ["a", bytes(1), 2] }],
  ["append fills an empty list", { l: [] }, [{ append: "l", values: [[1], { a: 1 }] }], { l: [[1], { a: 1 }] }],
  ["dropFirst takes the first one", { l: [1, 2, 3] }, [{ dropFirst: "l", count: 1 }], { l: [2, 3] }],
  ["dropFirst takes the first ones", { l: [1, 2, 3, 4, 5] }, [{ dropFirst: "l", count: 3 }], { l: [4, 5] }],
  ["dropFirst of all leaves an empty list", { l: [1, 2] }, [{ dropFirst: "l", count: 2 }], { l: [] }],
  ["dropFirst of more than there is leaves an empty list", { l: [1, 2] }, [{ dropFirst: "l", count: 5 }], { l: [] }],
  ["remove takes an attribute", { a: 1, b: 2 }, [{ remove: "a" }], { b: 2 }],
  ["remove may take the last attribute", { a: 1 }, [{ remove: "a" }], {}],
  ["remove of an absent attribute changes nothing", { a: 1 }, [{ remove: "b" }], { a: 1 }],
  ["remove of an entry of an absent map changes nothing", { a: 1 }, [{ remove: ["m", "b"] }], { a: 1 }],
  ["an update without changes makes an empty item", undefined, [], {}],
  ["an update without changes leaves the item", { a: 1 }, [], { a: 1 }],
  ["remove takes an entry", { m: { a: 1, b: 2 } }, [{ remove: ["m", "a"] }], { m: { b: 2 } }],
  ["remove may take the last entry", { m: { a: 1 } }, [{ remove: ["m", "a"] }], { m: {} }],
  ["remove of an absent entry changes nothing", { m: { a: 1 } }, [{ remove: ["m", "b"] }], { m: { a: 1 } }],
  [
    "copy sees the value from before an add to the same attribute",
    { n: 100, o: {} },
    [
      { add: "n", by: 7 },
      { copy: ["o", "p"], from: "n", plus: 0 },
    ],
    { n: 107, o: { p: 100 } },
  ],
  [
    "copy sees the value from before a set of the same attribute, whatever their order",
    { n: 1, m: 2 },
    [
      { copy: "x", from: "n", plus: 10 },
      { set: "n", to: 50 },
      { set: "m", to: 60 },
      { copy: "y", from: "m", plus: 10 },
    ],
    { n: 50, m: 60, x: 11, y: 12 },
  ],
  [
    "two attributes exchange their values",
    { a: 1, b: 2 },
    [
      { copy: "a", from: "b", plus: 0 },
      { copy: "b", from: "a", plus: 0 },
    ],
    { a: 2, b: 1 },
  ],
  [
    "several entries of one map change at once",
    { m: { a: 1, b: 2, c: 3 }, n: 9 },
    [{ set: ["m", "a"], to: 10 }, { remove: ["m", "b"] }, { set: ["m", "d"], to: 40 }, { copy: ["m", "e"], from: "n", plus: 1 }],
    { m: { a: 10, c: 3, d: 40, e: 10 }, n: 9 },
  ],
  [
    "an append as the log makes it: next, tail and both producer maps",
    { n: 40, t: [bytes(1)], q: { "7": 1, "8": 2 }, o: { "7": 30, "8": 35 } },
    [
      { add: "n", by: 5 },
      { append: "t", values: [bytes(2)] },
      { set: ["q", "7"], to: 6 },
      { copy: ["o", "7"], from: "n", plus: 2 },
    ],
    { n: 45, t: [bytes(1), bytes(2)], q: { "7": 6, "8": 2 }, o: { "7": 42, "8": 35 } },
  ],
  [
    "a seal as the log makes it: the tail loses its first refs and the base moves",
    { b: 0, t: Array.from({ length: 20 }, (_, i) => bytes(i)) },
    [
      { dropFirst: "t", count: 16 },
      { set: "b", to: 16 },
    ],
    { b: 16, t: [bytes(16), bytes(17), bytes(18), bytes(19)] },
  ],
];

const IMPOSSIBLE: readonly (readonly [what: string, before: Item | undefined, change: Change])[] = [
  ["set of an entry needs the map", { a: 1 }, { set: ["m", "a"], to: 1 }],
  ["set of an entry needs a map", { m: 1 }, { set: ["m", "a"], to: 1 }],
  ["set of an entry needs an item", undefined, { set: ["m", "a"], to: 1 }],
  ["add needs a number", { n: "5" }, { add: "n", by: 1 }],
  ["copy needs a number to copy", { a: 1 }, { copy: "b", from: "n", plus: 0 }],
  ["copy to an entry needs the map", { n: 5 }, { copy: ["m", "b"], from: "n", plus: 0 }],
  ["copy does not take text", { n: "5" }, { copy: "b", from: "n", plus: 0 }],
  ["append needs the list", { a: 1 }, { append: "l", values: [1] }],
  ["append needs a list", { l: "x" }, { append: "l", values: [1] }],
  ["dropFirst needs the list", { a: 1 }, { dropFirst: "l", count: 1 }],
];

export function updateTests(backend: () => Backend): void {
  test.each(CASES)("%s", async (_, before, changes, after) => {
    const { table } = backend().storage;
    const [alone, staged, atomic] = [freshKey(), freshKey(), freshKey()];
    if (before !== undefined) {
      await Promise.all([alone, staged, atomic].map((key) => table.write({ op: "put", key, item: before })));
    }
    expect(await table.write({ op: "update", key: alone, changes })).toEqual(after);
    expect(await table.inOrder([[{ op: "update", key: staged, changes }]])).toEqual([[{ ok: true, item: after }]]);
    await table.atomically([{ op: "update", key: atomic, changes }]);
    for (const key of [alone, staged, atomic]) expect(await table.get(key)).toEqual(after);
  });

  test.each(IMPOSSIBLE)("%s: else the update is refused and nothing changes", async (_, before, change) => {
    const { table } = backend().storage;
    const key = freshKey();
    if (before !== undefined) await table.write({ op: "put", key, item: before });
    const update = { op: "update", key, changes: [{ set: "other", to: 1 }, change] } as const;
    const error = await storageErrorOf(table.write(update));
    expect(error).toMatchObject({ kind: "condition_failed", outcome: "not_applied" });
    expect(error.item).toEqual(before);
    const other = freshKey();
    const atomic = await storageErrorOf(table.atomically([{ op: "put", key: other, item: {} }, update]));
    expect(atomic).toMatchObject({ kind: "condition_failed", index: 1 });
    expect(await table.getMany([key, other])).toEqual([before, undefined]);
  });

  test("an update that must not make the item says so", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const update = table.write({ op: "update", key, changes: [{ add: "n", by: 1 }], when: [{ item: "exists" }] });
    const error = await storageErrorOf(update);
    expect(error.kind).toBe("condition_failed");
    expect(error.item).toBeUndefined();
    expect(await table.get(key)).toBeUndefined();
  });

  test("a refused update answers the item as it was found", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const item = { n: 3, l: [bytes(1)], m: { a: bytes(2) } };
    await table.write({ op: "put", key, item });
    const update = table.write({
      op: "update",
      key,
      changes: [{ add: "n", by: 1 }],
      when: [{ path: "l", is: "lacks", value: bytes(1) }],
    });
    expect((await storageErrorOf(update)).item).toEqual(item);
  });
}
