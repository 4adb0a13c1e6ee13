/** T1, T3, T6; put, get, getMany, delete; which values come back as they were. */
import { expect, test } from "vitest";
import type { Item, Value } from "../../../lib/ports/index.ts";
import { type Backend, expectBytes, freshKey, freshName, patternBytes, spoil, storageErrorOf } from "../backend.ts";

export function readWriteTests(backend: () => Backend): void {
  test("a read that starts after a write was answered sees it", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    for (let n = 0; n < 10; n++) {
      await table.write({ op: "put", key, item: { n } });
      const [got, many, range] = await Promise.all([table.get(key), table.getMany([key]), table.range(key.pk)]);
      expect(got).toEqual({ n });
      expect(many).toEqual([{ n }]);
      expect(range).toEqual([{ key, item: { n } }]);
    }
    await table.write({ op: "delete", key });
    expect(await table.get(key)).toBeUndefined();
    expect(await table.getMany([key])).toEqual([undefined]);
    expect(await table.range(key.pk)).toEqual([]);
  });

  test("an item that was never written is undefined", async () => {
    const { table } = backend().storage;
    expect(await table.get(freshKey())).toBeUndefined();
    expect(await table.getMany([])).toEqual([]);
  });

  test("a put replaces the whole item and answers the new one", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    expect(await table.write({ op: "put", key, item: { a: 1, b: { c: 2 } } })).toEqual({ a: 1, b: { c: 2 } });
    expect(await table.write({ op: "put", key, item: { d: "x" } })).toEqual({ d: "x" });
    expect(await table.get(key)).toEqual({ d: "x" });
  });

  test("an item without attributes is there all the same", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: {} });
    expect(await table.get(key)).toEqual({});
    expect((await storageErrorOf(table.write({ op: "put", key, item: {}, when: [{ item: "absent" }] }))).item).toEqual({});
  });

  test("a delete answers undefined, and deleting what is absent succeeds", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    expect(await table.write({ op: "delete", key })).toBeUndefined();
    await table.write({ op: "put", key, item: { a: 1 } });
    expect(await table.write({ op: "delete", key })).toBeUndefined();
    expect(await table.get(key)).toBeUndefined();
  });

  test("a delete with a condition that fails leaves the item and answers it with the error", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: { a: 1 } });
    const error = await storageErrorOf(table.write({ op: "delete", key, when: [{ path: "a", is: "=", value: 2 }] }));
    expect(error).toMatchObject({ kind: "condition_failed", outcome: "not_applied", item: { a: 1 } });
    expect(await table.get(key)).toEqual({ a: 1 });
    const absent = await storageErrorOf(table.write({ op: "delete", key: freshKey(), when: [{ item: "exists" }] }));
    expect(absent.kind).toBe("condition_failed");
    expect(absent.item).toBeUndefined();
  });

  test("getMany answers in the order of any number of keys, absent ones and repeated ones too", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    const keys = Array.from({ length: 230 }, (_, i) => ({ pk: `${pk}#${i % 7}`, sk: `k${i}` }));
    await Promise.all(
      keys.filter((_, i) => i % 3 !== 0).map((key) => table.write({ op: "put", key, item: { name: `${key.pk} ${key.sk}` } })),
    );
    const asked = [...keys.slice(50), ...keys.slice(0, 60)];
    const got = await table.getMany(asked);
    expect(got).toEqual(asked.map((key) => (Number(key.sk.slice(1)) % 3 === 0 ? undefined : { name: `${key.pk} ${key.sk}` })));
  });

  test("items with the same sort key under other partition keys are others", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    await table.write({ op: "put", key: { pk, sk: "a#b" }, item: { n: 1 } });
    await table.write({ op: "put", key: { pk: `${pk}#a`, sk: "b" }, item: { n: 2 } });
    expect(await table.get({ pk, sk: "a#b" })).toEqual({ n: 1 });
    expect(await table.get({ pk: `${pk}#a`, sk: "b" })).toEqual({ n: 2 });
    expect(await table.get({ pk, sk: "b" })).toBeUndefined();
  });

  const values: [string, Value][] = [
    ["zero", 0],
    ["the largest safe integer", Number.MAX_SAFE_INTEGER],
    ["the smallest safe integer", Number.MIN_SAFE_INTEGER],
    ["a negative number", -17],
    ["a fraction", 0.1],
    ["a fraction with 17 digits", 0.30000000000000004],
    ["a negative fraction", -1234.5678],
    ["a third", 1 / 3],
    ["a large float", 1.5e100],
    ["a small float", 2.5e-100],
    ["true", true],
    ["false", false],
    ["an empty string", ""],
    ["text of several scripts", "naïve 日本語 😀 \u0000\n\t\"'\\"],
    ["text that looks like a number", "12"],
    ["no bytes", new Uint8Array(0)],
    ["every byte", Uint8Array.from({ length: 256 }, (_, i) => i)],
    ["an empty list", []],
    ["a mixed list", [1, "1", true, new Uint8Array([1]), [], {}, [[2]], { a: [3] }]],
    ["an empty map", {}],
    ["a map with odd names", { "a.b": 1, "12": 2, "#x": 3, ":y": 4, "é 日": 6, constructor: 7, size: 8 }],
    ["a deep value", { a: [{ b: [{ c: [new Uint8Array([9])] }] }] }],
  ];
  test.each(values)("%s comes back as it was", async (_, value) => {
    const { table } = backend().storage;
    const key = freshKey();
    expect(await table.write({ op: "put", key, item: { value } })).toEqual({ value });
    expect(await table.get(key)).toEqual({ value });
    await table.write({ op: "update", key, changes: [{ set: "again", to: value }] });
    expect(await table.get(key)).toEqual({ value, again: value });
  });

  test("-0 is stored as 0", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const answered = await table.write({ op: "put", key, item: { n: -0, list: [-0], map: { n: -0 } } });
    for (const item of [answered, await table.get(key)]) expect(item).toStrictEqual({ n: 0, list: [0], map: { n: 0 } });
  });

  test("names that mean something in JavaScript are names like others", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const names = ["constructor", "toString", "hasOwnProperty", "__proto__"];
    const m: Item = Object.fromEntries(names.map((name, i) => [name, i]));
    await table.write({ op: "put", key, item: { m, e: {} } });
    const after = await table.write({
      op: "update",
      key,
      changes: [
        { set: ["e", "__proto__"], to: 1 },
        { set: ["e", "valueOf"], to: 2 },
      ],
      when: [
        { path: ["e", "__proto__"], is: "absent" },
        { path: ["m", "__proto__"], is: "=", value: 3 },
      ],
    });
    for (const item of [after, await table.get(key)]) {
      expect(Object.entries(item?.["m"] as Item).sort()).toEqual(Object.entries(m).sort());
      expect(Object.entries(item?.["e"] as Item).sort()).toEqual([
        ["__proto__", 1],
        ["valueOf", 2],
      ]);
    }
  });

  test("attributes may have any name but those of the key and the expiry", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const item: Item = { size: 1, name: 2, "a.b": 3, "#a": 4, ":a": 5, 日本: 6, constructor: 7, toString: 8, "x y": 9, v: 10 };
    await table.write({ op: "put", key, item });
    expect(await table.get(key)).toEqual(item);
    const when = Object.entries(item).map(([path, value]) => ({ path, is: "=", value }) as const);
    await table.write({ op: "update", key, changes: Object.keys(item).map((add) => ({ add, by: 1 })), when });
    expect(await table.get(key)).toEqual(Object.fromEntries(Object.entries(item).map(([name, n]) => [name, (n as number) + 1])));
  });

  test("what was handed in may be changed once the write is answered", async () => {
    const { table } = backend().storage;
    const given = (): Item => ({
      buffer: Buffer.from("abc"),
      bytes: patternBytes(50),
      list: [patternBytes(5), { a: 1 }],
      map: { b: patternBytes(9) },
      n: 1,
    });
    const [put, staged, atomic, update] = [freshKey(), freshKey(), freshKey(), freshKey()];
    const items = [given(), given(), given(), given()] as const;
    await table.write({ op: "put", key: put, item: items[0] });
    await table.inOrder([[{ op: "put", key: staged, item: items[1] }]]);
    await table.atomically([{ op: "put", key: atomic, item: items[2] }]);
    await table.write({
      op: "update",
      key: update,
      changes: Object.entries(items[3]).map(([name, to]) => ({ set: name, to })),
    });
    for (const item of items) spoil(item);
    for (const key of [put, staged, atomic, update])
      expect(await table.get(key)).toEqual({ ...given(), buffer: new Uint8Array([97, 98, 99]) });
  });

  test("what was returned may be changed without changing what is stored", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const item = (): Item => ({ bytes: patternBytes(50), list: [patternBytes(5), { a: 1 }], map: { b: patternBytes(9) }, n: 1 });
    spoil(await table.write({ op: "put", key, item: item() }));
    spoil(await table.get(key));
    spoil((await table.getMany([key]))[0]);
    spoil((await table.range(key.pk))[0]?.item);
    const [[updated] = []] = await table.inOrder([[{ op: "update", key, changes: [{ set: "n", to: 1 }] }]]);
    spoil(updated?.ok ? updated.item : undefined);
    spoil(await table.write({ op: "update", key, changes: [{ set: "n", to: 1 }] }));
    spoil((await storageErrorOf(table.write({ op: "put", key, item: {}, when: [{ item: "absent" }] }))).item);
    const check = { op: "check", key, when: [{ item: "absent" }] } as const;
    spoil((await storageErrorOf(table.atomically([check]))).item);
    expect(await table.get(key)).toEqual(item());
  });

  test("two reads of one item share no bytes", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: { bytes: patternBytes(64) } });
    const [one, two] = await table.getMany([key, key]);
    ((one as Item)["bytes"] as Uint8Array).fill(0);
    expectBytes(two?.["bytes"] as Uint8Array, patternBytes(64));
  });
}
