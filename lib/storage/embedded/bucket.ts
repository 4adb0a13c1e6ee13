/**
 * Objects as files. The object `a/b/c.log` is `objects/a+/b+/c.log`: a folder's name ends with a character that keys do
 * not have, so an object `a` can be beside the folder `a`, and a segment keeps the file name that Kafka's tools want.
 * A put writes a file under `tmp/`, syncs it, renames it, syncs the folder: a crash leaves the old object, the new one,
 * or rubbish in `tmp/`, which is emptied when the storage opens.
 */
import { fstat, futimes } from "node:fs";
import { link, mkdir, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gathered, totalBytes } from "../../base/bytes.ts";
import type { Bucket, Clock, ObjectInfo } from "../../ports/index.ts";
import { StorageError } from "../../ports/index.ts";
import { checkObjectKey } from "../../ports/rules.ts";
import { type Disk, isNoSpace } from "./disk.ts";
import type { Gate } from "./gate.ts";

const stats = promisify(fstat);
const setTimes = promisify(futimes);

const LIST_PAGE = 500;
const COPY_BYTES = 1 << 20;
const FOLDER_MARK = "+";
/** A folder that was empty can be deleted between its making and its use. */
const ATTEMPTS = 10;

export class EmbeddedBucket implements Bucket {
  readonly #root: string;
  readonly #tmp: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #gate: Gate;
  /** Folders whose names are durable. */
  readonly #durable = new Set<string>();
  #files = 0;

  constructor(root: string, tmp: string, disk: Disk, clock: Clock, gate: Gate) {
    this.#root = root;
    this.#tmp = tmp;
    this.#disk = disk;
    this.#clock = clock;
    this.#gate = gate;
    this.#durable.add(root);
  }

