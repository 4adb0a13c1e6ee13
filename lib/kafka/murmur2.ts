/** MurmurHash2 as Kafka's Java client has it (`Utils.murmur2`, seed 0x9747b28c): the hash that places keyed records. */
const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** A signed 32-bit number. Kafka's partition of a key: `(murmur2(key) & 0x7fffffff) % partitionCount`. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.byteLength;
  let h = SEED ^ length;
  let p = 0;
  for (const last = length - 4; p <= last; p += 4) {
    let k = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    k = Math.imul(k, M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  const rest = length - p;
  if (rest === 3) h ^= bytes[p + 2]! << 16;
  if (rest >= 2) h ^= bytes[p + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ bytes[p]!, M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** Kafka's partition of a key. */
export function partitionOfKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount;
}
