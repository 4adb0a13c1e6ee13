/**
 * Kafka's record formats: batches (magic 2), checksums, compression, partitioners, error codes. Runs in a browser.
 * Codecs are passed in: `codecs/portable.ts` for anywhere, `codecs/node.ts` for Node.
 */
import type {
  BatchHeader,
  DecodeLimits,
  EncodeOptions,
  KafkaRecord,
  PreparedBatches,
  PrepareOptions,
  RecordHeader,
  RecordInput,
} from "./batch/types.ts";
import type { Codecs } from "./codecs/types.ts";

export type * from "./batch/types.ts";
export * from "./codecs/types.ts";

export declare const BATCH_OVERHEAD_BYTES: 61;
export declare const DEFAULT_LIMITS: { readonly maxDecompressedBytes: number; readonly maxHeaders: number };
export declare function encodeBatch(records: readonly RecordInput[], options: EncodeOptions): Uint8Array;
export declare function readBatchHeader(bytes: Uint8Array, at: number): BatchHeader;
export declare function batchHeaders(bytes: Uint8Array): Generator<BatchHeader>;
export declare function decodeBatch(bytes: Uint8Array, at: number, codecs: Codecs, limits?: DecodeLimits): KafkaRecord[];
/** One object for all records of a batch: valid only during the call it is given to. */
export interface RecordView {
  readonly offset: number;
  readonly timestampMs: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly headerCount: number;
  /** A view, or null. */
  key(): Uint8Array | null;
  value(): Uint8Array | null;
  headers(): RecordHeader[];
}
/** Calls `fn` with each record; `false` stops. */
export declare function forEachRecord(
  bytes: Uint8Array,
  at: number,
  codecs: Codecs,
  // biome-ignore lint/suspicious/noConfusingVoidType: most callbacks return nothing
  fn: (record: RecordView) => boolean | void,
  limits?: DecodeLimits,
): void;
export declare function stampOffset(bytes: Uint8Array, at: number, baseOffset: number, leaderEpoch: number): void;
export declare function stampLogAppendTime(bytes: Uint8Array, at: number, timestampMs: number): void;
export declare function crcMatches(bytes: Uint8Array, at: number): boolean;
export declare function prepareBatches(bytes: Uint8Array, options: PrepareOptions): PreparedBatches;
export declare function trustedBatches(bytes: Uint8Array): PreparedBatches;
export declare function crc32c(bytes: Uint8Array, from?: number, to?: number): number;
export declare function murmur2(bytes: Uint8Array): number;

export interface PartitionedRecord {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[] | undefined;
}
export interface PartitionContext {
  readonly partitionCount: number;
  /** What the record adds to a batch. */
  readonly sizeBytes: number;
}
/** Chooses the partition of a record. */
export type Partitioner = (record: PartitionedRecord, context: PartitionContext) => number;
export interface StickyOptions {
  /** At least 0, below 1. */
  readonly random: () => number;
  /** Default 16384 (`batch.size`). */
  readonly batchSizeBytes?: number;
}
export declare function defaultPartitioner(options: StickyOptions): Partitioner;
export declare function stickyPartitioner(options: StickyOptions): Partitioner;
export declare function roundRobinPartitioner(): Partitioner;
export declare function explicitPartitioner(partition: number): Partitioner;
export declare function customPartitioner(choose: (record: PartitionedRecord, context: PartitionContext) => number): Partitioner;
export declare function priorityLanes(
  options: StickyOptions & { readonly isVip: (record: PartitionedRecord) => boolean; readonly lanes: number },
): Partitioner;

export interface KafkaError {
  readonly name: string;
  readonly code: number;
  readonly retriable: boolean;
}
/** By name, e.g. `KAFKA_ERRORS.UNKNOWN_TOPIC_OR_PARTITION.code`. */
export declare const KAFKA_ERRORS: Readonly<Record<string, KafkaError>>;
