/** What the storage does with files of its own, so that a test can stand between: fill up, fail, or forget. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import { promisify } from "node:util";

export interface Disk {
  /** A descriptor for reading and writing; the file is made when it is not there. */
  open(path: string): Promise<number>;
  openToRead(path: string): Promise<number>;
  close(fd: number): Promise<void>;
  /** Writes all of the pieces, one after the other, at a position. */
  write(fd: number, pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills the buffer from a position; answers how many bytes there were. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  /** Returns when what was written is durable. */
  sync(fd: number): Promise<void>;
  /** Returns when names that were made, changed or deleted in a folder are durable. */
  syncFolder(path: string): Promise<void>;
  truncate(path: string, sizeBytes: number): Promise<void>;
  /** Takes the name of a file away, if it is there; durable once its folder is synced. */
  remove(path: string): Promise<void>;
}

const writev = promisify(fs.writev);
const readInto = promisify(fs.read);

export const systemDisk: Disk = {
  open: (path) => promisify(fs.open)(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644),
  openToRead: (path) => promisify(fs.open)(path, "r"),
  close: promisify(fs.close),
  sync: promisify(fs.fdatasync),
  truncate: (path, sizeBytes) => fsp.truncate(path, sizeBytes),
  remove: (path) => fsp.rm(path, { force: true }),

  async write(fd, pieces, position) {
    let left = pieces.filter((piece) => piece.byteLength > 0);
    while (left.length > 0) {
      const { bytesWritten } = await writev(fd, left as Uint8Array[], position);
      position += bytesWritten;
      left = without(left, bytesWritten);
    }
  },

  async read(fd, into, position) {
    let got = 0;
    while (got < into.byteLength) {
      const { bytesRead } = await readInto(fd, into, got, into.byteLength - got, position + got);
      if (bytesRead === 0) break;
      got += bytesRead;
    }
    return got;
  },

  async syncFolder(path) {
    // Windows has no such thing: its file systems keep names in their journal.
    if (process.platform === "win32") return;
    const handle = await fsp.open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** The pieces without their first bytes: a disk that is nearly full takes only some. */
function without(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  let skip = sizeBytes;
  let first = 0;
  while (first < pieces.length && skip >= (pieces[first] as Uint8Array).byteLength) {
    skip -= (pieces[first] as Uint8Array).byteLength;
    first++;
  }
  const left = pieces.slice(first);
  if (skip > 0) left[0] = (left[0] as Uint8Array).subarray(skip);
  return left;
}

/** Is this error of the file system a full disk? */
export function isNoSpace(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
}
