/** The shapes of records and batches. Times are milliseconds since 1970; -1 means that there is none. */
import type { Codecs, CompressionName } from "../codecs/types.ts";

export type TimestampType = "CreateTime" | "LogAppendTime";

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** A record that is to be encoded. */
export interface RecordInput {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[] | undefined;
  /** Default: `timestampMs` of the batch. */
  readonly timestampMs?: number | undefined;
}

/** A record as it was read. The byte arrays are views: into the batch, or into what it decompressed to. */
export interface KafkaRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly timestampType: TimestampType;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** The 61 bytes before the records, decoded. Nothing but the magic and the length was checked. */
export interface BatchHeader {
  /** Where the batch begins in the bytes that were given. */
  readonly at: number;
  /** The whole batch, with its first 12 bytes (Kafka's own length field leaves them out). */
  readonly sizeBytes: number;
  readonly baseOffset: number;
  readonly partitionLeaderEpoch: number;
  /** CRC-32C of everything from the attributes on, unsigned. */
  readonly crc: number;
  readonly attributes: number;
  /** Undefined where the attributes name a codec that does not exist. */
  readonly compression: CompressionName | undefined;
  readonly timestampType: TimestampType;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly lastOffsetDelta: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  /** -1 where the producer is not idempotent. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** What the log has to know of one batch. */
export interface BatchSummary {
  readonly at: number;
  readonly sizeBytes: number;
  readonly recordCount: number;
  readonly maxTimestampMs: number;
  /** -1 where the producer is not idempotent; then epoch and sequences are -1 too. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** Of the last record; 0 follows 2^31-1. */
  readonly lastSequence: number;
  readonly compression: CompressionName;
  readonly attributes: number;
}

/** Whole batches, one after the other, that may be stored as they are. */
export interface PreparedBatches {
  readonly bytes: Uint8Array;
  readonly batches: readonly BatchSummary[];
  /** Of all batches. */
  readonly recordCount: number;
  /** Largest of all batches. */
  readonly maxTimestampMs: number;
}

export interface EncodeOptions {
  /** For records without a timestamp of their own. */
  readonly timestampMs: number;
  /** Default `none`. */
  readonly compression?: CompressionName | undefined;
  /** Must hold the codec that `compression` names. */
  readonly codecs?: Codecs | undefined;
  /** Default -1: not idempotent. */
  readonly producerId?: number | undefined;
  readonly producerEpoch?: number | undefined;
  readonly baseSequence?: number | undefined;
  /** Default 0. */
  readonly baseOffset?: number | undefined;
  /** Part of a transaction. Default false. */
  readonly transactional?: boolean | undefined;
  /** Written by the log itself, not shown to applications. Default false. */
  readonly control?: boolean | undefined;
}

export interface DecodeLimits {
  /** How large the records of one batch may be when decompressed. Default `DEFAULT_LIMITS.maxDecompressedBytes`. */
  readonly maxDecompressedBytes?: number | undefined;
}

export interface PrepareOptions {
  /** `max.message.bytes` of the topic: a batch as it is sent, with its 61 bytes of header. */
  readonly maxBatchBytes: number;
  readonly codecs: Codecs;
  /** Compacted topics: a record without a key is refused. Default false. */
  readonly requireKeys?: boolean | undefined;
  /** Default `DEFAULT_LIMITS.maxDecompressedBytes`. */
  readonly maxDecompressedBytes?: number | undefined;
  /** Headers of one record. Default `DEFAULT_LIMITS.maxHeaders`. */
  readonly maxHeaders?: number | undefined;
  /** `message.timestamp.type` of the topic; with LogAppendTime timestamps are not judged. Default CreateTime. */
  readonly timestampType?: TimestampType | undefined;
  /** What the two limits below are measured from. */
  readonly nowMs: number;
  /** `message.timestamp.before.max.ms`. Default: no limit. */
  readonly timestampBeforeMaxMs?: number | undefined;
  /** `message.timestamp.after.max.ms`. Default: no limit. */
  readonly timestampAfterMaxMs?: number | undefined;
  /** Lets batches of transactions in. Default false. */
  readonly allowTransactional?: boolean | undefined;
}
