/** Small helpers over byte arrays. */

/** The bytes of many pieces as one; the piece itself when there is only one. */
export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0] as Uint8Array;
  const out = new Uint8Array(totalBytes(pieces));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.byteLength;
  }
  return out;
}

export function totalBytes(pieces: readonly Uint8Array[]): number {
  let n = 0;
  for (const piece of pieces) n += piece.byteLength;
  return n;
}

/** The same pieces, as many together as make so many bytes; the last ones may be fewer. */
export async function* gathered(pieces: AsyncIterable<Uint8Array>, leastBytes: number): AsyncGenerator<Uint8Array[]> {
  let some: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of pieces) {
    some.push(piece);
    sizeBytes += piece.byteLength;
    if (sizeBytes < leastBytes) continue;
    yield some;
    some = [];
    sizeBytes = 0;
  }
  if (some.length > 0) yield some;
}

/** Order of two byte arrays as DynamoDB orders binary values: byte by byte, unsigned; a prefix comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.byteLength, b.byteLength);
  for (let i = 0; i < n; i++) {
    const d = (a[i] as number) - (b[i] as number);
    if (d !== 0) return d;
  }
  return a.byteLength - b.byteLength;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && compareBytes(a, b) === 0;
}