  put(
    key: string,
    body: Uint8Array | readonly Uint8Array[],
    { ifAbsent = false }: { readonly ifAbsent?: boolean } = {},
  ): Promise<void> {
    return this.#gate.write(async () => {
      checkObjectKey(key);
      // Bytes that change while they are written are the caller's business until it is answered.
      await this.#make(key, ifAbsent, (fd) => this.#disk.write(fd, body instanceof Uint8Array ? [body] : body, 0));
    });
  }

  putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#gate.write(async () => {
      checkObjectKey(key);
      await this.#make(key, false, async (fd) => {
        let position = 0;
        for await (const some of gathered(pieces, COPY_BYTES)) {
          await this.#disk.write(fd, some, position);
          position += totalBytes(some);
        }
      });
    });
  }

  get(key: string, { from = 0, to }: { readonly from?: number; readonly to?: number } = {}): Promise<Uint8Array | undefined> {
    return this.#gate.read(async () => {
      checkObjectKey(key);
      const fd = await this.#openToRead(key);
      if (fd === undefined) return undefined;
      try {
        const { size } = await stats(fd);
        const start = Math.min(from, size);
        const bytes = new Uint8Array(Math.max(0, Math.min(to ?? size, size) - start));
        await this.#disk.read(fd, bytes, start);
        return bytes;
      } catch (error) {
        throw failed(error, key);
      } finally {
        await this.#disk.close(fd);
      }
    });
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#gate.write(async () => {
      for (const key of keys) checkObjectKey(key);
      const folders = new Set<string>();
      try {
        for (const key of keys) {
          const path = this.#path(key);
          await this.#disk.remove(path);
          folders.add(dirname(path));
        }
        for (const folder of folders) await this.#prune(folder);
      } catch (error) {
        throw failed(error, keys.join(", "));
      }
    });
  }

  async *list(prefix: string, { after = "" }: { readonly after?: string } = {}): AsyncIterable<readonly ObjectInfo[]> {
    let page: ObjectInfo[] = [];
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    for await (const info of this.#walk(folder, prefix, after)) {
      page.push(info);
      if (page.length < LIST_PAGE) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  concat(keys: readonly string[], into: string): Promise<void> {
    return this.#gate.write(async () => {
      for (const key of [...keys, into]) checkObjectKey(key);
      await this.#make(into, false, async (fd) => {
        const buffer = Buffer.allocUnsafe(COPY_BYTES);
        let position = 0;
        for (const key of keys) position += await this.#copy(key, fd, position, buffer);
      });
    });
  }

  async presign(): Promise<undefined> {
    return undefined;
  }

  /** Appends an object to a file that is being made; answers its size. */
  async #copy(key: string, into: number, position: number, buffer: Buffer): Promise<number> {
    const fd = await this.#openToRead(key);
    if (fd === undefined) throw new StorageError("condition_failed", `object ${key} is not there`);
    try {
      for (let at = 0; ; ) {
        const got = await this.#disk.read(fd, buffer, at);
        await this.#disk.write(into, [buffer.subarray(0, got)], position + at);
        at += got;
        if (got < buffer.byteLength) return at;
      }
    } finally {
      await this.#disk.close(fd);
    }
  }

  /** Makes an object of what `fill` writes, all or nothing. */
  async #make(key: string, ifAbsent: boolean, fill: (fd: number) => Promise<void>): Promise<void> {
    const path = this.#path(key);
    const tmp = join(this.#tmp, String(++this.#files));
    try {
      const fd = await this.#disk.open(tmp);
      try {
        await fill(fd);
        // The time of an object is the storage's, not the machine's.
        const seconds = this.#clock.nowMs() / 1000;
        await setTimes(fd, seconds, seconds);
        await this.#disk.sync(fd);
      } finally {
        await this.#disk.close(fd);
      }
      await this.#settle(tmp, path, ifAbsent);
    } catch (error) {
      await rm(tmp, { force: true }).catch(() => undefined);
      throw failed(error, key);
    }
  }

  /** Gives a finished file its name. */
  async #settle(tmp: string, path: string, ifAbsent: boolean): Promise<void> {
    const folder = dirname(path);
    for (let attempt = 1; ; attempt++) {
      await this.#makeFolder(folder);
      try {
        if (ifAbsent) {
          await link(tmp, path);
          await rm(tmp);
        } else await rename(tmp, path);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EEXIST") throw new StorageError("condition_failed", "the object exists");
        if (code !== "ENOENT" || attempt === ATTEMPTS) throw error;
        this.#durable.delete(folder);
        continue;
      }
      await this.#syncNames(folder);
      return;
    }
  }

  /** Names that were changed in a folder become durable; where they do not, nobody knows which of them a crash leaves. */
  async #syncNames(folder: string): Promise<void> {
    try {
      await this.#disk.syncFolder(folder);
    } catch (error) {
      // Emptied and deleted meanwhile: who did it sees to what is above.
      if (isAbsent(error)) return;
      const why = `a sync of ${folder} failed (${(error as Error).message})`;
      this.#gate.break(why);
      throw new StorageError("unknown", why, { cause: error });
    }
  }

  /** Makes a folder and those above it, durable. */
  async #makeFolder(folder: string): Promise<void> {
    if (this.#durable.has(folder)) return;
    const above = dirname(folder);
    await this.#makeFolder(above);
    await mkdir(folder, { recursive: true });
    await this.#disk.syncFolder(above);
    this.#durable.add(folder);
  }

  /** Makes deletions in a folder durable; takes the folder away when nothing is left in it, and so on upwards. */
  async #prune(folder: string): Promise<void> {
    for (let at = folder; at !== this.#root; at = dirname(at)) {
      this.#durable.delete(at);
      try {
        await rmdir(at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT") continue;
        if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
        await this.#syncNames(at);
        return;
      }
    }
    await this.#syncNames(this.#root);
  }

  /** Objects below a folder (a key part that ends with "/", or ""), in byte order. */
  async *#walk(folder: string, prefix: string, after: string): AsyncIterable<ObjectInfo> {
    const entries = await this.#gate.read(() => readFolder(this.#folderPath(folder), folder));
    for (const { key, isFolder } of entries) {
      if (isFolder) {
        const mayMatch = key.startsWith(prefix) || prefix.startsWith(key);
        if (mayMatch && (key > after || after.startsWith(key))) yield* this.#walk(key, prefix, after);
      } else if (key.startsWith(prefix) && key > after) {
        const info = await this.#gate.read(() => this.#info(key));
        if (info !== undefined) yield info;
      }
    }
  }

  async #info(key: string): Promise<ObjectInfo | undefined> {
    try {
      const { size, mtimeMs } = await stat(this.#path(key));
      return { key, sizeBytes: size, modifiedAtMs: Math.round(mtimeMs) };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw failed(error, key);
    }
  }

  async #openToRead(key: string): Promise<number | undefined> {
    try {
      return await this.#disk.openToRead(this.#path(key));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw failed(error, key);
    }
  }

  #path(key: string): string {
    const at = key.lastIndexOf("/") + 1;
    return join(this.#folderPath(key.slice(0, at)), key.slice(at));
  }

  #folderPath(folder: string): string {
    return join(this.#root, folder.replaceAll("/", `${FOLDER_MARK}/`));
  }
}

/** What is in a folder, in the byte order of keys: a folder counts with its "/". */
async function readFolder(path: string, folder: string): Promise<{ readonly key: string; readonly isFolder: boolean }[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .map((entry) => {
        const isFolder = entry.isDirectory();
        return { key: folder + (isFolder ? `${entry.name.slice(0, -FOLDER_MARK.length)}/` : entry.name), isFolder };
      })
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw failed(error, folder);
  }
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

function failed(error: unknown, key: string): unknown {
  if (error instanceof StorageError || !(error instanceof Error) || !("code" in error)) return error;
  return isNoSpace(error)
    ? new StorageError("full", `no space is left for object ${key} (${error.message})`, { cause: error })
    : new StorageError("unavailable", `object ${key}: ${error.message}`, { cause: error });
}
