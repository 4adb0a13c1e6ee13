/** Blobs in shared files: where they go, how files end, and what failing files do. */
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Disk, systemDisk } from "../../../../lib/storage/embedded/disk.ts";
import { type EmbeddedOptions, openEmbedded } from "../../../../lib/storage/embedded/index.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";
import { fresh, inFolder, present, until, type Written, write } from "./support.ts";

const SMALL = { inlineMostBytes: 100, fileMostBytes: 10_000 };
const open = (folder: string, more: Partial<EmbeddedOptions> = {}) =>
  openEmbedded({ folder, clock: systemClock, tuning: SMALL, ...more });
const filesOf = async (folder: string) => (await readdir(join(folder, "blobs"))).sort();
const nameOf = (file: number) => `${String(file).padStart(10, "0")}.blobs`;
const yes = (count: number) => Array.from({ length: count }, () => true);

test("a full file is followed by the next, and blobs of all of them are read, also when opened again", () =>
  inFolder(async (folder) => {
    let storage = await open(folder);
    const blobs = Array.from({ length: 30 }, (_, i) => fresh(1000 + i, i));
    for (const blob of blobs) expect(await write(storage, [blob])).toEqual([{ ok: true, item: undefined }]);
    expect(await filesOf(folder)).toEqual([nameOf(1), nameOf(2), nameOf(3)]);
    expect(await present(storage, blobs)).toEqual(yes(30));
    await storage.close();
    storage = await open(folder);
    expect(await present(storage, blobs.toReversed())).toEqual(yes(30));
    const later = fresh(500, 99);
    await write(storage, [later]);
    expect(await present(storage, [...blobs, later])).toEqual(yes(31));
    await storage.close();
  }));

test("the blobs of one call go the same way: together they are small or not", () =>
  inFolder(async (folder) => {
    const storage = await open(folder);
    const together = Array.from({ length: 5 }, (_, i) => fresh(50, i));
    await write(storage, together.slice(0, 2));
    expect(await filesOf(folder)).toEqual([]);
    await write(storage, together.slice(2));
    expect(await filesOf(folder)).toEqual([nameOf(1)]);
    expect((await stat(join(folder, "blobs", nameOf(1)))).size).toBe(150);
    await storage.close();
    const again = await open(folder);
    expect(await present(again, together)).toEqual(yes(5));
    await again.close();
  }));

test("many calls at once share writes and syncs", () =>
  inFolder(async (folder) => {
    let syncs = 0;
    const disk: Disk = {
      ...systemDisk,
      sync(fd) {
        syncs++;
        return systemDisk.sync(fd);
      },
    };
    const storage = await open(folder, { disk });
    const blobs = Array.from({ length: 40 }, (_, i) => fresh(150, i));
    await Promise.all(blobs.map((blob) => write(storage, [blob])));
    expect(syncs).toBeLessThan(4);
    expect(await present(storage, blobs)).toEqual(yes(40));
    await storage.close();
  }));

test("bytes beyond what is recorded are cut off, files that are not recorded are deleted", () =>
  inFolder(async (folder) => {
    let storage = await open(folder);
    const blob = fresh(1000, 1);
    await write(storage, [blob]);
    await storage.close();
    const path = join(folder, "blobs", nameOf(1));
    await writeFile(path, "left by a crash", { flag: "a" });
    await writeFile(join(folder, "blobs", nameOf(2)), "left by a crash");
    storage = await open(folder);
    expect((await stat(path)).size).toBe(1000);
    expect(await filesOf(folder)).toEqual([nameOf(1)]);
    const next = fresh(1000, 2);
    await write(storage, [next]);
    expect(await present(storage, [blob, next])).toEqual([true, true]);
    await storage.close();
  }));

test("a file in which nothing is alive is deleted; the one that grows is not", () =>
  inFolder(async (folder) => {
    const storage = await open(folder);
    const blobs = Array.from({ length: 25 }, (_, i) => fresh(1000, i));
    for (const blob of blobs) await write(storage, [blob]);
    const names = (some: readonly Written[]) => some.map(({ id }) => ({ id, place: 1 as const }));
    await storage.blobs.delete(names(blobs.slice(0, 10)));
    expect(await filesOf(folder)).toEqual([nameOf(2), nameOf(3)]);
    await storage.blobs.delete(names(blobs.slice(20)));
    expect(await filesOf(folder)).toEqual([nameOf(2), nameOf(3)]);
    expect(await present(storage, blobs)).toEqual(blobs.map((_, i) => i >= 10 && i < 20));
    await storage.close();
  }));

