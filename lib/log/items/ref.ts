/**
 * A ref is what a head or a run keeps of one partition's bytes in a blob: 32 bytes.
 *
 * | bytes | what |
 * |---|---|
 * | 0-15 | blob id (ULID) |
 * | 16-19 | flags (2 bits place, 1 bit claim, 1 bit shared), position in the blob (28 bits) |
 * | 20-23 | record count, high 4 bits; size in bytes (28 bits) |
 * | 24-25 | record count, low 16 bits |
 * | 26-31 | largest timestamp, milliseconds since 1970, signed |
 */
import { invariant } from "../../base/assert.ts";
import type { Place } from "../../ports/index.ts";

export const REF_BYTES = 32;
/** A ref covers fewer records than this (20 bits), and bytes and positions below 256 MiB (28 bits). */
export const REF_MAX_RECORDS = 2 ** 20 - 1;
export const REF_MAX_BYTES = 2 ** 28 - 1;

export interface Ref {
  /** Id of the blob, 16 bytes. */
  readonly blobId: Uint8Array;
  readonly place: Place;
  /** A keyed request wrote it, whose claim may still be open: finish the claim before the ref goes. */
  readonly claimed: boolean;
  /** The blob has bytes of other partitions too: it does not go when this partition's refs do. */
  readonly shared: boolean;
  readonly positionBytes: number;
  readonly sizeBytes: number;
  readonly recordCount: number;
  readonly maxTimestampMs: number;
}

export function packRef(ref: Ref): Uint8Array {
  invariant(ref.sizeBytes <= REF_MAX_BYTES && ref.positionBytes <= REF_MAX_BYTES, "a ref's size and position have 28 bits");
  invariant(ref.recordCount > 0 && ref.recordCount <= REF_MAX_RECORDS, "a ref has 1 to 2^20 - 1 records");
  const out = new Uint8Array(REF_BYTES);
  const view = new DataView(out.buffer);
  out.set(ref.blobId, 0);
  view.setUint32(16, ((ref.place << 30) | (ref.claimed ? 1 << 29 : 0) | (ref.shared ? 1 << 28 : 0) | ref.positionBytes) >>> 0);
  view.setUint32(20, (((ref.recordCount >>> 16) << 28) | ref.sizeBytes) >>> 0);
  view.setUint16(24, ref.recordCount & 0xffff);
  view.setInt16(26, Math.floor(ref.maxTimestampMs / 2 ** 32));
  view.setUint32(28, ref.maxTimestampMs >>> 0);
  return out;
}

export function unpackRef(bytes: Uint8Array): Ref {
  invariant(bytes.byteLength === REF_BYTES, "a ref has 32 bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, REF_BYTES);
  const a = view.getUint32(16);
  const b = view.getUint32(20);
  return {
    blobId: bytes.subarray(0, 16),
    place: (a >>> 30) as Place,
    claimed: (a & (1 << 29)) !== 0,
    shared: (a & (1 << 28)) !== 0,
    positionBytes: a & 0x0fffffff,
    sizeBytes: b & 0x0fffffff,
    recordCount: ((b >>> 28) << 16) | view.getUint16(24),
    maxTimestampMs: view.getInt16(26) * 2 ** 32 + view.getUint32(28),
  };
}

/** Only the record count of a packed ref: what offsets are summed from. */
export function refRecordCount(bytes: Uint8Array): number {
  return (((bytes[20] as number) >>> 4) << 16) | ((bytes[24] as number) << 8) | (bytes[25] as number);
}

/** Does this packed ref point into that blob? */
export function refIsOf(bytes: Uint8Array, blobId: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (bytes[i] !== blobId[i]) return false;
  return true;
}
