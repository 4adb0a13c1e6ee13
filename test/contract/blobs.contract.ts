/** Every promise of `lib/ports/blobs.ts`, for any backend. */
import { describe, expect, test } from "vitest";
import { compareUlids, ULID_ZERO, ulidText } from "../../lib/base/ulid.ts";
import type { BlobInfo, BlobName, BlobSlice, PutBlob } from "../../lib/ports/index.ts";
import { expectBytes, freshName, freshUlid, itemOf, type MakeBackend, patternBytes, useBackend } from "./backend.ts";

const KB = 1024;

export function blobsContract(make: MakeBackend): void {
  describe("blobs", () => {
    const backend = useBackend(make);

    interface Written {
      readonly name: BlobName;
      readonly bytes: Uint8Array;
      readonly partitions: readonly string[];
    }

    async function write(
      pieces: readonly Uint8Array[],
      more: Partial<Pick<PutBlob, "id" | "partitions">> = {},
    ): Promise<Written> {
      const { table, blobs } = backend().storage;
      const { id = freshUlid(backend().clock.nowMs()), partitions = [freshName()] } = more;
      const bytes = new Uint8Array(Buffer.concat(pieces));
      const [[settled] = []] = await table.inOrder([[{ op: "putBlob", id, pieces, partitions }]]);
      itemOf(settled);
      return { name: { id, place: blobs.place(bytes.byteLength) }, bytes, partitions };
    }

    const whole = ({ name, bytes }: Written): BlobSlice => ({ ...name, from: 0, to: bytes.byteLength });

    async function listed(upTo: Uint8Array, wanted: readonly Written[], which?: "all" | "large"): Promise<BlobInfo[]> {
      const ours = new Set(wanted.map(({ name }) => ulidText(name.id)));
      const found: BlobInfo[] = [];
      for await (const page of backend().storage.blobs.list(upTo, which)) {
        for (const info of page) {
          expect(compareUlids(info.id, upTo), "a listed id is at or below the last one asked for").toBeLessThanOrEqual(0);
          if (ours.has(ulidText(info.id))) found.push(info);
        }
      }
      return found;
    }

    test.each([1, 100, 4 * KB - 1, 4 * KB, 5 * KB, 64 * KB, 64 * KB + 1, 350 * KB, 1024 * KB, 5 * 1024 * KB + 3])(
      "a blob of %d bytes is read back byte for byte",
      async (sizeBytes) => {
        const one = await write([patternBytes(sizeBytes)]);
        const [got] = await backend().storage.blobs.read([whole(one)]);
        expectBytes(got, one.bytes);
      },
    );

    test("a blob is its pieces one after the other", async () => {
      for (const sizes of [
        [3, 1, 0, 7],
        [2 * KB, 1, 3 * KB],
        [100 * KB, 200 * KB, 5, 300 * KB],
      ]) {
        const one = await write(sizes.map((size, i) => patternBytes(size, i + 1)));
        const [got] = await backend().storage.blobs.read([whole(one)]);
        expectBytes(got, one.bytes);
      }
    });

    test("pieces may be views into larger memory", async () => {
      const memory = patternBytes(10 * KB);
      const one = await write([memory.subarray(100, 200), Buffer.from(memory.buffer, 5000, 50)]);
      const [got] = await backend().storage.blobs.read([whole(one)]);
      expectBytes(got, one.bytes);
    });

    test.each([200, 10 * KB, 700 * KB])("slices of a blob of %d bytes are what they say", async (sizeBytes) => {
      const one = await write([patternBytes(sizeBytes)]);
      const cuts: [number, number][] = [
        [0, 1],
        [0, sizeBytes],
        [sizeBytes - 1, sizeBytes],
        [17, 150],
        [100, sizeBytes],
        [Math.floor(sizeBytes / 3), Math.floor(sizeBytes / 2)],
      ];
      const got = await backend().storage.blobs.read(cuts.map(([from, to]) => ({ ...one.name, from, to })));
      for (const [i, [from, to]] of cuts.entries()) expectBytes(got[i], one.bytes.subarray(from, to));
    });

    test("many slices of many blobs come in the order asked for, with undefined for those that are not there", async () => {
      const { blobs } = backend().storage;
      const all = await Promise.all(
        Array.from({ length: 30 }, (_, i) => write([patternBytes(i % 3 === 0 ? 9 * KB + i : 50 + i, i + 1)])),
      );
      const missing = [50, 9 * KB, 900 * KB].map((to) => ({
        id: freshUlid(backend().clock.nowMs()),
        place: blobs.place(to),
        from: 0,
        to,
      }));
      const slices = [...all.map(whole).reverse(), ...missing, ...all.map((one) => ({ ...one.name, from: 10, to: 40 }))];
      const got = await blobs.read(slices);
      expect(got.length).toBe(slices.length);
      for (const [i, one] of [...all].reverse().entries()) expectBytes(got[i], one.bytes);
      expect(got.slice(30, 33)).toEqual([undefined, undefined, undefined]);
      for (const [i, one] of all.entries()) expectBytes(got[33 + i], one.bytes.subarray(10, 40));
      expect(await blobs.read([])).toEqual([]);
    });

    test.each([60, 8 * KB, 500 * KB])(
      "bytes that were read or handed in may be changed by their owner (%d bytes)",
      async (sizeBytes) => {
        const { blobs } = backend().storage;
        const given = patternBytes(sizeBytes);
        const one = await write([given]);
        given.fill(0xee);
        const [first, again] = await blobs.read([whole(one), whole(one)]);
        expectBytes(first, one.bytes);
        first?.fill(0xdd);
        expectBytes(again, one.bytes);
        const [later] = await blobs.read([whole(one)]);
        expectBytes(later, one.bytes);
      },
    );

    test("a deleted blob is gone, the others stay, and deleting what is not there succeeds", async () => {
      const { blobs } = backend().storage;
      const all = await Promise.all(
        [80, 6 * KB, 400 * KB, 90, 7 * KB, 401 * KB].map((size, i) => write([patternBytes(size, i + 1)])),
      );
      const [gone, kept] = [all.slice(0, 3), all.slice(3)];
      await blobs.delete(gone.map(({ name }) => name));
      await blobs.delete(gone.map(({ name }) => name));
      await blobs.delete([80, 8 * KB].map((size) => ({ id: freshUlid(backend().clock.nowMs()), place: blobs.place(size) })));
      await blobs.delete([]);
      const got = await blobs.read(all.map(whole));
      expect(got.slice(0, 3)).toEqual([undefined, undefined, undefined]);
      for (const [i, one] of kept.entries()) expectBytes(got[3 + i], one.bytes);
      const last = all.reduce((max, { name }) => (compareUlids(name.id, max) > 0 ? name.id : max), ULID_ZERO);
      expect((await listed(last, gone)).length).toBe(0);
      expect((await listed(last, kept)).length).toBe(3);
    });

    test("many blobs are deleted at once", async () => {
      const { blobs } = backend().storage;
      const all = await Promise.all(
        Array.from({ length: 60 }, (_, i) => write([patternBytes(i % 2 === 0 ? 40 : 5 * KB, i + 1)])),
      );
      await blobs.delete(all.map(({ name }) => name));
      expect(await blobs.read(all.map(whole))).toEqual(all.map(() => undefined));
    });

    test("a list has every blob up to an id, with its size, its place and its partitions", async () => {
      const timeMs = backend().clock.nowMs() - 86_400_000;
      const all: Written[] = [];
      for (const [i, size] of [70, 4 * KB + 100, 300 * KB, 75, 5 * KB].entries()) {
        const partitions = i === 1 ? [freshName("a"), freshName("b"), freshName("c")] : [freshName("d")];
        all.push(await write([patternBytes(size)], { id: freshUlid(timeMs + i), partitions }));
      }
      const found = await listed((all[3] as Written).name.id, all);
      const byId = new Map(found.map((info) => [ulidText(info.id), info]));
      expect(found.length).toBe(4);
      for (const { name, bytes, partitions } of all.slice(0, 4)) {
        const info = byId.get(ulidText(name.id)) as BlobInfo;
        expect({ ...info, id: ulidText(info.id), partitions: [...info.partitions].sort() }).toEqual({
          id: ulidText(name.id),
          place: name.place,
          sizeBytes: bytes.byteLength,
          partitions: [...partitions].sort(),
        });
      }
      expect((await listed(freshUlid(timeMs - 1), all)).length).toBe(0);
      const { blobs } = backend().storage;
      const large = all.slice(0, 4).filter(({ name }) => name.place !== blobs.place(1));
      expect(large.length).toBeGreaterThan(0);
      const names = (infos: readonly { readonly id: Uint8Array }[]): string[] => infos.map(({ id }) => ulidText(id)).sort();
      const foundLarge = await listed((all[3] as Written).name.id, all, "large");
      expect(names(foundLarge)).toEqual(names(large.map(({ name }) => name)));
    });

    test("the same size has always the same place, from 0 to 3", () => {
      const { blobs } = backend().storage;
      for (const size of [1, 100, 4095, 4096, 4097, 65_536, 2 ** 20, 2 ** 27]) {
        expect([0, 1, 2, 3]).toContain(blobs.place(size));
        expect(blobs.place(size)).toBe(blobs.place(size));
      }
    });
  });
}
