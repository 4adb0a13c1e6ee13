/** `range` and `scan`. */
import { expect, test } from "vitest";
import type { RangeQuery } from "../../../lib/ports/index.ts";
import { type Backend, freshName, patternBytes } from "../backend.ts";

export function rangeTests(backend: () => Backend): void {
  async function fill(pk: string, sks: readonly string[]): Promise<void> {
    await Promise.all(sks.map((sk) => backend().storage.table.write({ op: "put", key: { pk, sk }, item: { of: sk } })));
  }

  async function sks(pk: string, query?: RangeQuery): Promise<string[]> {
    const found = await backend().storage.table.range(pk, query);
    for (const { key, item } of found) expect([key.pk, key.sk]).toEqual([pk, item["of"]]);
    return found.map(({ key }) => key.sk);
  }

  test("a range takes both of its ends in, and each end may be left out", async () => {
    const pk = freshName();
    await fill(pk, ["d", "b", "a", "e", "c"]);
    expect(await sks(pk)).toEqual(["a", "b", "c", "d", "e"]);
    expect(await sks(pk, {})).toEqual(["a", "b", "c", "d", "e"]);
    expect(await sks(pk, { from: "b", to: "d" })).toEqual(["b", "c", "d"]);
    expect(await sks(pk, { from: "c" })).toEqual(["c", "d", "e"]);
    expect(await sks(pk, { to: "b" })).toEqual(["a", "b"]);
    expect(await sks(pk, { from: "aa", to: "cc" })).toEqual(["b", "c"]);
    expect(await sks(pk, { from: "c", to: "c" })).toEqual(["c"]);
    expect(await sks(pk, { from: "f" })).toEqual([]);
    expect(await sks(pk, { from: "d", to: "b" })).toEqual([]);
    expect(await sks(freshName())).toEqual([]);
  });

  test("a range runs backwards, and stops at its limit", async () => {
    const pk = freshName();
    await fill(pk, ["a", "b", "c", "d", "e"]);
    expect(await sks(pk, { reverse: true })).toEqual(["e", "d", "c", "b", "a"]);
    expect(await sks(pk, { from: "b", to: "d", reverse: true })).toEqual(["d", "c", "b"]);
    expect(await sks(pk, { limit: 2 })).toEqual(["a", "b"]);
    expect(await sks(pk, { limit: 2, reverse: true })).toEqual(["e", "d"]);
    expect(await sks(pk, { from: "b", limit: 1 })).toEqual(["b"]);
    expect(await sks(pk, { to: "c", limit: 1, reverse: true })).toEqual(["c"]);
    expect(await sks(pk, { limit: 50 })).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("sort keys are ordered by their UTF-8 bytes", async () => {
    const pk = freshName();
    const order = ["A", "Z", "a", "a\u0000", "a ", "a!", "aa", "z", "é", "日本", "\uff5e", "\ufffd", "😀", "😁"];
    await fill(pk, [...order].reverse());
    expect(await sks(pk)).toEqual(order);
    expect(await sks(pk, { from: "é", to: "\ufffd" })).toEqual(["é", "日本", "\uff5e", "\ufffd"]);
    expect(await sks(pk, { from: "\ufffd", reverse: true })).toEqual(["😁", "😀", "\ufffd"]);
  });

  test("a range stays in its partition key", async () => {
    const pk = freshName();
    await fill(pk, ["a"]);
    await fill(`${pk}#1`, ["b"]);
    await fill(pk.slice(0, -1), ["c"]);
    expect(await sks(pk)).toEqual(["a"]);
  });

  test("a range of more than a page comes whole", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    const value = (i: number) => patternBytes(300_000, i + 1);
    await Promise.all(
      [0, 1, 2, 3, 4].map((i) => table.write({ op: "put", key: { pk, sk: `${i}` }, item: { i, value: value(i) } })),
    );
    const seen = (query?: RangeQuery) => table.range(pk, query).then((found) => found.map(({ item }) => item["i"]));
    expect(await seen()).toEqual([0, 1, 2, 3, 4]);
    expect(await seen({ reverse: true })).toEqual([4, 3, 2, 1, 0]);
    expect(await seen({ from: "1", to: "4", limit: 4 })).toEqual([1, 2, 3, 4]);
    const [last] = await table.range(pk, { reverse: true, limit: 1 });
    expect(Buffer.compare(last?.item["value"] as Uint8Array, value(4))).toBe(0);
  });

  async function scanned(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for await (const page of backend().storage.table.scan(prefix)) found.push(...page);
    return found.sort();
  }

  test("a scan names every partition key with the prefix once", async () => {
    const prefix = freshName("scan");
    const pks = Array.from({ length: 40 }, (_, i) => `${prefix}/${String(i).padStart(2, "0")}`);
    await Promise.all(pks.map((pk, i) => fill(pk, i % 2 === 0 ? ["a", "b", "c"] : ["a"])));
    await fill(`x${prefix}/`, ["a"]);
    expect(await scanned(`${prefix}/`)).toEqual(pks);
    expect(await scanned(`${prefix}/1`)).toEqual(pks.slice(10, 20));
    expect(await scanned(`${prefix}/07`)).toEqual([`${prefix}/07`]);
    expect(await scanned(`${prefix}/x`)).toEqual([]);
  });

  test("a scan takes its prefix literally", async () => {
    const prefix = freshName("scan");
    const pks = ["a%b", "a_b", "axb", "A_B", "a*b", "a[b", "é", "É", "日本", "😀"].map((name) => `${prefix}/${name}`);
    await Promise.all(pks.map((pk) => fill(pk, ["a"])));
    for (const pk of pks) expect(await scanned(pk)).toEqual([pk]);
    expect(await scanned(`${prefix}/a`)).toEqual(["a%b", "a*b", "a[b", "a_b", "axb"].map((name) => `${prefix}/${name}`).sort());
  });

  test("a scan does not name a partition key that has lost its items", async () => {
    const prefix = freshName("scan");
    await fill(`${prefix}/a`, ["1", "2"]);
    await fill(`${prefix}/b`, ["1"]);
    for (const sk of ["1", "2"]) await backend().storage.table.write({ op: "delete", key: { pk: `${prefix}/a`, sk } });
    expect(await scanned(prefix)).toEqual([`${prefix}/b`]);
  });
}