test("what is alive in a file that is nearly dead moves to the last one, while it is read and written", () =>
  inFolder(async (folder) => {
    let storage = await open(folder);
    const blobs = Array.from({ length: 31 }, (_, i) => fresh(1000, i));
    for (const blob of blobs) await write(storage, [blob]);
    const kept = [blobs[4], blobs[14], blobs[15]] as Written[];
    const reading = (async () => {
      for (let i = 0; i < 60; i++) expect(await present(storage, kept)).toEqual([true, true, true]);
    })();
    const gone = blobs.slice(0, 20).filter((blob) => !kept.includes(blob));
    await storage.blobs.delete(gone.map(({ id }) => ({ id, place: 1 })));
    await write(storage, [fresh(800, 77)]);
    await until(async () => !(await filesOf(folder)).some((name) => name === nameOf(1) || name === nameOf(2)));
    await reading;
    const expected = blobs.map((blob, i) => i >= 20 || kept.includes(blob));
    expect(await present(storage, blobs)).toEqual(expected);
    await storage.close();
    storage = await open(folder);
    expect(await present(storage, blobs)).toEqual(expected);
    await storage.blobs.delete(blobs.map(({ id }) => ({ id, place: 1 })));
    expect(await present(storage, blobs)).toEqual(blobs.map(() => false));
    await storage.close();
  }));

test("recorded bytes that are not there are damage, said in one line", () =>
  inFolder(async (folder) => {
    const storage = await open(folder);
    await write(storage, [fresh(1000, 1)]);
    await storage.close();
    const path = join(folder, "blobs", nameOf(1));
    await writeFile(path, "short");
    await expect(open(folder)).rejects.toThrow(
      `data directory ${folder} is damaged: ${path} has 5 bytes, though 1000 were recorded`,
    );
  }));

test("after a sync that failed nothing is written until the storage is opened again, and nothing answered is lost", () =>
  inFolder(async (folder) => {
    let fails = false;
    const disk: Disk = {
      ...systemDisk,
      async sync(fd) {
        if (fails) throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
        await systemDisk.sync(fd);
      },
    };
    const storage = await open(folder, { disk });
    const [before, lost, later] = [fresh(1000, 1), fresh(1000, 2), fresh(1000, 3)];
    await write(storage, [before]);
    fails = true;
    const [first] = await write(storage, [lost]);
    expect(first).toMatchObject({ ok: false, error: { kind: "unavailable", outcome: "not_applied" } });
    fails = false;
    const [second] = await write(storage, [later]);
    expect(second).toMatchObject({ ok: false, error: { message: expect.stringContaining("until the storage is opened again") } });
    await expect(storage.table.write({ op: "put", key: { pk: "a", sk: "b" }, item: {} })).rejects.toMatchObject({
      kind: "unavailable",
    });
    expect(await present(storage, [before, lost, later])).toEqual([true, false, false]);
    await storage.close();
    const again = await open(folder);
    await write(again, [later]);
    expect(await present(again, [before, lost, later])).toEqual([true, false, true]);
    await again.close();
  }));

test("a write that failed gives its space back and leaves later ones alone", () =>
  inFolder(async (folder) => {
    let fails = false;
    const disk: Disk = {
      ...systemDisk,
      async write(fd, pieces, position) {
        if (!fails) return systemDisk.write(fd, pieces, position);
        await systemDisk.write(fd, pieces.slice(0, 1), position);
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      },
    };
    const storage = await open(folder, { disk });
    const [before, refused, later] = [fresh(1000, 1), fresh(1000, 2), fresh(1000, 3)];
    await write(storage, [before]);
    fails = true;
    const settled = await storage.table.inOrder([
      [{ op: "putBlob", id: refused.id, pieces: [refused.bytes], partitions: [] }],
      [{ op: "put", key: { pk: "head", sk: "x" }, item: {} }],
    ]);
    expect(settled).toMatchObject([[{ ok: false, error: { kind: "full" } }], [{ ok: false, error: { kind: "not_reached" } }]]);
    expect((await stat(join(folder, "blobs", nameOf(1)))).size).toBe(1000);
    fails = false;
    await write(storage, [later]);
    expect(await present(storage, [before, refused, later])).toEqual([true, false, true]);
    expect(await storage.table.get({ pk: "head", sk: "x" })).toBeUndefined();
    await storage.close();
  }));

test("a blob id that was used is refused, and the blob stays what it was", () =>
  inFolder(async (folder) => {
    const storage = await open(folder);
    for (const sizeBytes of [60, 1000]) {
      const first = fresh(sizeBytes, 1);
      await write(storage, [first]);
      const [again] = await write(storage, [{ id: first.id, bytes: fresh(sizeBytes, 2).bytes }]);
      expect(again).toMatchObject({ ok: false, error: { kind: "condition_failed" } });
      expect(await present(storage, [first])).toEqual([true]);
    }
    await storage.close();
  }));
