import { totalBytes } from "../../base/bytes.ts";
import { compareUlids, ULID_ZERO } from "../../base/ulid.ts";
import type { BlobInfo, BlobName, BlobSlice, Blobs, Metrics, Place } from "../../ports/index.ts";
import { StorageError } from "../../ports/index.ts";
import type { ByteReader } from "./codec.ts";
import type { Gate } from "./gate.ts";
import type { Link } from "./link.ts";
import type { Tuning } from "./options.ts";
import { type FilePlace, REQUEST, readPlace, writePlace } from "./protocol.ts";
import { Recent } from "./recent.ts";
import type { FileSlice, SharedFiles } from "./shared-files.ts";

/** So many places are remembered, about 100 bytes each. */
const PLACES = 100_000;
/** One step of emptying a file moves about so many bytes. */
const MOVE_BYTES = 4 * 2 ** 20;
const MOVE_BLOBS = 1000;

/** Blobs in the table (their rows have the bytes) and in the shared files (their rows have the place). */
export class EmbeddedBlobs implements Blobs {
  /** What is written together goes into one file with one sync, however many blobs it is. */
  readonly separate = true;
  readonly #link: Link;
  readonly #files: SharedFiles;
  readonly #gate: Gate;
  readonly #metrics: Metrics;
  readonly #inlineMostBytes: number;
  /** Bytes of small blobs: those who wait at the end of a log need no trip for them. */
  readonly #bytes: Recent<Uint8Array>;
  readonly #places = new Recent<FilePlace>(PLACES);
  /** Files to be emptied, one after the other. */
  readonly #sparse = new Set<number>();
  #emptying = false;

  constructor(link: Link, files: SharedFiles, gate: Gate, metrics: Metrics, { inlineMostBytes, cacheBytes }: Tuning) {
    this.#link = link;
    this.#files = files;
    this.#gate = gate;
    this.#metrics = metrics;
    this.#inlineMostBytes = inlineMostBytes;
    this.#bytes = new Recent(cacheBytes);
  }

  /**
   * 0: small enough for the table, 1: not. What is written together may go into a shared file all the same; rows know.
   */
  place(sizeBytes: number): Place {
    return sizeBytes <= this.#inlineMostBytes ? 0 : 1;
  }

  /** Remembers a blob that has just become durable. */
  wrote(id: Uint8Array, pieces: readonly Uint8Array[], place: FilePlace | undefined): void {
    const name = nameOf(id);
    if (place !== undefined) this.#places.set(name, place);
    const sizeBytes = totalBytes(pieces);
    if (sizeBytes > this.#inlineMostBytes) return;
    const bytes = new Uint8Array(sizeBytes);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.byteLength;
    }
    this.#bytes.set(name, bytes, sizeBytes + 200);
  }

  read(slices: readonly BlobSlice[]): Promise<(Uint8Array | undefined)[]> {
    return this.#gate.read(async () => {
      const found = new Array<Uint8Array | undefined>(slices.length).fill(undefined);
      const inFiles: { readonly at: number; readonly slice: FileSlice }[] = [];
      const unknown: number[] = [];
      for (const [at, slice] of slices.entries()) {
        const name = nameOf(slice.id);
        const bytes = this.#bytes.get(name);
        if (bytes !== undefined) {
          found[at] = bytes.slice(slice.from, slice.to);
          continue;
        }
        const place = this.#places.get(name);
        if (place === undefined) unknown.push(at);
        else inFiles.push({ at, slice: within(place, slice) });
      }
      if (unknown.length > 0) inFiles.push(...(await this.#find(slices, unknown, found)));
      const again = await this.#readFiles(inFiles, found);
      if (again.length > 0) {
        // Their file was emptied meanwhile: they are elsewhere, or deleted.
        for (const at of again) this.#places.delete(nameOf((slices[at] as BlobSlice).id));
        const moved = await this.#readFiles(await this.#find(slices, again, found), found);
        if (moved.length > 0) throw new StorageError("unavailable", "a blob was moved twice while it was read: try again");
      }
      return found;
    });
  }

