/** `atomically`: all or none. */
import { expect, test } from "vitest";
import type { Write } from "../../../lib/ports/index.ts";
import { type Backend, expectRefused, freshKey, freshName, patternBytes, storageErrorOf } from "../backend.ts";

export function transactionTests(backend: () => Backend): void {
  test("puts, updates, deletes and checks are applied together", async () => {
    const { table } = backend().storage;
    const [put, update, gone, checked] = [freshKey(), freshKey(), freshKey(), freshKey()];
    await table.write({ op: "put", key: update, item: { n: 1, l: [] } });
    await table.write({ op: "put", key: gone, item: { n: 2 } });
    await table.write({ op: "put", key: checked, item: { n: 3 } });
    const answer = await table.atomically([
      { op: "put", key: put, item: { n: 4 }, when: [{ item: "absent" }] },
      {
        op: "update",
        key: update,
        changes: [
          { add: "n", by: 10 },
          { append: "l", values: ["x"] },
        ],
        when: [{ path: "n", is: "=", value: 1 }],
      },
      { op: "delete", key: gone, when: [{ item: "exists" }] },
      { op: "check", key: checked, when: [{ path: "n", is: ">", value: 2 }] },
    ]);
    expect(answer).toBeUndefined();
    expect(await table.getMany([put, update, gone, checked])).toEqual([{ n: 4 }, { n: 11, l: ["x"] }, undefined, { n: 3 }]);
  });

  test("when one operation fails none is applied, and the error names the first that failed, with its item", async () => {
    const { table } = backend().storage;
    const [a, b, c, d] = [freshKey(), freshKey(), freshKey(), freshKey()];
    await table.write({ op: "put", key: c, item: { n: 3 } });
    await table.write({ op: "put", key: d, item: { n: 4 } });
    const error = await storageErrorOf(
      table.atomically([
        { op: "put", key: a, item: { n: 1 } },
        { op: "update", key: b, changes: [{ add: "n", by: 1 }] },
        { op: "update", key: c, changes: [{ add: "n", by: 1 }], when: [{ path: "n", is: "=", value: 99 }] },
        { op: "delete", key: d, when: [{ path: "n", is: "=", value: 98 }] },
      ]),
    );
    expect(error).toMatchObject({ kind: "condition_failed", outcome: "not_applied", index: 2, item: { n: 3 } });
    expect(await table.getMany([a, b, c, d])).toEqual([undefined, undefined, { n: 3 }, { n: 4 }]);
  });

  test("a check that fails holds everything back, and one of an absent item answers none", async () => {
    const { table } = backend().storage;
    const [a, b] = [freshKey(), freshKey()];
    const error = await storageErrorOf(
      table.atomically([
        { op: "put", key: a, item: { n: 1 } },
        { op: "check", key: b, when: [{ item: "exists" }] },
      ]),
    );
    expect(error).toMatchObject({ kind: "condition_failed", index: 1 });
    expect(error.item).toBeUndefined();
    expect(await table.get(a)).toBeUndefined();
    await table.atomically([
      { op: "put", key: a, item: { n: 1 } },
      { op: "check", key: b, when: [{ item: "absent" }] },
    ]);
    expect(await table.getMany([a, b])).toEqual([{ n: 1 }, undefined]);
  });

  test("the first operation can be the one that fails", async () => {
    const { table } = backend().storage;
    const [a, b] = [freshKey(), freshKey()];
    const error = await storageErrorOf(
      table.atomically([
        { op: "delete", key: a, when: [{ item: "exists" }] },
        { op: "put", key: b, item: {} },
      ]),
    );
    expect(error).toMatchObject({ kind: "condition_failed", index: 0 });
    expect(await table.get(b)).toBeUndefined();
  });

  const hundred = (pk: string, count: number): Write[] =>
    Array.from({ length: count }, (_, i) => ({ op: "put", key: { pk, sk: `k${String(i).padStart(3, "0")}` }, item: { i } }));

  test("100 items are applied together", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    await table.atomically(hundred(pk, 100));
    expect((await table.range(pk)).map(({ item }) => item["i"])).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("the last of 100 items can hold back all of them", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    const ops = [...hundred(pk, 99), { op: "check", key: freshKey(), when: [{ item: "exists" }] } as const];
    expect(await storageErrorOf(table.atomically(ops))).toMatchObject({ kind: "condition_failed", index: 99 });
    expect(await table.range(pk)).toEqual([]);
  });

  test("more than 100 items are refused before anything is written", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    await expectRefused(() => table.atomically(hundred(pk, 101)));
    expect(await table.range(pk)).toEqual([]);
  });

  test("a transaction of more than 4 MB is too large, and nothing is written", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    const value = patternBytes(390_000);
    const ops = Array.from({ length: 11 }, (_, i): Write => ({ op: "put", key: { pk, sk: `k${i}` }, item: { value } }));
    expect(await storageErrorOf(table.atomically(ops))).toMatchObject({ kind: "too_large", outcome: "not_applied" });
    expect(await table.range(pk)).toEqual([]);
  });

  test("an item that is named twice is refused before anything is written", async () => {
    const { table } = backend().storage;
    const [a, b] = [freshKey(), freshKey()];
    await expectRefused(() =>
      table.atomically([
        { op: "put", key: b, item: {} },
        { op: "put", key: a, item: { n: 1 } },
        { op: "update", key: a, changes: [{ add: "n", by: 1 }] },
      ]),
    );
    expect(await table.getMany([a, b])).toEqual([undefined, undefined]);
  });
}
