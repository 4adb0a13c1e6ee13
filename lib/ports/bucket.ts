/**
 * Bucket: objects by name, as S3 has them. Promises: `test/contract/bucket.contract.ts`.
 *
 * K1  `put` is all or nothing: a reader sees the whole object or none, and an answered put is durable.
 * K2  Read after write, and list after write, are consistent.
 * K3  Bytes returned belong to the caller.
 *
 * Keys are 1 to 1024 bytes of letters, digits and `/ . _ -`; no part is empty, `.`, `..` or over 240 bytes:
 * any other throws `InvariantViolated` before anything is done. No two keys differ only in case: on some file
 * systems they would be one.
 * Errors are `StorageError` (see `table.ts`); `put` with `ifAbsent` over an object throws `condition_failed`.
 */
export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

export interface Bucket {
  put(key: string, body: Uint8Array | readonly Uint8Array[], options?: { readonly ifAbsent?: boolean }): Promise<void>;

  /**
   * As `put`, of pieces that come one after the other, so that an object can be larger than memory: about 40 MiB of them are
   * held at most. A piece must not change after it was given. Where `pieces` throws,
   * nothing is written, and what was thrown is.
   */
  putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<void>;

  /** The bytes from `from` (0) up to, not including, `to` (the end); fewer at the end. Undefined when there is no object. */
  get(key: string, slice?: { readonly from?: number; readonly to?: number }): Promise<Uint8Array | undefined>;

  /** Deleting what is not there succeeds. */
  delete(keys: readonly string[]): Promise<void>;

  /** By key, in byte order, in pages; `after` leaves out keys up to and including it. */
  list(prefix: string, options?: { readonly after?: string }): AsyncIterable<readonly ObjectInfo[]>;

  /**
   * One object out of many, in this order, without passing the bytes through the caller where the backend can. All or
   * nothing; `condition_failed` when one of them is not there.
   */
  concat(keys: readonly string[], into: string): Promise<void>;

  /** A URL that lets its holder do this for a while; undefined where the backend has none. */
  presign(key: string, method: "GET", ttlMs: number): Promise<string | undefined>;
}