  /** Asks the table for these slices: bytes go into `found`, places are answered. */
  async #find(
    slices: readonly BlobSlice[],
    which: readonly number[],
    found: (Uint8Array | undefined)[],
  ): Promise<{ readonly at: number; readonly slice: FileSlice }[]> {
    return this.#link.call(
      REQUEST.findBlobs,
      (to) => {
        to.varint(which.length);
        for (const at of which) {
          const slice = slices[at] as BlobSlice;
          to.bytes(slice.id);
          to.varint(slice.from);
          to.varint(Math.max(slice.from, slice.to));
        }
      },
      (from) => {
        const places: { readonly at: number; readonly slice: FileSlice }[] = [];
        for (const at of which) {
          const how = from.byte();
          if (how === 2) found[at] = from.view().slice();
          if (how !== 1) continue;
          const place = readPlace(from);
          const slice = slices[at] as BlobSlice;
          this.#places.set(nameOf(slice.id), place);
          places.push({ at, slice: within(place, slice) });
        }
        return places;
      },
    );
  }

  /** Answers which were not found where they were thought to be. */
  async #readFiles(
    inFiles: readonly { readonly at: number; readonly slice: FileSlice }[],
    found: (Uint8Array | undefined)[],
  ): Promise<number[]> {
    if (inFiles.length === 0) return [];
    const bytes = await this.#files.read(inFiles.map(({ slice }) => slice));
    for (const [i, { at }] of inFiles.entries()) found[at] = bytes[i];
    return inFiles.flatMap(({ at }, i) => (bytes[i] === undefined ? [at] : []));
  }

  delete(names: readonly BlobName[]): Promise<void> {
    return this.#gate.write(async () => {
      if (names.length === 0) return;
      for (const { id } of names) this.#forget(id);
      const files = await this.#link.call(
        REQUEST.deleteBlobs,
        (to) => {
          to.varint(this.#files.active);
          to.varint(names.length);
          for (const { id } of names) to.bytes(id);
        },
        readFiles,
      );
      // A read that was under way may have remembered one again.
      for (const { id } of names) this.#forget(id);
      await this.#after(files);
    });
  }

  async *list(upTo: Uint8Array, which: "all" | "large" = "all"): AsyncIterable<readonly BlobInfo[]> {
    // Above the smallest id of all, which no blob has.
    for (let after = ULID_ZERO; compareUlids(after, upTo) < 0; ) {
      const page = await this.#gate.read(() => this.#listPage(after, upTo));
      const last = page.at(-1);
      if (last === undefined) return;
      const wanted = which === "all" ? page : page.filter(({ place }) => place !== 0);
      if (wanted.length > 0) yield wanted;
      after = last.id;
    }
  }

  #listPage(after: Uint8Array, upTo: Uint8Array): Promise<BlobInfo[]> {
    return this.#link.call(
      REQUEST.listBlobs,
      (to) => {
        to.bytes(after);
        to.bytes(upTo);
      },
      (from) => {
        const page: BlobInfo[] = [];
        for (let left = from.varint(); left > 0; left--) {
          const id = from.view().slice();
          const sizeBytes = from.varint();
          page.push({ id, place: this.place(sizeBytes), sizeBytes, partitions: from.value() as string[] });
        }
        return page;
      },
    );
  }

  #forget(id: Uint8Array): void {
    const name = nameOf(id);
    this.#bytes.delete(name);
    this.#places.delete(name);
  }

  /** Deletes dead files, and empties those of which little is alive, in the background. */
  async #after({ dead, sparse }: { readonly dead: readonly number[]; readonly sparse: readonly number[] }): Promise<void> {
    await this.#files.drop(dead);
    for (const file of sparse) this.#sparse.add(file);
    if (this.#emptying) return;
    this.#emptying = true;
    void this.#emptyAll().finally(() => {
      this.#emptying = false;
    });
  }

  async #emptyAll(): Promise<void> {
    for (const file of this.#sparse) {
      this.#sparse.delete(file);
      try {
        while (await this.#gate.write(() => this.#moveSome(file)));
      } catch {
        // No space, or the storage closes: the next deletion sees to it. Nothing was lost.
        this.#metrics.count("storage_move_failures_total");
      }
    }
  }

  /**
   * Moves some of what is alive in a file to the end of the last one: bytes first, durable, then their places, each only
   * if it is still where it was. False when there is nothing left.
   */
  async #moveSome(file: number): Promise<boolean> {
    const survivors = await this.#link.call(
      REQUEST.survivors,
      (to) => {
        to.varint(file);
        to.varint(MOVE_BLOBS);
      },
      readSurvivors,
    );
    const some = firstOf(survivors);
    if (some.length === 0) return false;
    const bytes = await this.#files.read(some.map(({ place }) => ({ place, from: 0, to: place.sizeBytes })));
    const found = some.flatMap(({ id }, i) => (bytes[i] === undefined ? [] : [{ id, bytes: bytes[i] }]));
    return this.#files.append(
      found.map((one) => [one.bytes]),
      (places) =>
        this.#moved(
          file,
          found.map(({ id }, i) => ({ id, place: places[i] as FilePlace })),
        ),
    );
  }

  /** Records where blobs of a file are now. */
  async #moved(file: number, moves: readonly { readonly id: Uint8Array; readonly place: FilePlace }[]): Promise<boolean> {
    const files = await this.#link.call(
      REQUEST.moveBlobs,
      (to) => {
        to.varint(this.#files.active);
        to.varint(file);
        to.varint(moves.length);
        for (const { id, place } of moves) {
          to.bytes(id);
          writePlace(to, place);
        }
      },
      readFiles,
    );
    for (const { id } of moves) this.#places.delete(nameOf(id));
    await this.#files.drop(files.dead);
    return moves.length > 0;
  }
}

/** As many as one step moves, at least one where there is one. */
function firstOf<T extends { readonly place: FilePlace }>(survivors: readonly T[]): T[] {
  let sizeBytes = 0;
  return survivors.filter(({ place }) => {
    const fits = sizeBytes < MOVE_BYTES;
    sizeBytes += place.sizeBytes;
    return fits;
  });
}

/** An id as the key of a map. */
function nameOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("latin1");
}

function within(place: FilePlace, { from, to }: BlobSlice): FileSlice {
  const start = Math.min(from, place.sizeBytes);
  return { place, from: start, to: Math.max(start, Math.min(to, place.sizeBytes)) };
}

function readFiles(from: ByteReader): { readonly dead: readonly number[]; readonly sparse: readonly number[] } {
  return { dead: from.value() as number[], sparse: from.value() as number[] };
}

function readSurvivors(from: ByteReader): { readonly id: Uint8Array; readonly place: FilePlace }[] {
  const all: { readonly id: Uint8Array; readonly place: FilePlace }[] = [];
  for (let left = from.varint(); left > 0; left--) all.push({ id: from.view().slice(), place: readPlace(from) });
  return all;
}
