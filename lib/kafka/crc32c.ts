/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of record batches. Slicing by 16: sixteen bytes a step, one
 * table for each, so that the loads of a step do not wait for each other.
 */
const POLYNOMIAL = 0x82f63b78; // reflected

/** Below this many bytes the set-up of the fast loop costs more than it saves. */
const SHORT_BYTES = 320;

function buildTables(): Int32Array[] {
  const first = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
    first[i] = c;
  }
  const tables = [first];
  for (let k = 1; k < 16; k++) {
    const before = tables[k - 1] as Int32Array;
    tables.push(before.map((c) => (first[c & 255] as number) ^ (c >>> 8)));
  }
  return tables;
}

// Sixteen constants, not an array of arrays: the inner loop then has no second look-up.
const [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15] = buildTables() as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** The checksum of the bytes from `from` up to, not including, `to`: an unsigned 32-bit number. Copies nothing. */
export function crc32c(bytes: Uint8Array, from = 0, to: number = bytes.byteLength): number {
  let c = -1;
  let p = from;
  if (to - from >= SHORT_BYTES) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const last = to - 16; p <= last; p += 16) {
      c ^= view.getInt32(p, true);
      const w1 = view.getInt32(p + 4, true);
      const w2 = view.getInt32(p + 8, true);
      const w3 = view.getInt32(p + 12, true);
      c =
        T15[c & 255]! ^
        T14[(c >>> 8) & 255]! ^
        T13[(c >>> 16) & 255]! ^
        T12[c >>> 24]! ^
        T11[w1 & 255]! ^
        T10[(w1 >>> 8) & 255]! ^
        T9[(w1 >>> 16) & 255]! ^
        T8[w1 >>> 24]! ^
        T7[w2 & 255]! ^
        T6[(w2 >>> 8) & 255]! ^
        T5[(w2 >>> 16) & 255]! ^
        T4[w2 >>> 24]! ^
        T3[w3 & 255]! ^
        T2[(w3 >>> 8) & 255]! ^
        T1[(w3 >>> 16) & 255]! ^
        T0[w3 >>> 24]!;
    }
  }
  for (const last = to - 8; p <= last; p += 8) {
    c ^= bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    c =
      T7[c & 255]! ^
      T6[(c >>> 8) & 255]! ^
      T5[(c >>> 16) & 255]! ^
      T4[c >>> 24]! ^
      T3[bytes[p + 4]!]! ^
      T2[bytes[p + 5]!]! ^
      T1[bytes[p + 6]!]! ^
      T0[bytes[p + 7]!]!;
  }
  for (; p < to; p++) c = T0[(c ^ bytes[p]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
