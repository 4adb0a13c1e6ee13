import { describe, expect, test } from "vitest";
import type { Check, Write } from "../../../lib/ports/index.ts";
import { refusal, type Subject, unique } from "../subject.ts";

export function atomicallyContract(subject: () => Subject): void {
  const table = () => subject().storage.table;
  const put = (pk: string, sk: string, more: object = {}): Write => ({ op: "put", key: { pk, sk }, item: { of: sk }, ...more });
  const sks = async (pk: string) => (await table().range(pk)).map(({ key }) => key.sk);

  describe("atomically", () => {
    test("puts, updates, deletes and checks happen together", async () => {
      const pk = unique("together");
      for (const sk of ["deleted", "updated", "checked"]) await table().write(put(pk, sk));
      const ops: (Write | Check)[] = [
        put(pk, "new", { when: [{ item: "absent" }] }),
        { op: "update", key: { pk, sk: "updated" }, changes: [{ add: "n", by: 2 }], when: [{ item: "exists" }] },
        { op: "delete", key: { pk, sk: "deleted" }, when: [{ path: "of", is: "=", value: "deleted" }] },
        { op: "check", key: { pk, sk: "checked" }, when: [{ item: "exists" }] },
        { op: "check", key: { pk, sk: "nothing" }, when: [{ item: "absent" }] },
      ];
      expect(await table().atomically(ops)).toBeUndefined();
      expect(await table().range(pk)).toEqual([
        { key: { pk, sk: "checked" }, item: { of: "checked" } },
        { key: { pk, sk: "new" }, item: { of: "new" } },
        { key: { pk, sk: "updated" }, item: { of: "updated", n: 2 } },
      ]);
    });

    test("one condition that fails keeps all from happening, and the error says which and shows its item", async () => {
      const pk = unique("none");
      await table().write(put(pk, "there"));
      const error = await refusal(
        table().atomically([
          put(pk, "a"),
          { op: "delete", key: { pk, sk: "there" }, when: [{ path: "of", is: "=", value: "other" }] },
          put(pk, "b"),
          { op: "check", key: { pk, sk: "nothing" }, when: [{ item: "exists" }] },
        ]),
      );
      expect(error.index).toBe(1);
      expect(error.item).toEqual({ of: "there" });
      expect(await sks(pk)).toEqual(["there"]);
      const absent = await refusal(
        table().atomically([put(pk, "a"), { op: "check", key: { pk, sk: "nothing" }, when: [{ item: "exists" }] }]),
      );
      expect(absent.index).toBe(1);
      expect(absent.item).toBeUndefined();
      const impossible = { op: "update", key: { pk, sk: "there" }, changes: [{ append: "t", values: [1] }] } as const;
      expect((await refusal(table().atomically([put(pk, "a"), put(pk, "b"), impossible]))).index).toBe(2);
      expect(await sks(pk)).toEqual(["there"]);
    });

    test("a hundred items are taken, one more is refused", async () => {
      const pk = unique("hundred");
      const puts = Array.from({ length: 101 }, (_, i) => put(pk, String(i).padStart(3, "0")));
      await expect(table().atomically(puts)).rejects.toThrow("101 items");
      expect(await sks(pk)).toEqual([]);
      await table().atomically(puts.slice(0, 100));
      expect(await sks(pk)).toHaveLength(100);
    });

    test("an item twice is refused, and more than 4 MB too", async () => {
      const pk = unique("refused");
      await expect(table().atomically([put(pk, "a"), put(pk, "a")])).rejects.toThrow("named twice");
      const b = new Uint8Array(390_000);
      const heavy = Array.from({ length: 11 }, (_, i) => put(pk, `h${i}`, { item: { b } }));
      await refusal(table().atomically(heavy), "too_large");
      await refusal(table().atomically([put(pk, "a"), put(pk, "h", { item: { b: new Uint8Array(500_000) } })]), "too_large");
      expect(await sks(pk)).toEqual([]);
    });

    test("transfers between items at once neither make nor lose anything", async () => {
      const pk = unique("transfer");
      const accounts = ["a", "b", "c", "d"];
      for (const sk of accounts) await table().write({ op: "put", key: { pk, sk }, item: { n: 100 } });
      const move = async (i: number): Promise<void> => {
        const from = accounts[i % 4] as string;
        const to = accounts[(i + 1 + (i % 3)) % 4] as string;
        for (let attempt = 0; attempt < 50; attempt++) {
          try {
            return await table().atomically([
              { op: "update", key: { pk, sk: from }, changes: [{ add: "n", by: -i }], when: [{ path: "n", is: ">=", value: i }] },
              { op: "update", key: { pk, sk: to }, changes: [{ add: "n", by: i }] },
            ]);
          } catch (error) {
            if ((error as { kind?: string }).kind !== "contended") throw error;
            await new Promise((resolve) => setTimeout(resolve, 5 + attempt * 5 * ((i % 7) / 7)));
          }
        }
        throw new Error("contended fifty times");
      };
      await Promise.all(Array.from({ length: 20 }, (_, i) => move(i)));
      const numbers = (await table().range(pk)).map(({ item }) => item["n"] as number);
      expect(numbers.reduce((a, b) => a + b)).toBe(400);
    });
  });
}
