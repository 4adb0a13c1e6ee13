/**
 * The shared files: bytes of many blobs, one after the other, append only. What is in them counts only by the places
 * that the database has; everything else is rubbish, whoever left it.
 *
 * F1  Bytes are durable before their place is handed out, and so before it is recorded.
 * F2  Bytes below the recorded end of a file never change.
 * F3  Only the last file grows. A number is not used again while anybody may remember a place in the file.
 * F4  A file is not dropped while a place in it was handed out and it is not known whether it was recorded.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { totalBytes } from "../../base/bytes.ts";
import { StorageError } from "../../ports/index.ts";
import { type Disk, isNoSpace } from "./disk.ts";
import type { Gate } from "./gate.ts";
import type { FilePlace, FileRecord } from "./protocol.ts";

interface Waiting {
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly resolve: (place: FilePlace) => void;
  readonly reject: (error: StorageError) => void;
}

interface OpenFile {
  readonly fd: Promise<number>;
  users: number;
  /** To be closed when nobody uses it. */
  leaving: boolean;
}

/** Part of a blob that is in a file. */
export interface FileSlice {
  readonly place: FilePlace;
  readonly from: number;
  readonly to: number;
}

/** One write takes about so many bytes; the others wait for the next. */
const WRITE_BYTES = 32 * 2 ** 20;
/** Slices that lie side by side are read together up to here. */
const READ_BYTES = 4 * 2 ** 20;
const OPEN_FILES = 64;

export class SharedFiles {
  readonly #folder: string;
  readonly #disk: Disk;
  readonly #gate: Gate;
  readonly #fileMostBytes: number;
  readonly #waiting: Waiting[] = [];
  /** Files that are open for reading; the one that was opened last is the last. */
  readonly #open = new Map<number, OpenFile>();
  /** How many places of a file were handed out and are being recorded. */
  readonly #recording = new Map<number, number>();
  #writing = false;
  /** The file that grows, and where it ends. Its descriptor is there once something was appended. */
  #active: number;
  #position: number;
  #activeFd: number | undefined;

  private constructor(folder: string, disk: Disk, gate: Gate, fileMostBytes: number, active: number, position: number) {
    this.#folder = folder;
    this.#disk = disk;
    this.#gate = gate;
    this.#fileMostBytes = fileMostBytes;
    this.#active = active;
    this.#position = position;
  }

  /**
   * Brings a folder to what is recorded: a file that is not is deleted, bytes beyond a recorded end are cut off.
   * Throws an `Error` that says what is missing when recorded bytes are not there.
   */
  static async open(
    folder: string,
    records: readonly FileRecord[],
    disk: Disk,
    gate: Gate,
    fileMostBytes: number,
  ): Promise<SharedFiles> {
    const known = new Set(records.map(({ file }) => fileName(file)));
    const unknown = (await readdir(folder)).filter((name) => FILE_NAME.test(name) && !known.has(name));
    for (const name of unknown) await disk.remove(join(folder, name));
    for (const { file, endBytes } of records) {
      const path = join(folder, fileName(file));
      const sizeBytes = await stat(path).then(
        ({ size }) => size,
        () => undefined,
      );
      if (sizeBytes === undefined) throw new Error(`${path} is not there, though ${endBytes} bytes of it were recorded`);
      if (sizeBytes < endBytes) throw new Error(`${path} has ${sizeBytes} bytes, though ${endBytes} were recorded`);
      if (sizeBytes > endBytes) await disk.truncate(path, endBytes);
    }
    const last = records.at(-1);
    return new SharedFiles(folder, disk, gate, fileMostBytes, last?.file ?? 1, last?.endBytes ?? 0);
  }

  /** Files below this one get no places any more, now or by what is under way: without a live blob they are dead (F4). */
  get active(): number {
    return Math.min(this.#active, ...this.#recording.keys());
  }

  /**
   * Appends blobs; calls `record` with their places, in their order, when all are durable there. Those that come
   * meanwhile share the next sync. Where one could not be appended, none is recorded.
   */
  async append<T>(blobs: readonly (readonly Uint8Array[])[], record: (places: readonly FilePlace[]) => Promise<T>): Promise<T> {
    const settled = await Promise.allSettled(blobs.map((pieces) => this.#append(pieces)));
    const places = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    try {
      for (const one of settled) if (one.status === "rejected") throw one.reason;
      return await record(places);
    } finally {
      for (const { file } of places) this.#recorded(file);
    }
  }

  #append(pieces: readonly Uint8Array[]): Promise<FilePlace> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ pieces, sizeBytes: totalBytes(pieces), resolve, reject });
      if (!this.#writing) {
        this.#writing = true;
        // What is appended in the same turn goes along.
        queueMicrotask(() => void this.#writeAll());
      }
    });
  }

  #recorded(file: number): void {
    const left = (this.#recording.get(file) as number) - 1;
    if (left === 0) this.#recording.delete(file);
    else this.#recording.set(file, left);
  }

  async #writeAll(): Promise<void> {
    for (let group = this.#take(); group.length > 0; group = this.#take()) {
      try {
        const places = await this.#write(group);
        for (const [i, { resolve }] of group.entries()) resolve(places[i] as FilePlace);
      } catch (error) {
        for (const { reject } of group) reject(error as StorageError);
      }
    }
    this.#writing = false;
  }

