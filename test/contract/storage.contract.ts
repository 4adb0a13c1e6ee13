/** Every promise of `lib/ports/storage.ts`, and T3, which only a storage that is opened again can show. */
import { describe, expect, test } from "vitest";
import { expectBytes, freshKey, freshUlid, itemOf, type MakeBackend, patternBytes, storageErrorOf, streamOf } from "./backend.ts";

export function storageContract(make: MakeBackend): void {
  describe("storage", () => {
    test("it says what it is and how much it takes at once", async () => {
      const { storage, dispose } = await make();
      try {
        expect(storage.kind).toMatch(/^[a-z]+$/);
        expect(storage.durability.length).toBeGreaterThan(5);
        expect(storage.maxConcurrentCommits).toBeGreaterThanOrEqual(1);
        expect(storage.writeDeadlineMs).toBeGreaterThan(0);
        expect(storage.clockSkewMs).toBeGreaterThanOrEqual(0);
      } finally {
        await dispose();
      }
    });

    test("close waits for what is under way, and later calls fail as unavailable", async () => {
      const { storage, dispose } = await make();
      try {
        const { table, blobs, bucket } = storage;
        const key = freshKey();
        const id = freshUlid(Date.now());
        let answered = 0;
        const writes = Array.from({ length: 20 }, (_, i) =>
          table.write({ op: "put", key: { ...key, sk: `k${i}` }, item: { i } }).then(() => answered++),
        );
        await storage.close();
        expect(answered).toBe(writes.length);
        const later: (() => Promise<unknown>)[] = [
          () => table.get(key),
          () => table.getMany([key]),
          () => table.range(key.pk),
          () => table.write({ op: "put", key, item: {} }),
          () => table.atomically([{ op: "put", key, item: {} }]),
          () => table.scan(key.pk)[Symbol.asyncIterator]().next(),
          () => blobs.read([{ id, place: blobs.place(10), from: 0, to: 10 }]),
          () => blobs.delete([{ id, place: blobs.place(10) }]),
          () => blobs.list(id)[Symbol.asyncIterator]().next(),
          () => bucket.put("contract/closed", patternBytes(1)),
          () => bucket.putStream("contract/closed", streamOf([patternBytes(1)])),
          () => bucket.get("contract/closed"),
          () => bucket.delete(["contract/closed"]),
          () => bucket.concat(["contract/closed"], "contract/too"),
          () => bucket.list("contract/")[Symbol.asyncIterator]().next(),
        ];
        for (const call of later) {
          const error = await storageErrorOf((async () => call())());
          expect([call.toString(), error.kind, error.outcome]).toEqual([call.toString(), "unavailable", "not_applied"]);
        }
        const [[settled] = []] = await table.inOrder([[{ op: "put", key, item: {} }]]);
        expect(settled).toMatchObject({ ok: false, error: { kind: "unavailable" } });
        await storage.close();
      } finally {
        await dispose();
      }
    });

    test("what was answered is there when the storage is opened again", async ({ skip }) => {
      const { storage, clock, reopen, dispose } = await make();
      try {
        if (reopen === undefined) return skip("nothing outlives this backend");
        const { table, blobs, bucket } = storage;
        const [key, gone, expiring] = [freshKey(), freshKey(), freshKey()];
        const item = { n: -1.5, t: "日本 😀", b: patternBytes(300), l: [1, [2], { a: patternBytes(3) }], m: {}, yes: true };
        await table.write({ op: "put", key, item });
        await table.write({ op: "put", key: gone, item });
        await table.write({ op: "put", key: expiring, item, expiresAtMs: clock.nowMs() - 5000 });
        await table.write({ op: "delete", key: gone });
        const puts = [60, 6000, 600_000].map((sizeBytes, i) => ({
          op: "putBlob" as const,
          id: freshUlid(clock.nowMs()),
          pieces: [patternBytes(sizeBytes, i + 1)],
          partitions: ["x#0"],
        }));
        const [blobsPut, updated] = await table.inOrder([puts, [{ op: "update", key, changes: [{ add: "n", by: 2 }] }]]);
        for (const one of blobsPut ?? []) itemOf(one);
        itemOf(updated?.[0]);
        await bucket.put("contract/reopened/object", patternBytes(7000));
        await storage.close();
        const again = await reopen();
        try {
          expect(await again.table.getMany([key, gone, expiring])).toEqual([{ ...item, n: 0.5 }, undefined, undefined]);
          const slices = puts.map(({ id, pieces: [piece] }) => {
            const to = (piece as Uint8Array).byteLength;
            return { id, place: blobs.place(to), from: 0, to };
          });
          const read = await again.blobs.read(slices);
          for (const [i, { pieces }] of puts.entries()) expectBytes(read[i], pieces[0] as Uint8Array);
          expectBytes(await again.bucket.get("contract/reopened/object"), patternBytes(7000));
        } finally {
          await again.close();
        }
      } finally {
        await dispose();
      }
    });
  });
}
