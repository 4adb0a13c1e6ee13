/**
 * A power loss, simulated: what the storage does with its files is written down as it happens (`Note`), so that after the
 * process was killed, what a disk may have forgotten can be taken away from a copy of the folder.
 */

import fs from "node:fs";
import { copyFile, mkdir, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { type Disk, systemDisk } from "../../../lib/storage/embedded/disk.ts";

/** What has become durable: bytes of a file up to a size, or names in a folder. */
export type Note =
  | { readonly file: string; readonly durableBytes: number; readonly named?: boolean }
  | { readonly folder: string; readonly names: readonly string[] };

/** The system's disk, which says what has become durable before it tells the storage so. */
export function notingDisk(note: (note: Note) => void): Disk {
  const paths = new Map<number, string>();
  return {
    ...systemDisk,
    async open(path) {
      const existed = fs.existsSync(path);
      const fd = await systemDisk.open(path);
      paths.set(fd, path);
      // What was there when the process began has survived a crash already.
      note({ file: path, durableBytes: existed ? fs.fstatSync(fd).size : 0, named: existed });
      return fd;
    },
    async close(fd) {
      paths.delete(fd);
      await systemDisk.close(fd);
    },
    async sync(fd) {
      const durableBytes = fs.fstatSync(fd).size;
      await systemDisk.sync(fd);
      const file = paths.get(fd);
      if (file !== undefined) note({ file, durableBytes });
    },
    async syncFolder(path) {
      const names = fs.readdirSync(path);
      await systemDisk.syncFolder(path);
      note({ folder: path, names });
    },
  };
}

/** What of a folder is durable, by the notes of the process that had it open. */
export class Durable {
  readonly #bytes = new Map<string, number>();
  readonly #named = new Set<string>();
  /** Length of SQLite's log when the last batch was acknowledged: so much of it at least was synced. */
  walBytes = 0;

  note(note: Note): void {
    if ("file" in note) {
      this.#bytes.set(note.file, note.durableBytes);
      if (note.named === true) this.#named.add(note.file);
    } else for (const name of note.names) this.#named.add(join(note.folder, name));
  }

  /** Bytes of a file that are durable; undefined where it is not one of the storage's own, and SQLite takes care of it. */
  bytesOf(path: string): number | undefined {
    return this.#bytes.get(path);
  }

  /** Is the file's name durable? A file without one is gone with all its bytes. */
  isNamed(path: string): boolean {
    return this.#named.has(path);
  }
}

export interface Loss {
  /** What becomes of bytes that were not synced: gone, there as zeros (only the length was durable), or kept. */
  readonly files: "cut" | "zeroed" | "kept";
  /** SQLite's log: cut back to what the last acknowledgement needed, or kept. */
  readonly wal: "cut" | "kept";
}

/** Copies a folder as it may be after the power came back; answers how many bytes it has lost. */
export async function copyAfterPowerLoss(from: string, to: string, durable: Durable, loss: Loss): Promise<number> {
  let lost = 0;
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      lost += await copyAfterPowerLoss(source, target, durable, loss);
      continue;
    }
    const { size } = await stat(source);
    const bytes = durable.bytesOf(source);
    if (bytes !== undefined && loss.files !== "kept" && !durable.isNamed(source)) {
      lost += size;
      continue;
    }
    await copyFile(source, target);
    if (entry.name.endsWith("-wal")) {
      if (loss.wal === "kept" || durable.walBytes >= size) continue;
      await truncate(target, durable.walBytes);
      lost += size - durable.walBytes;
      continue;
    }
    if (bytes === undefined || bytes >= size || loss.files === "kept") continue;
    await truncate(target, bytes);
    if (loss.files === "zeroed") await truncate(target, size);
    lost += size - bytes;
  }
  return lost;
}

/** The length of SQLite's log in a folder. */
export function walBytesOf(folder: string): number {
  const name = fs.readdirSync(folder).find((one) => one.endsWith("-wal"));
  return name === undefined ? 0 : fs.statSync(join(folder, name)).size;
}
