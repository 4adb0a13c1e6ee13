/**
 * ULIDs as 16 bytes: 48 bits of milliseconds since 1970, then 80 bits that grow or are random. They sort by time, as
 * bytes and as text alike. Text form: 26 characters of Crockford's base32 (https://github.com/ulid/spec).
 */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < 32; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

const ULID_BYTES = 16;

/** The smallest id there is: below every id that is minted. */
export const ULID_ZERO: Uint8Array = new Uint8Array(ULID_BYTES);

/** The largest id there is: at or above every id that is minted. */
export const ULID_LAST: Uint8Array = new Uint8Array(ULID_BYTES).fill(255);

/** Composes an id from its time and its 10 low bytes. */
export function ulidFrom(timeMs: number, low: Uint8Array): Uint8Array {
  const id = new Uint8Array(ULID_BYTES);
  id[0] = timeMs / 2 ** 40;
  id[1] = timeMs / 2 ** 32;
  id[2] = timeMs / 2 ** 24;
  id[3] = timeMs / 2 ** 16;
  id[4] = timeMs / 2 ** 8;
  id[5] = timeMs;
  id.set(low.subarray(0, 10), 6);
  return id;
}

/** The time in an id, in milliseconds since 1970. */
export function ulidTimeMs(id: Uint8Array): number {
  let t = 0;
  for (let i = 0; i < 6; i++) t = t * 256 + (id[i] as number);
  return t;
}

/** Below zero when a was minted before b. */
export function compareUlids(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < ULID_BYTES; i++) {
    const d = (a[i] as number) - (b[i] as number);
    if (d !== 0) return d;
  }
  return 0;
}

export function ulidText(id: Uint8Array): string {
  // 128 bits, left-padded to 130, in groups of five.
  let out = "";
  let buffer = 0;
  let bits = 2;
  for (let i = 0; i < ULID_BYTES; i++) {
    buffer = (buffer << 8) | (id[i] as number);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += ALPHABET[(buffer >>> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return out;
}

/** The id of a text, or undefined when the text is not a ULID. */
export function parseUlid(text: string): Uint8Array | undefined {
  if (text.length !== 26) return undefined;
  const id = new Uint8Array(ULID_BYTES);
  let buffer = 0;
  let bits = -2;
  let at = 0;
  for (let i = 0; i < 26; i++) {
    const v = VALUES[text.charCodeAt(i)] ?? -1;
    if (v < 0 || (i === 0 && v > 7)) return undefined;
    buffer = (buffer << 5) | v;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      id[at++] = buffer >>> bits;
      buffer &= (1 << bits) - 1;
    }
  }
  return id;
}

/** The id right after this one. */
export function ulidAfter(id: Uint8Array): Uint8Array {
  const next = id.slice();
  for (let i = ULID_BYTES - 1; i >= 0; i--) {
    next[i] = ((next[i] as number) + 1) & 255;
    if (next[i] !== 0) break;
  }
  return next;
}
