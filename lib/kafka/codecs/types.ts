/** Compression of the records of a batch. */

/** In the order of their ids (attribute bits 0 to 2): none 0, gzip 1, snappy 2, lz4 3, zstd 4. */
export const COMPRESSION_NAMES = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

export type CompressionName = (typeof COMPRESSION_NAMES)[number];

/** One codec, synchronous. Results may share memory with nothing but themselves. */
export interface Codec {
  compress(bytes: Uint8Array): Uint8Array;
  /**
   * Never allocates much more than `limitBytes`, whatever the input claims. Throws `record_too_large` when the result
   * would be over it, `corrupt_record` when the input is not what the codec writes.
   */
  decompress(bytes: Uint8Array, limitBytes: number): Uint8Array;
}

/**
 * The codecs that are at hand, by name; `none` needs none. `portableCodecs` (`codecs/portable.ts`) run anywhere,
 * `nodeCodecs` (`codecs/node.ts`) are all of them, for Node.
 */
export type Codecs = Readonly<Partial<Record<CompressionName, Codec>>>;
