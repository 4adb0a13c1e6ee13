/** Limits that hold where the caller names none. */
export const DEFAULT_LIMITS = {
  /** Records of one batch, decompressed. */
  maxDecompressedBytes: 64 * 1024 * 1024,
  /** Headers of one record. */
  maxHeaders: 1000,
} as const;

/**
 * All batches of one call may decompress to this many times their size, where that is more than
 * `maxDecompressedBytes`: many small bombs must not do what one large bomb cannot.
 */
export const MAX_DECOMPRESSION_RATIO = 64;

/** The last millisecond that a `Date` can hold (ECMA-262: the year 275760). Sums and differences below it are exact. */
export const MAX_TIMESTAMP_MS = 8.64e15;
