/**
 * Batches that were read for share partitions, kept in memory, so that workers who take a few records at a time have a batch read, checked and
 * decompressed by the storage once.
 *
 * R1  What an offset of a topic's id holds never changes; whether it is to be seen is settled too, once it was below the readable end of that isolation.
 *     So a range that was read stays right, for the same id, partition and isolation.
 * R2  A record may go: at the log start, which whoever reads has just looked at, and checks; with its topic, which the same look
 *     tells; and by compaction: then it is given as if it had been taken a moment earlier, and for `KEPT_MS` at most.
 */
import type { Isolation } from "../../log/types.ts";

const BYTES_MOST = 32 * 1024 * 1024;
const KEPT_MS = 10_000;

/** One batch. */
export interface Piece {
  readonly base: number;
  readonly last: number;
  readonly bytes: Uint8Array;
}

/** The batches with records for users, of all offsets from `from` up to `to`. */
export interface ReadRange {
  readonly isolation: Isolation;
  readonly from: number;
  readonly to: number;
  readonly pieces: readonly Piece[];
  readonly sizeBytes: number;
  readonly atMs: number;
}

export class KeptReads {
  /** The last one of each share partition; the one that was kept first goes first. */
  readonly #ranges = new Map<string, ReadRange>();
  #sizeBytes = 0;

  /** A range that has the offset. `nowMs`: monotonic. */
  get(key: string, offset: number, isolation: Isolation, nowMs: number): ReadRange | undefined {
    const range = this.#ranges.get(key);
    const has = range !== undefined && range.isolation === isolation && range.from <= offset && offset < range.to;
    return has && nowMs - range.atMs < KEPT_MS ? range : undefined;
  }

  keep(key: string, range: ReadRange): void {
    this.#drop(key);
    if (range.sizeBytes > BYTES_MOST) return;
    this.#ranges.set(key, range);
    this.#sizeBytes += range.sizeBytes;
    for (const oldest of this.#ranges.keys()) {
      if (this.#sizeBytes <= BYTES_MOST) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#sizeBytes -= this.#ranges.get(key)?.sizeBytes ?? 0;
    this.#ranges.delete(key);
  }
}