  #take(): Waiting[] {
    let sizeBytes = 0;
    let count = 0;
    for (const one of this.#waiting) {
      if (count > 0 && sizeBytes + one.sizeBytes > WRITE_BYTES) break;
      sizeBytes += one.sizeBytes;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #write(group: readonly Waiting[]): Promise<FilePlace[]> {
    const refusal = this.#gate.refusal(true);
    if (refusal !== undefined) throw refusal;
    let fd: number;
    try {
      fd = await this.#fileToAppend();
      await this.#disk.write(
        fd,
        group.flatMap(({ pieces }) => pieces),
        this.#position,
      );
    } catch (error) {
      await this.#giveBack();
      throw notWritten(error);
    }
    try {
      await this.#disk.sync(fd);
    } catch (error) {
      // The kernel may have dropped the pages: a second sync would succeed and mean nothing.
      throw this.#gate.break(`a sync of ${fileName(this.#active)} failed (${(error as Error).message})`);
    }
    return group.map(({ sizeBytes }) => {
      const place = { file: this.#active, offset: this.#position, sizeBytes };
      this.#position += sizeBytes;
      this.#recording.set(place.file, (this.#recording.get(place.file) ?? 0) + 1);
      return place;
    });
  }

  async #fileToAppend(): Promise<number> {
    if (this.#position >= this.#fileMostBytes) {
      if (this.#activeFd !== undefined) await this.#disk.close(this.#activeFd);
      this.#activeFd = undefined;
      this.#active++;
      this.#position = 0;
    }
    if (this.#activeFd === undefined) {
      const fd = await this.#disk.open(this.#path(this.#active));
      try {
        await this.#disk.syncFolder(this.#folder);
      } catch (error) {
        await this.#disk.close(fd);
        throw error;
      }
      this.#activeFd = fd;
    }
    return this.#activeFd;
  }

  /** A write that failed may have taken space: gives it back where that is possible. */
  async #giveBack(): Promise<void> {
    await this.#disk.truncate(this.#path(this.#active), this.#position).catch(() => undefined);
  }

  /**
   * Bytes of blobs, in the order asked for, in memory of their own; undefined where the file is not there any more, so
   * that its place is to be asked for again.
   */
  async read(slices: readonly FileSlice[]): Promise<(Uint8Array | undefined)[]> {
    const runs: FileSlice[][] = [];
    let runBytes = 0;
    for (const slice of slices) {
      const run = runs.at(-1);
      const before = run?.at(-1);
      const sizeBytes = slice.to - slice.from;
      if (before !== undefined && isNext(before, slice) && runBytes + sizeBytes <= READ_BYTES) {
        run?.push(slice);
        runBytes += sizeBytes;
      } else {
        runs.push([slice]);
        runBytes = sizeBytes;
      }
    }
    return (await Promise.all(runs.map((run) => this.#readRun(run)))).flat();
  }

  /** Slices that lie side by side. */
  async #readRun(run: readonly FileSlice[]): Promise<(Uint8Array | undefined)[]> {
    const { place, from } = run[0] as FileSlice;
    const sizeBytes = run.reduce((sum, slice) => sum + slice.to - slice.from, 0);
    const file = this.#openToRead(place.file);
    file.users++;
    try {
      const bytes = Buffer.allocUnsafeSlow(sizeBytes);
      const got = await this.#disk.read(await file.fd, bytes, place.offset + from);
      if (got < sizeBytes) {
        throw new StorageError("unavailable", `${fileName(place.file)} ends before byte ${place.offset + from + sizeBytes}`);
      }
      let end = 0;
      return run.map((slice) => {
        const start = end;
        end += slice.to - slice.from;
        return new Uint8Array(bytes.buffer, start, end - start);
      });
    } catch (error) {
      if (error instanceof StorageError) throw error;
      if (this.#open.get(place.file) === file) this.#leave(place.file);
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return run.map(() => undefined);
      throw new StorageError("unavailable", `${fileName(place.file)} could not be read (${(error as Error).message})`);
    } finally {
      this.#release(file);
    }
  }

  #openToRead(number: number): OpenFile {
    let file = this.#open.get(number);
    if (file === undefined) {
      file = { fd: this.#disk.openToRead(this.#path(number)), users: 0, leaving: false };
      file.fd.catch(() => undefined);
      this.#open.set(number, file);
      for (const [other, { users }] of this.#open) {
        if (this.#open.size <= OPEN_FILES) break;
        if (users === 0 && other !== number) this.#leave(other);
      }
    }
    return file;
  }

  #leave(number: number): void {
    const file = this.#open.get(number);
    if (file === undefined) return;
    this.#open.delete(number);
    file.leaving = true;
    file.users++;
    this.#release(file);
  }

  #release(file: OpenFile): void {
    if (--file.users > 0 || !file.leaving) return;
    file.fd.then((fd) => this.#disk.close(fd)).catch(() => undefined);
  }

  /** Deletes files whose records are gone. What cannot be deleted now is when the storage is opened again. */
  async drop(files: readonly number[]): Promise<void> {
    for (const file of files) {
      this.#leave(file);
      await this.#disk.remove(this.#path(file)).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    for (const number of [...this.#open.keys()]) this.#leave(number);
    if (this.#activeFd !== undefined) await this.#disk.close(this.#activeFd);
    this.#activeFd = undefined;
  }

  #path(file: number): string {
    return join(this.#folder, fileName(file));
  }
}

const FILE_NAME = /^\d{10}\.blobs$/;

function fileName(file: number): string {
  return `${String(file).padStart(10, "0")}.blobs`;
}

function isNext(before: FileSlice, slice: FileSlice): boolean {
  return before.place.file === slice.place.file && before.place.offset + before.to === slice.place.offset + slice.from;
}

function notWritten(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const { message } = error as Error;
  return isNoSpace(error)
    ? new StorageError("full", `no space is left for blobs (${message})`, { cause: error })
    : new StorageError("unavailable", `a blob could not be written (${message})`, { cause: error });
}
