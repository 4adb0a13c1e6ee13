/** `inOrder`: a stage starts only when all of the one before it is applied and durable. */
import { expect, test } from "vitest";
import type { Condition, Key, PutBlob, Update, Write } from "../../../lib/ports/index.ts";
import {
  type Backend,
  errorOf,
  expectBytes,
  expectRefused,
  freshKey,
  freshName,
  freshUlid,
  itemOf,
  patternBytes,
} from "../backend.ts";

const ABSENT: readonly Condition[] = [{ item: "absent" }];

export function stageTests(backend: () => Backend): void {
  test("every operation answers for itself, stage by stage, with the item after it", async () => {
    const { table } = backend().storage;
    const [a, b, c] = [freshKey(), freshKey(), freshKey()];
    await table.write({ op: "put", key: c, item: { n: 9 } });
    const settled = await table.inOrder([
      [
        { op: "put", key: a, item: { n: 1 } },
        { op: "update", key: b, changes: [{ add: "n", by: 2 }] },
      ],
      [{ op: "delete", key: c }],
      [{ op: "update", key: a, changes: [{ add: "n", by: 10 }] }],
    ]);
    expect(settled).toEqual([
      [
        { ok: true, item: { n: 1 } },
        { ok: true, item: { n: 2 } },
      ],
      [{ ok: true, item: undefined }],
      [{ ok: true, item: { n: 11 } }],
    ]);
    expect(await table.getMany([a, b, c])).toEqual([{ n: 11 }, { n: 2 }, undefined]);
  });

  test("no stages, no answers; a stage of nothing is answered so and stops nothing", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    expect(await table.inOrder([])).toEqual([]);
    const settled = await table.inOrder([[], [{ op: "put", key, item: { n: 1 } }], []]);
    expect(settled).toEqual([[], [{ ok: true, item: { n: 1 } }], []]);
  });

  test("what breaks a rule of the port is refused before anything of any stage is written", async () => {
    const { table } = backend().storage;
    const [first, twice] = [freshKey(), freshKey()];
    const put = (key: Key): Write => ({ op: "put", key, item: {} });
    await expectRefused(() => table.inOrder([[put(first)], [put(twice), put(twice)]]));
    await expectRefused(() => table.inOrder([[put(first)], [put({ ...twice, sk: "" })]]));
    await expectRefused(() => table.inOrder([[put(first)], [{ op: "put", key: twice, item: { pk: 1 } }]]));
    expect(await table.getMany([first, twice])).toEqual([undefined, undefined]);
  });

  test("a stage sees what the one before it wrote", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    const settled = await table.inOrder([
      [{ op: "put", key, item: { n: 1 }, when: ABSENT }],
      [{ op: "update", key, changes: [{ add: "n", by: 1 }], when: [{ path: "n", is: "=", value: 1 }] }],
      [{ op: "update", key, changes: [{ add: "n", by: 1 }], when: [{ path: "n", is: "=", value: 2 }] }],
    ]);
    expect(settled.flat().map((one) => one.ok)).toEqual([true, true, true]);
    expect(await table.get(key)).toEqual({ n: 3 });
  });

  test("the operations of one stage succeed or fail by themselves", async () => {
    const { table } = backend().storage;
    const keys = [freshKey(), freshKey(), freshKey(), freshKey()] as const;
    await table.write({ op: "put", key: keys[1], item: { old: true } });
    await table.write({ op: "put", key: keys[3], item: { old: true } });
    const [stage] = await table.inOrder([keys.map((key, i) => ({ op: "put", key, item: { i }, when: ABSENT }))]);
    expect(stage?.map((one) => one.ok)).toEqual([true, false, true, false]);
    expect(itemOf(stage?.[2])).toEqual({ i: 2 });
    expect(errorOf(stage?.[1])).toMatchObject({ kind: "condition_failed", outcome: "not_applied", item: { old: true } });
    expect(await table.getMany(keys)).toEqual([{ i: 0 }, { old: true }, { i: 2 }, { old: true }]);
  });

  test("after a failure the later stages are not reached, and write nothing", async () => {
    const { table } = backend().storage;
    const [first, refused, beside, later, last] = [freshKey(), freshKey(), freshKey(), freshKey(), freshKey()];
    const blob = freshUlid(backend().clock.nowMs());
    const settled = await table.inOrder([
      [{ op: "put", key: first, item: { n: 1 } }],
      [
        { op: "update", key: refused, changes: [{ add: "n", by: 1 }], when: [{ item: "exists" }] },
        { op: "put", key: beside, item: { n: 2 } },
      ],
      [
        { op: "put", key: later, item: { n: 3 } },
        { op: "putBlob", id: blob, pieces: [patternBytes(10)], partitions: [freshName()] },
      ],
      [{ op: "delete", key: first }],
      [{ op: "put", key: last, item: { n: 4 } }],
    ]);
    expect(itemOf(settled[0]?.[0])).toEqual({ n: 1 });
    expect(errorOf(settled[1]?.[0]).kind).toBe("condition_failed");
    expect(errorOf(settled[1]?.[0]).item).toBeUndefined();
    expect(itemOf(settled[1]?.[1])).toEqual({ n: 2 });
    for (const one of [settled[2]?.[0], settled[2]?.[1], settled[3]?.[0], settled[4]?.[0]]) {
      expect(errorOf(one)).toMatchObject({ kind: "not_reached", outcome: "not_applied" });
    }
    expect(await table.getMany([first, refused, beside, later, last])).toEqual([
      { n: 1 },
      undefined,
      { n: 2 },
      undefined,
      undefined,
    ]);
    const { blobs } = backend().storage;
    expect(await blobs.read([{ id: blob, place: blobs.place(10), from: 0, to: 10 }])).toEqual([undefined]);
  });

  test("an impossible update fails for itself and does not throw", async () => {
    const { table } = backend().storage;
    const [bad, good] = [freshKey(), freshKey()];
    await table.write({ op: "put", key: bad, item: { l: "no list" } });
    const [stage] = await table.inOrder([
      [
        { op: "update", key: bad, changes: [{ append: "l", values: [1] }] },
        { op: "put", key: good, item: { n: 1 } },
      ],
    ]);
    expect(errorOf(stage?.[0]).outcome).toBe("not_applied");
    expect(itemOf(stage?.[1])).toEqual({ n: 1 });
    expect(await table.get(bad)).toEqual({ l: "no list" });
  });

  test.each([
    ["a small blob", 100],
    ["a blob of 5 KB", 5 * 1024],
    ["a blob of 600 KB", 600 * 1024],
  ])("%s, then the update that refers to it: an append", async (_, sizeBytes) => {
    const { table, blobs } = backend().storage;
    const head = freshKey("HEAD");
    await table.write({ op: "put", key: head, item: { n: 0, t: [] } });
    const partition = freshName();
    for (let i = 1; i <= 3; i++) {
      const id = freshUlid(backend().clock.nowMs());
      const put: PutBlob = { op: "putBlob", id, pieces: [patternBytes(sizeBytes, i)], partitions: [partition] };
      const update: Update = {
        op: "update",
        key: head,
        changes: [
          { add: "n", by: 10 },
          { append: "t", values: [id] },
        ],
        when: [{ item: "exists" }, { path: "t", is: "lacks", value: id }],
      };
      const settled = await table.inOrder([[put], [update]]);
      expect(itemOf(settled[0]?.[0])).toBeUndefined();
      expect(itemOf(settled[1]?.[0])?.["n"]).toBe(10 * i);
      const [bytes] = await blobs.read([{ id, place: blobs.place(sizeBytes), from: 0, to: sizeBytes }]);
      expectBytes(bytes, patternBytes(sizeBytes, i));
    }
  });

  test("several blobs and writes share a stage", async () => {
    const { table, blobs } = backend().storage;
    const partition = freshName();
    const puts = [10, 6000, 20_000].map(
      (sizeBytes, i): PutBlob => ({
        op: "putBlob",
        id: freshUlid(backend().clock.nowMs()),
        pieces: [patternBytes(sizeBytes, i + 1)],
        partitions: [partition],
      }),
    );
    const key = freshKey();
    const [stage] = await table.inOrder([[...puts, { op: "put", key, item: { n: 1 } }]]);
    expect(stage?.map((one) => one.ok)).toEqual([true, true, true, true]);
    const read = await blobs.read(
      puts.map(({ id, pieces: [piece] }) => {
        const to = (piece as Uint8Array).byteLength;
        return { id, place: blobs.place(to), from: 0, to };
      }),
    );
    for (const [i, { pieces }] of puts.entries()) expectBytes(read[i], pieces[0] as Uint8Array);
  });
}
