/** What the producer is told and what it answers. */
import type { CompressionName, Partitioner, RecordHeader } from "../../kafka/index.ts";
import type { Bytes } from "../text.ts";

export interface ProducerOptions {
  /**
   * `all` and 1: answered when the records are durable. 0: answered when the server has taken the request; the
   * offset is then -1, and what goes wrong later is not told. Default `all`.
   */
  readonly acks?: 0 | 1 | "all";
  /** How long a batch waits for more records. 0 sends what was given in one turn of the event loop together. Default 0. */
  readonly lingerMs?: number;
  /** A batch is sent when it holds so many bytes, before compression. Below the topic's `max.message.bytes`. Default 524,288. */
  readonly batchSizeBytes?: number;
  /** Default `none`. The client must have the codec. */
  readonly compression?: CompressionName;
  /**
   * Every record is written once and in the order of the calls, whatever is tried again (KIP-98). False: a request of
   * which the fate is not known is not sent again, and its records are rejected with outcome `unknown`.
   * Default true, with `acks: 0` false.
   */
  readonly idempotent?: boolean;
  /** Chooses partitions. Default: by murmur2 of the key; without a key, one partition after the other by bytes (KIP-794). */
  readonly partitioner?: Partitioner;
  /** Batches of one partition under way at once: 1 to 5. Over 1 only an idempotent producer keeps the order. Default 1. */
  readonly maxInFlight?: number;
  /** How long a record may take, with everything that is tried again. Default 120,000. */
  readonly deliveryTimeoutMs?: number;
  /** Bytes of records that were given and are not yet answered; `send` waits where there are more. Default 33,554,432. */
  readonly bufferBytes?: number;
}

export interface ProducerRecord {
  readonly topic: string;
  /** Text is sent as UTF-8. Default null. */
  readonly key?: Bytes | undefined;
  /** Text is sent as UTF-8; null is a tombstone. Default null. */
  readonly value?: Bytes | undefined;
  /** In this order. An object where names are not repeated. */
  readonly headers?: Readonly<Record<string, Bytes>> | readonly { readonly key: string; readonly value: Bytes }[] | undefined;
  /** Default: the partitioner chooses. */
  readonly partition?: number | undefined;
  /** Milliseconds since 1970. Default: now. */
  readonly timestampMs?: number | undefined;
}

export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  /** -1 where the server does not tell: with `acks: 0`, and for a repetition it no longer knows the place of. */
  readonly offset: number;
  /** The record's own, or the log's where the topic has `message.timestamp.type=LogAppendTime`. */
  readonly timestampMs: number;
}

/** A record from the call that gave it until its answer. */
export interface PendingRecord {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[] | undefined;
  readonly partition: number | undefined;
  readonly timestampMs: number;
  /** At least what it adds to a batch. */
  readonly sizeBytes: number;
  /** Who hears what became of it, and which one it is for them. */
  readonly completion: Completion;
  readonly index: number;
}

/** Where batches were written. */
export interface Appended {
  /** Of the first record; -1: not told. */
  readonly baseOffset: number;
  /** The time that all records got, where the topic has `message.timestamp.type=LogAppendTime`. */
  readonly logAppendTimeMs: number | undefined;
  /** The server had them already, from an earlier attempt: nothing was written again. */
  readonly duplicate: boolean;
}

/** Who hears what became of the records of one call: once for each. */
export interface Completion {
  written(record: PendingRecord, partition: number, offset: number, logAppendTimeMs: number | undefined): void;
  failed(index: number, error: Error): void;
}
