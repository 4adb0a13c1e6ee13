/**
 * A power loss, simulated: what has become durable is written down as it happens, so that after the process was killed,
 * what a disk may have forgotten can be taken away from a copy of its folder.
 */
import fs from "node:fs";
import { copyFile, mkdir, readdir, stat, truncate } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { type Disk, systemDisk } from "../../../lib/storage/embedded/disk.ts";

/**
 * What has become durable: bytes of a file up to a size, or the names in a folder. Or that a file is being removed, of which
 * a copy stays behind: it may come back until its folder is synced. `walBytes`: length of SQLite's log before that.
 */
export type Note =
  | { readonly file: string; readonly inode: number; readonly durableBytes: number }
  | { readonly folder: string; readonly names: readonly string[] }
  | { readonly removed: string; readonly copy: string; readonly walBytes: number };

/** The system's disk, which says what has become durable before it tells the storage so. */
export function notingDisk(folder: string, note: (note: Note) => void): Disk {
  const paths = new Map<number, string>();
  let removals = 0;
  return {
    ...systemDisk,
    async open(path) {
      const isNew = !fs.existsSync(path);
      const fd = await systemDisk.open(path);
      paths.set(fd, path);
      if (isNew) note({ file: path, inode: fs.fstatSync(fd).ino, durableBytes: 0 });
      return fd;
    },
    async close(fd) {
      paths.delete(fd);
      await systemDisk.close(fd);
    },
    async sync(fd) {
      const { ino: inode, size: durableBytes } = fs.fstatSync(fd);
      await systemDisk.sync(fd);
      const file = paths.get(fd);
      if (file !== undefined) note({ file, inode, durableBytes });
    },
    async remove(path) {
      const walBytes = walBytesOf(folder);
      const copy = `${folder}.removed.${removals++}`;
      try {
        fs.linkSync(path, copy);
      } catch {
        return;
      }
      note({ removed: path, copy, walBytes });
      await systemDisk.remove(path);
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
  /** By inode, for files that got their name when they were whole. */
  readonly #inodeBytes = new Map<number, number>();
  /** Files that were removed, and may come back. */
  readonly removed = new Map<string, string>();
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
    if ("file" in note) {
      this.#bytes.set(note.file, note.durableBytes);
      this.#inodeBytes.set(note.inode, note.durableBytes);
    } else if ("removed" in note) {
      this.removed.set(note.removed, note.copy);
    } else {
      for (const name of note.names) this.#names.add(join(note.folder, name));
      for (const path of this.removed.keys()) {
        const within = relative(note.folder, path).split(sep)[0] as string;
        if (within !== ".." && !note.names.includes(within)) this.removed.delete(path);
      }
    }
  }

  /** What `sync-witness.c` has written. */
  noteAll(witnessed: string): void {
    for (const line of witnessed.split("\n")) {
      const [sizeBytes, inode, path] = line.split("\t") as [string, string?, string?];
      if (path === undefined) this.#names.add(line);
      else {
        this.#bytes.set(path, Number(sizeBytes));
        this.#inodeBytes.set(Number(inode), Number(sizeBytes));
      }
    }
  }

  /** Bytes of a file that are durable; undefined where that is not known, and SQLite takes care of it. */
  bytesOf(path: string): number | undefined {
    if (!this.#everything && path.endsWith("-wal")) return this.walBytes;
    const known = this.#bytes.get(path) ?? this.#inodeBytes.get(fs.statSync(path).ino);
    const bytes = known ?? (this.#everything ? 0 : undefined);
    // A file without a durable name is gone with all its bytes.
    return bytes === undefined || this.#names.has(path) ? bytes : 0;
  }
}

export interface Loss {
  /** What becomes of bytes that were not synced: gone, there as zeros (only the length was durable), or kept. */
  readonly files: "cut" | "zeroed" | "kept";
  /** The same of SQLite's log. */
  readonly wal: "cut" | "kept";
  /** What becomes of files that were removed, while their folder was not synced. */
  readonly removals: "kept" | "undone";
}

/** Copies a folder as it may be after the power came back; answers how many bytes it has lost. */
export async function copyAfterPowerLoss(from: string, to: string, durable: Durable, loss: Loss): Promise<number> {
  const lost = await copyFolder(from, to, durable, loss);
  if (loss.removals === "kept") return lost;
  for (const [path, copy] of durable.removed) {
    const target = join(to, relative(from, path));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(copy, target);
  }
  return lost;
}

async function copyFolder(from: string, to: string, durable: Durable, loss: Loss): Promise<number> {
  let lost = 0;
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      lost += await copyFolder(source, target, durable, loss);
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
