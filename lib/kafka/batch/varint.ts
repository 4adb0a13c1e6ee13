/**
 * Zig-zag varints (the sign in the lowest bit, seven bits a byte, low ones first), for every safe integer. The first
 * byte holds the sign and six bits; what follows is magnitude alone, so no step needs more than 53 bits.
 */

/** How many bytes `writeVarint` writes. */
export function sizeOfVarint(value: number): number {
  let rest = value < 0 ? -value - 1 : value;
  if (rest < 64) return 1;
  if (rest < 8192) return 2;
  let size = 2;
  rest = Math.floor(rest / 64);
  for (; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes the value at `at`; returns the place after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let sign = 0;
  if (value < 0) {
    rest = -value - 1;
    sign = 1;
  }
  if (rest < 64) {
    bytes[at] = (rest << 1) | sign;
    return at + 1;
  }
  bytes[at++] = ((rest % 64) << 1) | sign | 128;
  rest = Math.floor(rest / 64);
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128;
  bytes[at] = rest;
  return at + 1;
}
