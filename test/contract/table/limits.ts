/** DynamoDB's limits hold in every backend, so that what works on one machine works there. */
import { expect, test } from "vitest";
import type { Item } from "../../../lib/ports/index.ts";
import { type Backend, errorOf, expectRefused, freshKey, freshName, itemOf, patternBytes, storageErrorOf } from "../backend.ts";

const KB = 1024;

export function limitTests(backend: () => Backend): void {
  const large = (sizeBytes: number): Item => ({ value: patternBytes(sizeBytes) });

  test("an item just under 400 KB is stored", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: large(399 * KB) });
    expect((await table.get(key))?.["value"]).toHaveLength(399 * KB);
  });

  test("an item over 400 KB is too large, and nothing is written", async () => {
    const { table } = backend().storage;
    const [absent, present] = [freshKey(), freshKey()];
    await table.write({ op: "put", key: present, item: { n: 1 } });
    for (const key of [absent, present]) {
      const error = await storageErrorOf(table.write({ op: "put", key, item: large(400 * KB) }));
      expect(error).toMatchObject({ kind: "too_large", outcome: "not_applied" });
    }
    expect(await table.getMany([absent, present])).toEqual([undefined, { n: 1 }]);
  });

  test("names, text, lists and maps count too", async () => {
    const { table } = backend().storage;
    for (const item of [
      { text: "é".repeat(205 * KB) },
      { list: Array.from({ length: 110 }, () => patternBytes(4 * KB)) },
      { map: Object.fromEntries(Array.from({ length: 110 }, (_, i) => [`k${i}`, "x".repeat(4 * KB)])) },
    ] satisfies Item[]) {
      expect((await storageErrorOf(table.write({ op: "put", key: freshKey(), item }))).kind).toBe("too_large");
    }
  });

  test("an update that would make an item too large is refused and leaves it", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const item = { l: [patternBytes(250 * KB)] };
    await table.write({ op: "put", key, item });
    const changes = [{ append: "l", values: [patternBytes(160 * KB)] }] as const;
    expect((await storageErrorOf(table.write({ op: "update", key, changes }))).kind).toBe("too_large");
    expect((await table.get(key))?.["l"]).toHaveLength(1);
  });

  test("in stages, what is too large fails for itself and stops what comes later", async () => {
    const { table } = backend().storage;
    const [big, small, later] = [freshKey(), freshKey(), freshKey()];
    const [first, second] = await table.inOrder([
      [
        { op: "put", key: big, item: large(410 * KB) },
        { op: "put", key: small, item: { n: 1 } },
      ],
      [{ op: "put", key: later, item: { n: 2 } }],
    ]);
    expect(errorOf(first?.[0]).kind).toBe("too_large");
    expect(itemOf(first?.[1])).toEqual({ n: 1 });
    expect(errorOf(second?.[0]).kind).toBe("not_reached");
    expect(await table.getMany([big, small, later])).toEqual([undefined, { n: 1 }, undefined]);
  });

  test("a transaction with an item that is too large writes nothing", async () => {
    const { table } = backend().storage;
    const [big, small] = [freshKey(), freshKey()];
    const run = table.atomically([
      { op: "put", key: small, item: { n: 1 } },
      { op: "put", key: big, item: large(410 * KB) },
    ]);
    expect((await storageErrorOf(run)).kind).toBe("too_large");
    expect(await table.getMany([small, big])).toEqual([undefined, undefined]);
  });

  test("keys may be as long as DynamoDB lets them be, counted in bytes", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    const longest = { pk: pk.padEnd(2048, "p"), sk: `${"é".repeat(511)}ab` };
    await table.write({ op: "put", key: longest, item: { n: 1 } });
    expect(await table.get(longest)).toEqual({ n: 1 });
    expect((await table.range(longest.pk)).map(({ key }) => key)).toEqual([longest]);
    for (const key of [
      { pk: `${longest.pk}p`, sk: "a" },
      { pk, sk: `${longest.sk}b` },
      { pk, sk: "é".repeat(513) },
    ]) {
      expect((await storageErrorOf(table.write({ op: "put", key, item: {} }))).kind).toBe("too_large");
    }
    expect(await table.range(pk)).toEqual([]);
  });

  test("an empty key is refused", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    await expectRefused(() => table.write({ op: "put", key: { pk, sk: "" }, item: {} }));
    await expectRefused(() => table.write({ op: "put", key: { pk: "", sk: "a" }, item: {} }));
    expect(await table.range(pk)).toEqual([]);
  });
}
