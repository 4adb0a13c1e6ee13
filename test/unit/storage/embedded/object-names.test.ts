/** An object whose name could not be made durable: what is said of it is what is known of it. */
import { expect, test } from "vitest";
import { type Disk, systemDisk } from "../../../../lib/storage/embedded/disk.ts";
import { openEmbedded } from "../../../../lib/storage/embedded/index.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";
import { inFolder } from "./support.ts";

/** A disk whose folders cannot be synced from some time on. */
function breakingDisk(): { readonly disk: Disk; readonly fail: () => void } {
  let fails = false;
  const disk: Disk = {
    ...systemDisk,
    async syncFolder(path) {
      if (fails) throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
      await systemDisk.syncFolder(path);
    },
  };
  return {
    disk,
    fail() {
      fails = true;
    },
  };
}

for (const ifAbsent of [false, true]) {
  test(`a put${ifAbsent ? " of a new object" : ""} whose name may not be durable is unknown, and nothing more is written`, () =>
    inFolder(async (folder) => {
      const { disk, fail } = breakingDisk();
      const storage = await openEmbedded({ folder, clock: systemClock, disk });
      await storage.bucket.put("x/a", new Uint8Array([1]));
      fail();
      // It is there to be seen: `not_applied` would be a lie.
      await expect(storage.bucket.put("x/b", new Uint8Array([2]), { ifAbsent })).rejects.toMatchObject({ outcome: "unknown" });
      expect(await storage.bucket.get("x/b")).toEqual(new Uint8Array([2]));
      await expect(storage.bucket.put("x/c", new Uint8Array([3]))).rejects.toMatchObject({ outcome: "not_applied" });
      expect(await storage.bucket.get("x/c")).toBeUndefined();
      await storage.close();
    }));
}

test("a deletion that may not be durable is unknown", () =>
  inFolder(async (folder) => {
    const { disk, fail } = breakingDisk();
    const storage = await openEmbedded({ folder, clock: systemClock, disk });
    await storage.bucket.put("x/a", new Uint8Array([1]));
    fail();
    await expect(storage.bucket.delete(["x/a"])).rejects.toMatchObject({ outcome: "unknown" });
    await storage.close();
  }));
