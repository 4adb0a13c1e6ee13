/** Are there control characters in a run of bytes? Four at a time: JSON strings may hold none, and all are looked at. */

/** Shorter runs are looked at byte by byte. */
const SHORT_BYTES = 16;

/** All of the memory below some bytes, as words. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >> 2);
}

/** The position of the first byte below 0x20 from `from` up to, not including, `to`; -1 where there is none. */
export function firstControl(bytes: Uint8Array, words: Int32Array, from: number, to: number): number {
  let at = from;
  if (to - at > SHORT_BYTES) {
    const base = bytes.byteOffset;
    for (; ((base + at) & 3) !== 0; at++) if ((bytes[at] as number) < 0x20) return at;
    let i = (base + at) >> 2;
    const last = ((base + to) >> 2) - 3;
    while (i < last) {
      const a = words[i] as number;
      const b = words[i + 1] as number;
      const c = words[i + 2] as number;
      const d = words[i + 3] as number;
      // Sets the highest bit of each byte that is below 0x20; one that is not may be set after such a one only.
      const below = ((a - 0x20202020) & ~a) | ((b - 0x20202020) & ~b) | ((c - 0x20202020) & ~c) | ((d - 0x20202020) & ~d);
      if ((below & 0x80808080) !== 0) break;
      i += 4;
    }
    at = (i << 2) - base;
  }
  for (; at < to; at++) if ((bytes[at] as number) < 0x20) return at;
  return -1;
}
