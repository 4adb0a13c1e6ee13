/** LZ4 blocks (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md): sequences of literals and a match. */
import { copyLiterals, copyMatch } from "./copy.ts";
import { corruptInput } from "./errors.ts";

const MIN_MATCH = 4;
const MAX_DISTANCE = 65_535;
/** The last match of a block begins at least so far from its end... */
const MATCH_START_MARGIN = 12;
/** ...and so many bytes at the end are always literals. */
const LAST_LITERALS = 5;

const HASH_BITS = 14;

/** Places (plus one) by the hash of the four bytes there; 0 is none. One table for one frame. */
export type MatchTable = Int32Array;

export function newMatchTable(): MatchTable {
  return new Int32Array(1 << HASH_BITS);
}

/** The most that a block of this size can take. */
export function maxBlockBytes(size: number): number {
  return size + Math.floor(size / 255) + 16;
}

/** What a block decompresses to, in bytes, without doing it. Throws `corrupt_record` where it is cut. */
export function measureBlock(bytes: Uint8Array, from: number, to: number): number {
  let size = 0;
  for (let p = from; p < to; ) {
    const token = bytes[p++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255 && p < to) literals += more = bytes[p++]!;
    }
    p += literals;
    size += literals;
    if (p === to) return size;
    p += 2;
    let match = token & 15;
    if (match === 15) {
      let more = 255;
      while (more === 255 && p < to) match += more = bytes[p++]!;
    }
    size += match + MIN_MATCH;
  }
  throw corruptInput("an lz4 block is cut");
}

/**
 * Decompresses a block that was measured to `out` at `at`, where there is room; returns the place after it. Matches
 * may not begin before `lowest`: that is `corrupt_record`.
 */
export function decompressBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
  lowest: number,
): number {
  for (let p = from; ; ) {
    const token = bytes[p++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) literals += more = bytes[p++]!;
    }
    copyLiterals(bytes, p, out, at, literals);
    p += literals;
    at += literals;
    if (p >= to) return at;
    const distance = bytes[p]! | (bytes[p + 1]! << 8);
    p += 2;
    let match = token & 15;
    if (match === 15) {
      let more = 255;
      while (more === 255) match += more = bytes[p++]!;
    }
    match += MIN_MATCH;
    if (distance === 0 || at - distance < lowest) throw corruptInput("an lz4 match begins before its block");
    copyMatch(out, at, distance, match);
    at += match;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Compresses the bytes to `out` at `at`, which has room for `maxBlockBytes`; returns the place after. */
export function compressBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
  table: MatchTable,
): number {
  const lastStart = to - MATCH_START_MARGIN;
  const lastMatched = to - LAST_LITERALS;
  let anchor = from;
  let misses = 64;
  for (let p = from; p <= lastStart; ) {
    const here = word(bytes, p);
    const slot = Math.imul(here, 0x9e3779b1) >>> (32 - HASH_BITS);
    let candidate = table[slot]! - 1;
    table[slot] = p + 1;
    if (candidate < from || p - candidate > MAX_DISTANCE || word(bytes, candidate) !== here) {
      p += misses++ >>> 6; // faster and faster where nothing repeats
      continue;
    }
    misses = 64;
    const distance = p - candidate;
    while (p > anchor && candidate > from && bytes[p - 1] === bytes[candidate - 1]) {
      p--;
      candidate--;
    }
    let end = p + MIN_MATCH;
    while (end < lastMatched && bytes[end] === bytes[end - distance]) end++;
    at = writeLiterals(bytes, anchor, p, out, at, end - p - MIN_MATCH);
    out[at] = distance;
    out[at + 1] = distance >>> 8;
    at = writeRest(out, at + 2, end - p - MIN_MATCH);
    anchor = p = end;
  }
  return writeLiterals(bytes, anchor, to, out, at, 0);
}

/** The token, and the literals from `from` up to `to`. */
function writeLiterals(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number, match: number): number {
  const size = to - from;
  out[at] = (Math.min(size, 15) << 4) | Math.min(match, 15);
  at = writeRest(out, at + 1, size);
  copyLiterals(bytes, from, out, at, size);
  return at + size;
}

/** What of a length does not fit into the four bits of the token. */
function writeRest(out: Uint8Array, at: number, length: number): number {
  if (length < 15) return at;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) out[at++] = 255;
  out[at] = rest;
  return at + 1;
}
