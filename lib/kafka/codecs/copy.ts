/** Copies of the two formats that repeat earlier output. The caller has checked that all of it is in bounds. */

const SHORT_BYTES = 32;

/** Bytes of the input as they are. */
export function copyLiterals(from: Uint8Array, at: number, to: Uint8Array, toAt: number, size: number): void {
  if (size > SHORT_BYTES) to.set(from.subarray(at, at + size), toAt);
  else for (let i = 0; i < size; i++) to[toAt + i] = from[at + i]!;
}

/** Output from `distance` bytes before, which may run into what is written: then it repeats. */
export function copyMatch(out: Uint8Array, at: number, distance: number, size: number): void {
  if (size > SHORT_BYTES && distance >= size) out.copyWithin(at, at - distance, at - distance + size);
  else for (let i = at, end = at + size; i < end; i++) out[i] = out[i - distance]!;
}
