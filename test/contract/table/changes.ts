import { describe, expect, test } from "vitest";
import type { Change, Item } from "../../../lib/ports/index.ts";
import { refusal, type Subject, unique } from "../subject.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

export function changesContract(subject: () => Subject): void {
  const table = () => subject().storage.table;
  /** The item after these changes, as answered and as stored. */
  const changed = async (before: Item | undefined, ...changes: Change[]): Promise<Item | undefined> => {
    const key = { pk: unique("changes"), sk: "a" };
    if (before !== undefined) await table().write({ op: "put", key, item: before });
    const after = await table().write({ op: "update", key, changes });
    expect(await table().get(key)).toEqual(after);
    return after;
  };
  const impossible = async (before: Item | undefined, ...changes: Change[]): Promise<void> => {
    const key = { pk: unique("impossible"), sk: "a" };
    if (before !== undefined) await table().write({ op: "put", key, item: before });
    const error = await refusal(table().write({ op: "update", key, changes: [{ set: "other", to: 1 }, ...changes] }));
    expect(error.item).toEqual(before);
    expect(await table().get(key)).toEqual(before);
  };

  describe("changes", () => {
    test("an update makes the item that is absent", async () => {
      expect(await changed(undefined, { set: "a", to: "x" }, { add: "n", by: 3 })).toEqual({ a: "x", n: 3 });
      expect(await changed(undefined, { set: "m", to: {} }, { remove: "z" })).toEqual({ m: {} });
    });

    test("set writes an attribute, of any type over any other, or an entry of a map", async () => {
      expect(await changed({ a: 1, k: "kept" }, { set: "a", to: [bytes(1)] })).toEqual({ a: [bytes(1)], k: "kept" });
      const before = { m: { x: 1, "#1": 2 }, k: { x: 0 } };
      expect(await changed(before, { set: ["m", "#1"], to: 3 }, { set: ["m", "y.z"], to: bytes(4) })).toEqual({
        m: { x: 1, "#1": 3, "y.z": bytes(4) },
        k: { x: 0 },
      });
    });

    test("an entry needs its map", async () => {
      await impossible({ a: 1 }, { set: ["m", "x"], to: 1 });
      await impossible({ m: 1 }, { set: ["m", "x"], to: 1 });
      await impossible(undefined, { set: ["m", "x"], to: 1 });
      await impossible({ n: 1 }, { copy: ["m", "x"], from: "n", plus: 0 });
    });

    test("add counts an absent attribute as 0 and takes from it too", async () => {
      expect(await changed({ n: 5 }, { add: "n", by: 2 }, { add: "new", by: -3 })).toEqual({ n: 7, new: -3 });
      expect(await changed({ n: 2 ** 40 }, { add: "n", by: 2 ** 50 })).toEqual({ n: 2 ** 40 + 2 ** 50 });
      await impossible({ n: "5" }, { add: "n", by: 1 });
    });

    test("copy takes the old value, whatever the other changes do to it", async () => {
      const before = { next: 10, m: {} };
      expect(await changed(before, { add: "next", by: 5 }, { copy: ["m", "p"], from: "next", plus: 0 })).toEqual({
        next: 15,
        m: { p: 10 },
      });
      expect(await changed(before, { copy: "was", from: "next", plus: 3 }, { set: "next", to: 0 })).toEqual({
        next: 0,
        m: {},
        was: 13,
      });
      expect(await changed({ a: 1, b: 2 }, { copy: "a", from: "b", plus: 0 }, { copy: "b", from: "a", plus: -1 })).toEqual({
        a: 2,
        b: 0,
      });
      await impossible({ x: 1 }, { copy: "was", from: "next", plus: 0 });
      await impossible({ next: "1" }, { copy: "was", from: "next", plus: 0 });
    });

    test("append adds to the end of a list that is there", async () => {
      expect(await changed({ t: [] }, { append: "t", values: [bytes(1), bytes(2)] })).toEqual({ t: [bytes(1), bytes(2)] });
      expect(await changed({ t: [1] }, { append: "t", values: ["a", [2]] })).toEqual({ t: [1, "a", [2]] });
      await impossible({ a: 1 }, { append: "t", values: [1] });
      await impossible({ t: "list" }, { append: "t", values: [1] });
      await impossible(undefined, { append: "t", values: [1] });
    });

    test("dropFirst takes the oldest of a list, at most all of them, and keeps the order of the others", async () => {
      const t = Array.from({ length: 40 }, (_, i) => bytes(i));
      expect(await changed({ t }, { dropFirst: "t", count: 16 })).toEqual({ t: t.slice(16) });
      expect(await changed({ t: [1, 2, 3] }, { dropFirst: "t", count: 3 })).toEqual({ t: [] });
      expect(await changed({ t: [1, 2, 3] }, { dropFirst: "t", count: 9 }, { add: "b", by: 9 })).toEqual({ t: [], b: 9 });
      await impossible({ a: 1 }, { dropFirst: "t", count: 1 });
    });

    test("remove takes an attribute or an entry, if there", async () => {
      const before = { a: 1, b: 2, m: { x: 1, y: 2 } };
      const gone: Change[] = [{ remove: "a" }, { remove: ["m", "x"] }, { remove: "nothing" }, { remove: ["none", "x"] }];
      expect(await changed(before, ...gone)).toEqual({ b: 2, m: { y: 2 } });
      expect(await changed({ m: { x: 1 } }, { remove: ["m", "x"] }, { remove: ["m", "q"] })).toEqual({ m: {} });
    });

    test("all changes of an update happen together, on the one state that was judged (T2)", async () => {
      const head = { n: 7, t: [bytes(1)], q: { "9": 1 }, o: { "9": 6 }, e: 0 };
      expect(
        await changed(
          head,
          { add: "n", by: 3 },
          { append: "t", values: [bytes(2)] },
          { set: ["q", "8"], to: 12 },
          { copy: ["o", "8"], from: "n", plus: 2 },
          { remove: ["q", "9"] },
          { remove: ["o", "9"] },
          { add: "e", by: 1 },
        ),
      ).toEqual({ n: 10, t: [bytes(1), bytes(2)], q: { "8": 12 }, o: { "8": 9 }, e: 1 });
    });

    test("an update without changes makes an empty item, or leaves the one that is there", async () => {
      expect(await changed(undefined)).toEqual({});
      expect(await changed({ a: 1 })).toEqual({ a: 1 });
    });
  });
}
