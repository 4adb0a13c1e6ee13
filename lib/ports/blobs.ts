/**
 * Blobs: immutable runs of bytes under ULIDs that are never used twice. Written by `Table.inOrder` (`putBlob`), so that
 * the head is updated only when the bytes are durable. The backend chooses where they live by their size.
 * Promises: `test/contract/blobs.contract.ts`.
 *
 * B1  A blob that was written is read back byte for byte until it is deleted.
 * B2  Bytes that `read` returns belong to the caller, who may change them.
 */

/** Where a blob of a size is kept: 0 to 3, meaningful to its backend alone. A ref keeps it in two bits. */
export type Place = 0 | 1 | 2 | 3;

export interface BlobName {
  /** ULID, 16 bytes. */
  readonly id: Uint8Array;
  readonly place: Place;
}

export interface BlobSlice extends BlobName {
  /** First byte wanted. */
  readonly from: number;
  /** One after the last byte wanted. */
  readonly to: number;
}

export interface BlobInfo extends BlobName {
  readonly sizeBytes: number;
  /** As given to `putBlob`. */
  readonly partitions: readonly string[];
}

export interface Blobs {
  /** A blob for each partition costs about as much as one for all that are written together. */
  readonly separate: boolean;

  /** Where a blob of this size goes. Pure: the same size has always the same place in one backend. */
  place(sizeBytes: number): Place;

  /** In the order asked for; undefined for a blob that is not there. Fewer bytes where the blob ends before `to`. */
  read(slices: readonly BlobSlice[]): Promise<(Uint8Array | undefined)[]>;

  /** Deleting what is not there succeeds. */
  delete(names: readonly BlobName[]): Promise<void>;

  /**
   * Every blob whose id is at or below `upTo`, in pages, in no promised order; or only the large ones: those that are not
   * where a blob of one byte goes, so that no table has to be scanned. For the sweeper.
   */
  list(upTo: Uint8Array, which?: "all" | "large"): AsyncIterable<readonly BlobInfo[]>;
}
