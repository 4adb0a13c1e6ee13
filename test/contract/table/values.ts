import { describe, expect, test } from "vitest";
import type { Item } from "../../../lib/ports/index.ts";
import { type Subject, unique } from "../subject.ts";

export function valuesContract(subject: () => Subject): void {
  const table = () => subject().storage.table;

  describe("values", () => {
    test("every kind of value comes back as it was", async () => {
      const item: Item = {
        s: "text",
        empty: "",
        u: "ü€😀\u0000\n",
        t: true,
        f: false,
        b: new Uint8Array([0, 1, 255]),
        eb: new Uint8Array(0),
        l: [1, "two", new Uint8Array([3]), [4, []], { five: 5 }],
        el: [],
        m: { a: 1, "b.c": { d: [true] }, "1": "x" },
        em: {},
        "name with . # : spaces": 1,
      };
      const key = { pk: unique("kinds"), sk: "a" };
      expect(await table().write({ op: "put", key, item })).toEqual(item);
      expect(await table().get(key)).toEqual(item);
      expect((await table().range(key.pk))[0]?.item).toEqual(item);
    });

    test("names that mean something in JavaScript are names like others", async () => {
      const names = ["constructor", "toString", "hasOwnProperty", "__proto__"];
      const map = Object.fromEntries(names.map((name, i) => [name, i]));
      const key = { pk: unique("names"), sk: "a" };
      await table().write({ op: "put", key, item: { m: map, e: {} } });
      const after = await table().write({
        op: "update",
        key,
        changes: [{ set: ["e", "valueOf"], to: 1 }],
        when: [
          { path: ["e", "constructor"], is: "absent" },
          { path: "toString", is: "absent" },
          { path: ["m", "constructor"], is: "=", value: 0 },
        ],
      });
      expect(Object.entries(after?.["m"] as Item).toSorted()).toEqual(Object.entries(map).toSorted());
      expect(Object.keys(after?.["e"] as Item)).toEqual(["valueOf"]);
    });

    test("integers up to 2^53 and floats are exact, and -0 is 0", async () => {
      const numbers = [0, 1, -1, 255, 256, 65_536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1), 0.1, 1 / 3, -1.5e-9, 1.25e100];
      const key = { pk: unique("numbers"), sk: "a" };
      await table().write({ op: "put", key, item: { numbers, negativeZero: -0 } });
      const found = await table().get(key);
      expect(found?.["numbers"]).toEqual(numbers);
      expect(Object.is(found?.["negativeZero"], 0)).toBe(true);
      const next = 2 ** 53 - 2;
      await table().write({ op: "put", key, item: { next } });
      expect(await table().write({ op: "update", key, changes: [{ add: "next", by: 1 }] })).toEqual({ next: next + 1 });
    });

    test("what is handed in and what comes out are not shared with the storage (T6)", async () => {
      const key = { pk: unique("copies"), sk: "a" };
      const bytes = Buffer.from([1, 2, 3]);
      const list = [new Uint8Array([4])];
      await table().write({ op: "put", key, item: { bytes, list, map: { x: new Uint8Array([5]) } } });
      const untouched = { bytes: new Uint8Array([1, 2, 3]), list: [new Uint8Array([4])], map: { x: new Uint8Array([5]) } };
      bytes.fill(9);
      list[0]?.fill(9);
      list.push(new Uint8Array([9]));
      const reads = [
        () => table().get(key),
        async () => (await table().getMany([key]))[0],
        async () => (await table().range(key.pk))[0]?.item,
        () => table().write({ op: "update", key, changes: [{ remove: "nothing" }] }),
      ];
      for (const read of reads) {
        const found = (await read()) as Item;
        expect(found).toEqual(untouched);
        (found["bytes"] as Uint8Array).fill(8);
        ((found["list"] as Uint8Array[])[0] as Uint8Array).fill(8);
        (found["list"] as Uint8Array[]).pop();
        (found["map"] as Record<string, unknown>)["x"] = 8;
      }
      expect(await table().get(key)).toEqual(untouched);
    });
  });
}
