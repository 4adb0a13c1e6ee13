/** Batches to records. For bytes that the log gave out: structure is checked, the CRC is not (`crcMatches` does). */
import { BrokerlessError } from "../../base/errors.ts";
import { codecOf } from "../codecs/choose.ts";
import type { Codecs } from "../codecs/types.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { type BatchPlace, batchError, grouped } from "./errors.ts";
import { readBatchHeader } from "./header.ts";
import { BATCH_OVERHEAD_BYTES, COMPRESSION_BITS } from "./layout.ts";
import { type RecordView, RecordWalker } from "./record-view.ts";
import type { BatchHeader, DecodeLimits, KafkaRecord } from "./types.ts";

/**
 * The records of the batch that begins at byte `at`. Keys and values are views into `bytes`, or into what the batch
 * decompressed to. Throws `corrupt_record`, `record_too_large` (decompressed), `unsupported_compression`.
 */
export function decodeBatch(bytes: Uint8Array, at: number, codecs: Codecs, limits: DecodeLimits = {}): KafkaRecord[] {
  const header = readBatchHeader(bytes, at);
  const walker = walkRecords(bytes, header, header, codecs, limits.maxDecompressedBytes);
  const { timestampType } = header;
  const records: KafkaRecord[] = [];
  while (walker.next()) {
    records.push({
      offset: walker.offset,
      timestampMs: walker.timestampMs,
      timestampType,
      key: walker.key(),
      value: walker.value(),
      headers: walker.headerCount === 0 ? NO_HEADERS : walker.headers(),
    });
  }
  return records;
}

const NO_HEADERS: readonly never[] = Object.freeze([]);

/**
 * Calls `fn` with each record of the batch that begins at byte `at`, without an object for each: the view moves on, so
 * it is valid only during the call. `fn` can return false to stop. Throws as {@link decodeBatch}.
 */
export function forEachRecord(
  bytes: Uint8Array,
  at: number,
  codecs: Codecs,
  // biome-ignore lint/suspicious/noConfusingVoidType: most callbacks return nothing
  fn: (record: RecordView) => boolean | void,
  limits: DecodeLimits = {},
): void {
  const header = readBatchHeader(bytes, at);
  const walker = walkRecords(bytes, header, header, codecs, limits.maxDecompressedBytes);
  while (walker.next()) if (fn(walker) === false) return;
}

/** A walker over the records of a batch, decompressed first where they must be. */
export function walkRecords(
  bytes: Uint8Array,
  header: BatchHeader,
  place: BatchPlace,
  codecs: Codecs,
  limitBytes: number = DEFAULT_LIMITS.maxDecompressedBytes,
): RecordWalker {
  const from = header.at + BATCH_OVERHEAD_BYTES;
  const end = header.at + header.sizeBytes;
  if (header.compression === "none") return new RecordWalker(header, place, bytes, from, end);
  const plain = decompressRecords(bytes.subarray(from, end), header, place, codecs, limitBytes);
  return new RecordWalker(header, place, plain, 0, plain.byteLength);
}

function decompressRecords(
  packed: Uint8Array,
  header: BatchHeader,
  place: BatchPlace,
  codecs: Codecs,
  limitBytes: number,
): Uint8Array {
  const name = header.compression;
  if (name === undefined) {
    throw batchError(
      "unsupported_compression",
      place,
      `has compression id ${header.attributes & COMPRESSION_BITS}; 0 to 4 are known`,
    );
  }
  const codec = codecOf(name, codecs);
  try {
    return codec.decompress(packed, limitBytes);
  } catch (error) {
    if (!(error instanceof BrokerlessError)) throw error;
    if (error.code === "record_too_large") {
      throw batchError(error.code, place, `decompresses to more than ${grouped(limitBytes)} bytes, the most that is taken`);
    }
    throw batchError(error.code, place, `cannot be decompressed: ${error.message}`, error);
  }
}
