/**
 * The sparse index of a segment: entries of 14 bytes, in order, the first of them of the first batch. An entry has the
 * offset less the base of the segment (4 bytes) and the position (4 bytes) of a batch, and the largest timestamp of everything
 * before that batch in the segment (6 bytes, signed).
 *
 * Entries are 64 KiB apart at least, and there are at most 2,048 of them (28 KiB, so that a query for some segments stays
 * cheap): where more would be needed, every second one goes, and again. So in a segment of 1 GiB they are 512 KiB apart.
 */
import type { Segment } from "./segment.ts";

const ENTRY_BYTES = 14;
export const INDEX_ENTRIES_MOST = 2048;
const INTERVAL_BYTES = 65_536;

/** Of everything before the first batch. */
export const NO_TIMESTAMP = -(2 ** 47);

export interface Entry {
  readonly offset: number;
  readonly positionBytes: number;
  /** Of everything before this batch in the segment. */
  readonly maxBeforeMs: number;
}

export function indexEntries(segment: Pick<Segment, "base" | "index">): Entry[] {
  return Array.from({ length: entryCount(segment) }, (_, i) => entryAt(segment, i));
}

/** Writes an index, batch by batch. */
export class IndexBuilder {
  readonly #base: number;
  #intervalBytes = INTERVAL_BYTES;
  #entries: Entry[] = [];
  #maxTimestampMs = NO_TIMESTAMP;

  constructor(base: number) {
    this.#base = base;
  }

  /** The next batch. */
  add(offset: number, positionBytes: number, maxTimestampMs: number): void {
    this.#note({ offset, positionBytes, maxBeforeMs: this.#maxTimestampMs });
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, maxTimestampMs);
  }

  /** All of a segment that follows at this position. */
  join(segment: Pick<Segment, "base" | "index" | "maxTimestampMs">, positionBytes: number): void {
    for (let i = 0; i < entryCount(segment); i++) {
      const entry = entryAt(segment, i);
      this.#note({
        offset: entry.offset,
        positionBytes: positionBytes + entry.positionBytes,
        maxBeforeMs: Math.max(this.#maxTimestampMs, entry.maxBeforeMs),
      });
    }
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, segment.maxTimestampMs);
  }

  get maxTimestampMs(): number {
    return this.#maxTimestampMs;
  }

  bytes(): Uint8Array {
    const out = new Uint8Array(this.#entries.length * ENTRY_BYTES);
    const view = new DataView(out.buffer);
    for (const [i, { offset, positionBytes, maxBeforeMs }] of this.#entries.entries()) {
      const at = i * ENTRY_BYTES;
      view.setUint32(at, offset - this.#base);
      view.setUint32(at + 4, positionBytes);
      view.setInt16(at + 8, Math.floor(maxBeforeMs / 2 ** 32));
      view.setUint32(at + 10, maxBeforeMs >>> 0);
    }
    return out;
  }

  #note(entry: Entry): void {
    const last = this.#entries.at(-1);
    if (last !== undefined && entry.positionBytes - last.positionBytes < this.#intervalBytes) return;
    if (this.#entries.length === INDEX_ENTRIES_MOST) {
      this.#entries = this.#entries.filter((_, i) => i % 2 === 0);
      this.#intervalBytes *= 2;
    }
    this.#entries.push(entry);
  }
}

type Indexed = Pick<Segment, "base" | "index">;

function entryCount({ index }: Indexed): number {
  return index.byteLength / ENTRY_BYTES;
}

function entryAt({ base, index }: Indexed, i: number): Entry {
  const view = new DataView(index.buffer, index.byteOffset + i * ENTRY_BYTES, ENTRY_BYTES);
  return {
    offset: base + view.getUint32(0),
    positionBytes: view.getUint32(4),
    maxBeforeMs: view.getInt16(8) * 2 ** 32 + view.getUint32(10),
  };
}

/**
 * Where the batch that holds an offset begins: at `from` or after it, and before `to`. Where the offset was compacted away,
 * the first batch after it begins at `from` or after it, and at `to` at the latest.
 */
export function positionsAround(
  segment: Indexed & Pick<Segment, "sizeBytes">,
  offset: number,
): { readonly from: number; readonly to: number } {
  // Entries ascend: halve the range.
  let low = 0;
  let high = entryCount(segment) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (entryAt(segment, middle).offset <= offset) low = middle + 1;
    else high = middle - 1;
  }
  low = Math.max(low, 1);
  const from = entryAt(segment, low - 1).positionBytes;
  return { from, to: low < entryCount(segment) ? entryAt(segment, low).positionBytes : segment.sizeBytes };
}

/** No record before this offset of the segment is at or after the time: where a search by time may begin. */
export function offsetOfTime(segment: Indexed, timestampMs: number): number {
  let offset = segment.base;
  for (let i = 0; i < entryCount(segment); i++) {
    const entry = entryAt(segment, i);
    if (entry.maxBeforeMs >= timestampMs) break;
    offset = entry.offset;
  }
  return offset;
}
