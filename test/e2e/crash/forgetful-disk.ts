/**
 * A power loss, simulated: what has become durable is written down as it happens, so that after the process was killed,
 * what a disk may have forgotten can be taken away from a copy of its folder.
 */
import fs from "node:fs";
import { copyFile, mkdir, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { type Disk, systemDisk } from "../../../lib/storage/embedded/disk.ts";

/** What has become durable: bytes of a file up to a size, or names in a folder. */
export type Note =
  | { readonly file: string; readonly durableBytes: number }
  | { readonly folder: string; readonly names: readonly string[] };

/** The system's disk, which says what has become durable before it tells the storage so. */
export function notingDisk(note: (note: Note) => void): Disk {
  const paths = new Map<number, string>();
  return {
    ...systemDisk,
    async open(path) {
      const isNew = !fs.existsSync(path);
      const fd = await systemDisk.open(path);
      paths.set(fd, path);
      if (isNew) note({ file: path, durableBytes: 0 });
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

/** What of a folder is durable. What was there when the process began has survived a crash already. */
export class Durable {
  readonly #bytes = new Map<string, number>();
  readonly #names = new Set<string>();
  readonly #everything: boolean;
  /** Length of SQLite's log when the last batch was acknowledged: so much of it at least was synced. */
  walBytes = 0;

  /** `everything`: every sync is noted, SQLite's too; else those of the storage's own files alone. */
  constructor(folder: string, everything: boolean) {
    this.#everything = everything;
    if (!fs.existsSync(folder)) return;
    for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      this.#names.add(path);
      if (entry.isFile()) this.#bytes.set(path, fs.statSync(path).size);
    }
  }

  note(note: Note): void {
    if ("file" in note) this.#bytes.set(note.file, note.durableBytes);
    else for (const name of note.names) this.#names.add(join(note.folder, name));
  }

  /** What `sync-witness.c` has written. */
  noteAll(witnessed: string): void {
    for (const line of witnessed.split("\n")) {
      const tab = line.indexOf("\t");
      if (tab < 0) this.#names.add(line);
      else this.#bytes.set(line.slice(tab + 1), Number(line.slice(0, tab)));
    }
  }

  /** Bytes of a file that are durable; undefined where that is not known, and SQLite takes care of it. */
  bytesOf(path: string): number | undefined {
    if (!this.#everything && path.endsWith("-wal")) return this.walBytes;
    const bytes = this.#bytes.get(path) ?? (this.#everything ? 0 : undefined);
    // A file without a durable name is gone with all its bytes.
    return bytes === undefined || this.#names.has(path) ? bytes : 0;
  }
}

export interface Loss {
  /** What becomes of bytes that were not synced: gone, there as zeros (only the length was durable), or kept. */
  readonly files: "cut" | "zeroed" | "kept";
  /** The same of SQLite's log. */
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
    const how = entry.name.endsWith("-wal") ? loss.wal : loss.files;
    const { size } = await stat(source);
    const bytes = how === "kept" ? size : Math.min(size, durable.bytesOf(source) ?? size);
    lost += size - bytes;
    // An empty file that nobody named is not there at all.
    if (bytes === 0 && size > 0 && how === "cut") continue;
    await copyFile(source, target);
    if (bytes === size) continue;
    await truncate(target, bytes);
    if (how === "zeroed") await truncate(target, size);
  }
  return lost;
}

/** The length of SQLite's log in a folder. */
export function walBytesOf(folder: string): number {
  const name = fs.readdirSync(folder).find((one) => one.endsWith("-wal"));
  return name === undefined ? 0 : fs.statSync(join(folder, name)).size;
}
