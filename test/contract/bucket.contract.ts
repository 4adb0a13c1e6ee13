/** Every promise of `lib/ports/bucket.ts`, for any backend. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ObjectInfo } from "../../lib/ports/index.ts";
import { expectBytes, expectRefused, type MakeBackend, patternBytes, storageErrorOf, streamOf, useBackend } from "./backend.ts";

const MB = 2 ** 20;

export function bucketContract(make: MakeBackend): void {
  describe("bucket", () => {
    const backend = useBackend(make);
    const folder = (): string => `contract/${randomBytes(9).toString("hex")}`;

    async function list(prefix: string, after?: string): Promise<ObjectInfo[]> {
      const found: ObjectInfo[] = [];
      const options = after === undefined ? undefined : { after };
      for await (const page of backend().storage.bucket.list(prefix, options)) found.push(...page);
      return found;
    }
    const names = async (prefix: string, after?: string): Promise<string[]> =>
      (await list(prefix, after)).map(({ key }) => key.slice(prefix.length));

    test.each([0, 1, 5000, 3 * MB])("an object of %d bytes is read back byte for byte", async (sizeBytes) => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      await bucket.put(key, patternBytes(sizeBytes));
      expectBytes(await bucket.get(key), patternBytes(sizeBytes));
      expect((await list(key)).map((info) => [info.key, info.sizeBytes])).toEqual([[key, sizeBytes]]);
    });

    test("an object can be given in pieces", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      await bucket.put(key, [patternBytes(10, 1), patternBytes(0), patternBytes(70_000, 2), patternBytes(3, 3)]);
      const wanted = Buffer.concat([patternBytes(10, 1), patternBytes(70_000, 2), patternBytes(3, 3)]);
      expectBytes(await bucket.get(key), wanted);
      await bucket.put(key, []);
      expectBytes(await bucket.get(key), new Uint8Array(0));
    });

    test("an object that is not there is undefined", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      expect(await bucket.get(key)).toBeUndefined();
      expect(await bucket.get(key, { from: 3, to: 5 })).toBeUndefined();
    });

    test("a put replaces the object", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      await bucket.put(key, patternBytes(1000, 1));
      await bucket.put(key, patternBytes(10, 2));
      expectBytes(await bucket.get(key), patternBytes(10, 2));
      expect((await list(key)).map(({ sizeBytes }) => sizeBytes)).toEqual([10]);
    });

    test("ifAbsent refuses to replace, and of many at once one wins", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      const settled = await Promise.allSettled(
        [1, 2, 3, 4, 5].map((i) => bucket.put(key, patternBytes(100, i), { ifAbsent: true })),
      );
      const winners = settled.flatMap(({ status }, i) => (status === "fulfilled" ? [i + 1] : []));
      expect(winners.length).toBe(1);
      for (const one of settled) if (one.status === "rejected") expect(one.reason).toMatchObject({ kind: "condition_failed" });
      const refused = await storageErrorOf(bucket.put(key, patternBytes(3), { ifAbsent: true }));
      expect(refused).toMatchObject({ kind: "condition_failed", outcome: "not_applied" });
      expectBytes(await bucket.get(key), patternBytes(100, winners[0]));
      await bucket.delete([key]);
      await bucket.put(key, patternBytes(3), { ifAbsent: true });
      expectBytes(await bucket.get(key), patternBytes(3));
    });

    test("a slice has the bytes from its first to before its last, fewer at the end", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      const bytes = patternBytes(1000);
      await bucket.put(key, bytes);
      expectBytes(await bucket.get(key, {}), bytes);
      expectBytes(await bucket.get(key, { from: 0, to: 1 }), bytes.subarray(0, 1));
      expectBytes(await bucket.get(key, { from: 100, to: 300 }), bytes.subarray(100, 300));
      expectBytes(await bucket.get(key, { from: 999 }), bytes.subarray(999));
      expectBytes(await bucket.get(key, { to: 10 }), bytes.subarray(0, 10));
      expectBytes(await bucket.get(key, { from: 990, to: 5000 }), bytes.subarray(990));
      expectBytes(await bucket.get(key, { from: 1000 }), new Uint8Array(0));
      expectBytes(await bucket.get(key, { from: 2000, to: 3000 }), new Uint8Array(0));
    });

    test("bytes that were read or handed in may be changed by their owner", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      const given = patternBytes(5000);
      await bucket.put(key, given);
      given.fill(0);
      const first = await bucket.get(key);
      expectBytes(first, patternBytes(5000));
      first?.fill(1);
      expectBytes(await bucket.get(key), patternBytes(5000));
    });

    test("a reader sees a whole object, the old one or the new one", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      const version = (i: number): Uint8Array => new Uint8Array(150_000 + i).fill(i);
      await bucket.put(key, version(1));
      let writing = true;
      const reader = async (): Promise<void> => {
        while (writing) {
          const got = await bucket.get(key);
          const i = got?.[0] as number;
          expectBytes(got, version(i));
        }
      };
      const readers = [reader(), reader()];
      try {
        for (let i = 2; i <= 8; i++) await bucket.put(key, version(i));
      } finally {
        writing = false;
      }
      await Promise.all(readers);
      expectBytes(await bucket.get(key), version(8));
    });

    test("deleted objects are gone from reads and lists, and deleting what is not there succeeds", async () => {
      const { bucket } = backend().storage;
      const at = folder();
      const keys = Array.from({ length: 30 }, (_, i) => `${at}/${i}`);
      await Promise.all(keys.map((key) => bucket.put(key, patternBytes(10))));
      await bucket.delete(keys.slice(0, 29));
      await bucket.delete([...keys.slice(0, 5), `${at}/never`]);
      await bucket.delete([]);
      expect(await bucket.get(keys[0] as string)).toBeUndefined();
      expect(await names(`${at}/`)).toEqual(["29"]);
    });

    test("a list is in byte order, whatever is in the names", async () => {
      const { bucket } = backend().storage;
      const at = `${folder()}/`;
      const order = ["-", ".a", "0", "10", "2", "A", "B/c", "_", "a", "a-b", "a.b", "a/b", "a/b/c", "a0", "aa", "b"];
      await Promise.all([...order].reverse().map((name) => bucket.put(at + name, patternBytes(name.length))));
      expect(await names(at)).toEqual(order);
      expect((await list(at)).map(({ sizeBytes }) => sizeBytes)).toEqual(order.map((name) => name.length));
      expect(await names(at, `${at}a`)).toEqual(order.slice(9));
      expect(await names(at, `${at}a/a`)).toEqual(["a/b", "a/b/c", "a0", "aa", "b"]);
      expect(await names(at, `${at}z`)).toEqual([]);
    });

    test("a prefix is taken literally, and need not end at a slash", async () => {
      const { bucket } = backend().storage;
      const at = folder();
      for (const name of ["a_b/1", "axb/1", "A_b/1", "a_bc", "a_"]) await bucket.put(`${at}/${name}`, patternBytes(1));
      expect(await names(`${at}/a_`)).toEqual(["", "b/1", "bc"]);
      expect(await names(`${at}/a_b`)).toEqual(["/1", "c"]);
      expect(await names(`${at}/a_b/`)).toEqual(["1"]);
      expect(await names(`${at}/none`)).toEqual([]);
    });

    test("a key may be another key's folder", async () => {
      const { bucket } = backend().storage;
      const at = folder();
      const keys = [`${at}/a`, `${at}/a/b`, `${at}/b`, `${at}/a/b/c`];
      for (const [i, key] of keys.entries()) await bucket.put(key, patternBytes(20, i + 1));
      for (const [i, key] of keys.entries()) expectBytes(await bucket.get(key), patternBytes(20, i + 1));
      await bucket.delete([`${at}/a/b`]);
      expect(await names(`${at}/`)).toEqual(["a", "a/b/c", "b"]);
    });

    test("a key may have 1024 bytes, a part of it 240", async () => {
      const { bucket } = backend().storage;
      const keys = [
        `${folder()}/${`${"x".repeat(240)}/`.repeat(4)}`.padEnd(1024, "z"),
        `${folder()}${"/y".repeat(600)}`.slice(0, 1023).padEnd(1024, "y"),
      ];
      for (const [i, key] of keys.entries()) {
        expect(key.length).toBe(1024);
        await bucket.put(key, patternBytes(20, i + 1));
        expectBytes(await bucket.get(key), patternBytes(20, i + 1));
        expect((await list(key)).map((info) => info.key)).toEqual([key]);
        await bucket.delete([key]);
        expect(await bucket.get(key)).toBeUndefined();
      }
    });

    test("a key that breaks the rules is refused, and nothing is written", async () => {
      const { bucket } = backend().storage;
      const at = folder();
      await bucket.put(`${at}/good`, patternBytes(5));
      const bad = ["", "/", `/${at}`, `${at}/`, `${at}//a`, `${at}/./a`, `${at}/../a`, "..", ".", `${at}/a b`, `${at}/é`];
      bad.push(`${at}/a\\b`, `${at}/a%2fb`, `${at}/a\u0000`, `${at}/a:b`, `${at}/`.padEnd(1025, "x"));
      for (const key of bad) {
        await expectRefused(() => bucket.put(key, patternBytes(5)));
        await expectRefused(() => bucket.putStream(key, streamOf([patternBytes(5)])));
        await expectRefused(() => bucket.get(key));
        await expectRefused(() => bucket.concat([`${at}/good`], key));
        await expectRefused(() => bucket.concat([`${at}/good`, key], `${at}/joined`));
        await expectRefused(() => bucket.delete([`${at}/good`, key]));
      }
      expect(await names(`${at}/`)).toEqual(["good"]);
    });

    test.each([0, 1, 70_000, 8 * MB, 27 * MB])("an object of %d bytes can come as a stream", async (sizeBytes) => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      const bytes = patternBytes(sizeBytes);
      const pieces: Uint8Array[] = [];
      for (let at = 0, step = 1; at < sizeBytes; at += step, step = Math.min(step * 3, 3 * MB))
        pieces.push(bytes.slice(at, at + step));
      await bucket.put(key, patternBytes(3, 2));
      await bucket.putStream(key, streamOf(pieces));
      expectBytes(await bucket.get(key), bytes);
      expect((await list(key)).map((info) => info.sizeBytes)).toEqual([sizeBytes]);
    });

    test.each([10, 27 * MB])("a stream that fails after %d bytes writes nothing", async (sizeBytes) => {
      const { bucket } = backend().storage;
      const at = folder();
      const error = new Error("the source has gone");
      const pieces = Array.from({ length: 10 }, () => patternBytes(sizeBytes / 10));
      await expect(bucket.putStream(`${at}/a`, streamOf(pieces, error))).rejects.toBe(error);
      expect(await names(`${at}/`)).toEqual([]);
    });

    test("concat makes one object out of many, in their order", async () => {
      const { bucket } = backend().storage;
      const at = folder();
      const sizes = [5 * MB, 0, 6 * MB, 1000, 7];
      const keys = sizes.map((_, i) => `${at}/${9 - i}`);
      await Promise.all(keys.map((key, i) => bucket.put(key, patternBytes(sizes[i] as number, i + 1))));
      await bucket.concat(keys, `${at}/joined`);
      expectBytes(await bucket.get(`${at}/joined`), Buffer.concat(sizes.map((size, i) => patternBytes(size, i + 1))));
      for (const [i, key] of keys.entries()) expect((await bucket.get(key))?.byteLength).toBe(sizes[i]);
      await bucket.concat([keys[3] as string, keys[3] as string], `${at}/joined`);
      expectBytes(await bucket.get(`${at}/joined`), Buffer.concat([patternBytes(1000, 4), patternBytes(1000, 4)]));
    });

    test("concat of an object that is not there is refused, and nothing is written", async () => {
      const { bucket } = backend().storage;
      const at = folder();
      await bucket.put(`${at}/a`, patternBytes(5));
      await storageErrorOf(bucket.concat([`${at}/a`, `${at}/b`], `${at}/joined`));
      expect(await names(`${at}/`)).toEqual(["a"]);
    });

    test("a list says when an object was written", async () => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      await bucket.put(key, patternBytes(5));
      const [info] = await list(key);
      expect(Math.abs((info?.modifiedAtMs as number) - backend().clock.nowMs())).toBeLessThan(5 * 60_000);
    });

    test("a presigned URL gives the object to whoever holds it", async ({ skip }) => {
      const { bucket } = backend().storage;
      const key = `${folder()}/object`;
      await bucket.put(key, patternBytes(5000));
      const url = await bucket.presign(key, "GET", 60_000);
      if (url === undefined) return skip("this backend has no URLs");
      const response = await fetch(url);
      expect(response.status).toBe(200);
      expectBytes(new Uint8Array(await response.arrayBuffer()), patternBytes(5000));
    });
  });
}
