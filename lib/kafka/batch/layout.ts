/**
 * Where the fields of a record batch are (magic 2, KIP-98; https://kafka.apache.org/documentation/#recordbatch), and
 * how integers are written: big-endian. 64-bit numbers must be safe integers (2^53) to be exact.
 */
export const BASE_OFFSET_AT = 0;
export const LENGTH_AT = 8;
export const LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
/** The CRC covers the batch from here to its end. */
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const PRODUCER_ID_AT = 43;
export const PRODUCER_EPOCH_AT = 51;
export const BASE_SEQUENCE_AT = 53;
export const RECORD_COUNT_AT = 57;

/** Bytes of a batch before its records. */
export const BATCH_OVERHEAD_BYTES = 61;
/** Base offset and length: what the length field does not count. */
export const LENGTH_OVERHEAD_BYTES = 12;
export const MAGIC = 2;

export const COMPRESSION_BITS = 7;
export const LOG_APPEND_TIME_BIT = 8;
export const TRANSACTIONAL_BIT = 16;
export const CONTROL_BIT = 32;
/** The base timestamp is the delete horizon (KIP-534); only the log itself sets it. */
export const DELETE_HORIZON_BIT = 64;

export const MAX_INT32 = 0x7fffffff;
const TWO_32 = 0x1_0000_0000;

export function readInt16(b: Uint8Array, at: number): number {
  return ((b[at]! << 24) | (b[at + 1]! << 16)) >> 16;
}

export function readInt32(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
}

export function readInt64(b: Uint8Array, at: number): number {
  return readInt32(b, at) * TWO_32 + (readInt32(b, at + 4) >>> 0);
}

export function writeInt16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

export function writeInt32(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 24;
  b[at + 1] = value >>> 16;
  b[at + 2] = value >>> 8;
  b[at + 3] = value;
}

export function writeInt64(b: Uint8Array, at: number, value: number): void {
  writeInt32(b, at, Math.floor(value / TWO_32));
  writeInt32(b, at + 4, value); // the shifts take it modulo 2^32
}
