import { describe, expect, test } from "vitest";
import type { PutBlob, Write } from "../../../lib/ports/index.ts";
import { freshUlid, itemOf, kinds, refusal, type Subject, unique } from "../subject.ts";

export function inOrderContract(subject: () => Subject): void {
  const table = () => subject().storage.table;
  const put = (pk: string, sk: string, when?: Write["when"]): Write => ({
    op: "put",
    key: { pk, sk },
    item: { of: sk },
    ...(when && { when }),
  });
  const blob = (id: Uint8Array, ...pieces: number[][]): PutBlob => ({
    op: "putBlob",
    id,
    pieces: pieces.map((piece) => new Uint8Array(piece)),
    partitions: ["t#0"],
  });

  describe("inOrder", () => {
    test("a later stage sees what an earlier one did", async () => {
      const key = { pk: unique("stages"), sk: "a" };
      const add = (n: number): Write => ({
        op: "update",
        key,
        changes: [{ add: "n", by: 1 }],
        when: n === 0 ? [{ item: "absent" }] : [{ path: "n", is: "=", value: n }],
      });
      const settled = await table().inOrder([[add(0)], [add(1)], [{ op: "delete", key }], [add(0)], [add(1)], [add(2)]]);
      expect(kinds(settled).flat()).toEqual(["ok", "ok", "ok", "ok", "ok", "ok"]);
      expect(settled.map(([one]) => itemOf(one))).toEqual([{ n: 1 }, { n: 2 }, undefined, { n: 1 }, { n: 2 }, { n: 3 }]);
      expect(await table().get(key)).toEqual({ n: 3 });
    });

    test("each operation of a stage answers for itself, in its place", async () => {
      const pk = unique("stage");
      await table().write(put(pk, "there"));
      const absent = [{ item: "absent" }] as const;
      const settled = await table().inOrder([
        [put(pk, "a"), put(pk, "there", absent), { op: "delete", key: { pk, sk: "none" } }, put(pk, "b", absent)],
      ]);
      expect(kinds(settled)).toEqual([["ok", "condition_failed", "ok", "ok"]]);
      const failed = settled[0]?.[1];
      expect(failed?.ok === false && failed.error.item).toEqual({ of: "there" });
      expect(itemOf(settled[0]?.[0])).toEqual({ of: "a" });
      expect(itemOf(settled[0]?.[2])).toBeUndefined();
      expect((await table().range(pk)).map(({ key }) => key.sk)).toEqual(["a", "b", "there"]);
    });

    test("after a failure the stages behind it are not reached, and what came before stays", async () => {
      const pk = unique("failure");
      const never = [{ item: "exists" }] as const;
      const settled = await table().inOrder([
        [put(pk, "1a"), put(pk, "1b")],
        [put(pk, "2a"), put(pk, "2b", never), put(pk, "2c")],
        [put(pk, "3a"), put(pk, "3b", never)],
        [blob(freshUlid(subject().clock), [1])],
      ]);
      expect(kinds(settled)).toEqual([
        ["ok", "ok"],
        ["ok", "condition_failed", "ok"],
        ["not_reached", "not_reached"],
        ["not_reached"],
      ]);
      expect((await table().range(pk)).map(({ key }) => key.sk)).toEqual(["1a", "1b", "2a", "2c"]);
    });

    test("a blob, then the head that names it: the blob is there when the head is", async () => {
      const { clock, storage } = subject();
      const key = { pk: unique("append"), sk: "HEAD" };
      const ids = [freshUlid(clock), freshUlid(clock)];
      await table().write({ op: "put", key, item: { n: 0, t: [] } });
      for (const [i, id] of ids.entries()) {
        const update: Write = {
          op: "update",
          key,
          changes: [
            { add: "n", by: 3 },
            { append: "t", values: [id] },
          ],
          when: [{ item: "exists" }, { path: "t", is: "lacks", value: id }],
        };
        const settled = await table().inOrder([[blob(id, [1, 2], [], [3, i])], [update]]);
        expect(itemOf(settled[0]?.[0])).toBeUndefined();
        expect(itemOf(settled[1]?.[0])).toEqual({ n: 3 * (i + 1), t: ids.slice(0, i + 1) });
      }
      const place = storage.blobs.place(4);
      const read = await storage.blobs.read(ids.map((id) => ({ id, place, from: 0, to: 4 })));
      expect(read).toEqual([new Uint8Array([1, 2, 3, 0]), new Uint8Array([1, 2, 3, 1])]);
    });

    test("a stage too large to store fails by itself", async () => {
      const pk = unique("heavy");
      const heavy: Write = { op: "put", key: { pk, sk: "heavy" }, item: { b: new Uint8Array(500_000) } };
      expect(kinds(await table().inOrder([[put(pk, "a"), heavy], [put(pk, "b")]]))).toEqual([
        ["ok", "too_large"],
        ["not_reached"],
      ]);
      expect((await table().range(pk)).map(({ key }) => key.sk)).toEqual(["a"]);
    });

    test("nothing at all, and stages of nothing, are answered so", async () => {
      expect(await table().inOrder([])).toEqual([]);
      expect(kinds(await table().inOrder([[], [put(unique("empty"), "a")], []]))).toEqual([[], ["ok"], []]);
    });

    test("one item twice in a stage is a bug, refused before anything is done", async () => {
      const pk = unique("twice");
      await expect(table().inOrder([[put(pk, "x")], [put(pk, "a"), put(pk, "a")]])).rejects.toThrow("named twice");
      await expect(table().inOrder([[put(pk, "x")], [put(pk, "")]])).rejects.toThrow("sort key is empty");
      await refusal(table().inOrder([[put(pk, "x")], [put(pk, "s".repeat(1025))]]), "too_large");
      expect(await table().range(pk)).toEqual([]);
    });
  });
}
