import { describe, expect, test } from "vitest";
import type { KeyedItem } from "../../../lib/ports/index.ts";
import { collect, type Subject, unique } from "../subject.ts";

export function readsContract(subject: () => Subject): void {
  const table = () => subject().storage.table;
  const fill = (pk: string, sks: readonly string[]) =>
    Promise.all(sks.map((sk) => table().write({ op: "put", key: { pk, sk }, item: { of: sk } })));
  const sks = (found: readonly KeyedItem[]) => found.map(({ key }) => key.sk);

  describe("reads", () => {
    test("a read that starts after a write was answered sees it (T1)", async () => {
      const key = { pk: unique("read"), sk: "a" };
      expect(await table().get(key)).toBeUndefined();
      for (let n = 0; n < 20; n++) {
        await table().write({ op: "put", key, item: { n } });
        expect(await table().get(key)).toEqual({ n });
        expect(await table().getMany([key])).toEqual([{ n }]);
        expect(await table().range(key.pk)).toEqual([{ key, item: { n } }]);
      }
      await table().write({ op: "delete", key });
      expect(await table().get(key)).toBeUndefined();
      expect(await table().range(key.pk)).toEqual([]);
    });

    test("getMany answers in the order of the keys, any number of them, the same one twice too", async () => {
      const pk = unique("many");
      const all = Array.from({ length: 150 }, (_, i) => `k${i}`);
      await fill(pk, all.slice(0, 140));
      const keys = all.toReversed().map((sk) => ({ pk, sk }));
      keys.push({ pk, sk: "k7" });
      const items = await table().getMany(keys);
      expect(items).toEqual(keys.map(({ sk }) => (Number(sk.slice(1)) < 140 ? { of: sk } : undefined)));
      expect(await table().getMany([])).toEqual([]);
    });

    test("items of several partition keys do not mix", async () => {
      const pk = unique("mix");
      await fill(pk, ["a"]);
      await fill(`${pk}0`, ["b"]);
      expect(sks(await table().range(pk))).toEqual(["a"]);
      expect(await table().get({ pk, sk: "b" })).toBeUndefined();
    });

    test("range goes by the bytes of the sort key in UTF-8", async () => {
      const pk = unique("order");
      // In UTF-16 the last two would be the other way round.
      const ordered = ["#", "0", "00", "01", "1", "10", "A", "Z", "_", "a", "aa", "~", "é", "\uffee", "\u{1f600}"];
      await fill(pk, ordered.toReversed());
      expect(sks(await table().range(pk))).toEqual(ordered);
      expect(sks(await table().range(pk, { reverse: true }))).toEqual(ordered.toReversed());
    });

    test("range takes both ends in, and a limit from the end it starts at", async () => {
      const pk = unique("range");
      const all = Array.from({ length: 10 }, (_, i) => `R#${i}`);
      await fill(pk, all);
      expect(sks(await table().range(pk, { from: "R#3", to: "R#5" }))).toEqual(["R#3", "R#4", "R#5"]);
      expect(sks(await table().range(pk, { from: "R#8" }))).toEqual(["R#8", "R#9"]);
      expect(sks(await table().range(pk, { to: "R#1" }))).toEqual(["R#0", "R#1"]);
      expect(sks(await table().range(pk, { from: "R#3x", to: "R#5x", limit: 1 }))).toEqual(["R#4"]);
      expect(sks(await table().range(pk, { from: "R#3", to: "R#5", limit: 2, reverse: true }))).toEqual(["R#5", "R#4"]);
      expect(sks(await table().range(pk, { from: "S" }))).toEqual([]);
      expect(sks(await table().range(pk, { from: "R#5", to: "R#3" }))).toEqual([]);
      expect(sks(await table().range(unique("nothing")))).toEqual([]);
    });

    test("range returns everything, however large it is together", async () => {
      const pk = unique("large");
      const bytes = new Uint8Array(200 * 1024).fill(7);
      const all = Array.from({ length: 12 }, (_, i) => String(i).padStart(2, "0"));
      for (const sk of all) await table().write({ op: "put", key: { pk, sk }, item: { bytes } });
      const found = await table().range(pk);
      expect(sks(found)).toEqual(all);
      expect(found.every(({ item }) => (item["bytes"] as Uint8Array).byteLength === bytes.byteLength)).toBe(true);
      expect(sks(await table().range(pk, { reverse: true, limit: 9 }))).toEqual(all.toReversed().slice(0, 9));
      const many = await table().getMany(all.map((sk) => ({ pk, sk })));
      expect(many.every((item) => item !== undefined)).toBe(true);
      for (const sk of all) await table().write({ op: "delete", key: { pk, sk } });
    });

    test("scan names each partition key with the prefix once", async () => {
      const prefix = unique("scan");
      const pks = Array.from({ length: 30 }, (_, i) => `${prefix}#${i}`);
      for (const pk of pks) await fill(pk, ["a", "b"]);
      await fill(`x${prefix}`, ["a"]);
      await table().write({ op: "delete", key: { pk: `${prefix}#7`, sk: "a" } });
      await Promise.all(["a", "b"].map((sk) => table().write({ op: "delete", key: { pk: `${prefix}#8`, sk } })));
      const found = await collect(table().scan(`${prefix}#`));
      expect(found.toSorted()).toEqual(pks.filter((pk) => pk !== `${prefix}#8`).toSorted());
    });
  });
}
