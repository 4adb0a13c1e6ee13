/** A file is kept while places in it are on their way into the table, however much else of it is deleted meanwhile. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Disk, systemDisk } from "../../../../lib/storage/embedded/disk.ts";
import { openEmbedded } from "../../../../lib/storage/embedded/index.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";
import { fresh, inFolder, present, until, write } from "./support.ts";

const TUNING = { inlineMostBytes: 1000, fileMostBytes: 1_000_000 };
/** Two of them do not go into one write of the shared files. */
const LARGE = 20_000_000;

/** A disk whose sync of this number waits to be let go. */
function holdingSync(number: number): { readonly disk: Disk; readonly reached: Promise<void>; readonly letGo: () => void } {
  const reached = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  let syncs = 0;
  const disk: Disk = {
    ...systemDisk,
    async sync(fd) {
      if (++syncs === number) {
        reached.resolve();
        await held.promise;
      }
      await systemDisk.sync(fd);
    },
  };
  return { disk, reached: reached.promise, letGo: held.resolve };
}

test("a call whose blobs go into two files loses none when the first file is otherwise dead meanwhile", () =>
  inFolder(async (folder) => {
    const { disk, reached, letGo } = holdingSync(3);
    const storage = await openEmbedded({ folder, clock: systemClock, disk, tuning: TUNING });
    const old = fresh(500_000, 1);
    const both = [fresh(LARGE, 2), fresh(LARGE, 3)];
    await write(storage, [old]);
    const call = write(storage, both);
    await reached;
    // The first of the two is durable in file 1 and not yet recorded; nothing else in that file is alive after this.
    await storage.blobs.delete([{ id: old.id, place: 1 }]);
    letGo();
    expect((await call).every(({ ok }) => ok)).toBe(true);
    expect(await present(storage, both)).toEqual([true, true]);
    await storage.close();
    const again = await openEmbedded({ folder, clock: systemClock, tuning: TUNING });
    expect(await present(again, both)).toEqual([true, true]);
    await again.close();
  }));

test("a file that was kept for a call that failed is dropped later", () =>
  inFolder(async (folder) => {
    let fails = false;
    const disk: Disk = {
      ...systemDisk,
      async write(fd, pieces, position) {
        if (fails) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
        await systemDisk.write(fd, pieces, position);
        fails = pieces.some(({ byteLength }) => byteLength > 1_000_000);
      },
    };
    const storage = await openEmbedded({ folder, clock: systemClock, disk, tuning: TUNING });
    const old = fresh(500_000, 1);
    await write(storage, [old]);
    const settled = await write(storage, [fresh(LARGE, 2), fresh(LARGE, 3)]);
    expect(settled).toMatchObject([{ error: { kind: "full" } }, { error: { kind: "full" } }]);
    fails = false;
    const later = fresh(5000, 4);
    await write(storage, [later]);
    await storage.blobs.delete([{ id: old.id, place: 1 }]);
    await until(async () => (await readdir(join(folder, "blobs"))).join() === "0000000002.blobs");
    expect(await present(storage, [old, later])).toEqual([false, true]);
    await storage.close();
  }));
