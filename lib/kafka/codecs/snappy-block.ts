/**
 * Snappy blocks (https://github.com/google/snappy/blob/main/format_description.txt), read. Our own, because snappyjs
 * can be sent round in circles by a literal with a negative length.
 */
import { copyLiterals, copyMatch } from "./copy.ts";
import { corruptInput } from "./errors.ts";

/** No tag gives more than this many bytes for each of its own (64 for 3, and the length before them all). */
const MAX_RATIO = 22;

export interface SnappyLength {
  /** Of the block, decompressed, as it says itself; possible for its size. */
  readonly sizeBytes: number;
  /** Where its tags begin. */
  readonly tagsAt: number;
}

/** The length that the block from `from` up to `to` says it has. */
export function readLength(bytes: Uint8Array, from: number, to: number): SnappyLength {
  let sizeBytes = 0;
  let scale = 1;
  let p = from;
  for (let byte = 128; byte > 127; scale *= 128) {
    if (p >= to || p - from === 5) throw corruptInput("the length of a snappy block is cut");
    byte = bytes[p++]!;
    sizeBytes += (byte & 127) * scale;
  }
  if (sizeBytes > (to - from) * MAX_RATIO) {
    throw corruptInput(`a snappy block of ${to - from} bytes says that it holds ${sizeBytes}`);
  }
  return { sizeBytes, tagsAt: p };
}

/** Decompresses tags to `out`, which they must fill from `start` up to `end`. */
export function decompressTags(bytes: Uint8Array, from: number, to: number, out: Uint8Array, start: number, end: number): void {
  let at = start;
  let p = from;
  while (p < to) {
    const tag = bytes[p++]!;
    const kind = tag & 3;
    let size = (tag >>> 2) + 1;
    if (kind === 0) {
      if (size > 60) {
        const width = size - 60;
        if (width > to - p) throw corruptInput("a snappy literal is cut");
        size = littleEndian(bytes, p, width) + 1;
        p += width;
      }
      if (size > to - p || size > end - at) throw corruptInput("a snappy literal is cut");
      copyLiterals(bytes, p, out, at, size);
      p += size;
    } else {
      const width = kind === 3 ? 4 : kind;
      if (width > to - p) throw corruptInput("a snappy copy is cut");
      let distance = littleEndian(bytes, p, width);
      p += width;
      if (kind === 1) {
        size = ((tag >>> 2) & 7) + 4;
        distance |= (tag >>> 5) << 8;
      }
      if (distance === 0 || distance > at - start || size > end - at) throw corruptInput("a snappy copy is out of its block");
      copyMatch(out, at, distance, size);
    }
    at += size;
  }
  if (at !== end) throw corruptInput(`a snappy block has ${at - start} bytes; it says ${end - start}`);
}

/** One to four bytes, unsigned. */
function littleEndian(bytes: Uint8Array, at: number, width: number): number {
  let value = bytes[at]!;
  if (width > 1) value |= bytes[at + 1]! << 8;
  if (width > 2) value |= bytes[at + 2]! << 16;
  if (width > 3) value |= bytes[at + 3]! << 24;
  return value >>> 0;
}
