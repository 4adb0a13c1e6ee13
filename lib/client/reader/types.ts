/** What the reader is told and what it answers. */
import type { KafkaRecord } from "../../kafka/index.ts";
import type { Isolation } from "../offsets.ts";

/** The log start, the log end, or the first record at or after a time. */
export type ReadFrom = "earliest" | "latest" | number | { readonly timestampMs: number };

export interface ReaderOptions {
  readonly topic: string;
  /** Default: all that the topic has when the reading begins. */
  readonly partitions?: number | readonly number[] | undefined;
  /**
   * One place for all partitions, or one for each (`reader.positions()` of an earlier reader), `earliest` for those that
   * are left out. Default `earliest`.
   */
  readonly from?: ReadFrom | ReadonlyMap<number, ReadFrom> | undefined;
  /** True waits for new records at the end of the log; false ends at what was the end when the reading began. Default true. */
  readonly follow?: boolean | undefined;
  /**
   * For some partitions the offset before which their reading ends. With `follow` the reader waits until the log has come
   * so far.
   */
  readonly until?: ReadonlyMap<number, number> | undefined;
  /**
   * Far behind the end, what is in segments is read straight from the bucket, in parallel, where the server offers it;
   * where that fails, through the server. False: always through the server. Default true.
   */
  readonly bulk?: boolean | undefined;
  /** About how many bytes one request asks for. Default 1,048,576. */
  readonly maxBytes?: number | undefined;
  /** How much is fetched ahead of the caller, in bytes of all partitions together. Default 16,777,216. */
  readonly readAheadBytes?: number | undefined;
  /**
   * What to do when the offset wanted is not in the log (any more): `none` throws `offset_out_of_range`, the others go on
   * at the log start or the log end. Default `none`.
   */
  readonly autoOffsetReset?: "none" | "earliest" | "latest" | undefined;
  /**
   * `read_committed` waits where the first open transaction begins and leaves out what was aborted; `read_uncommitted` reads
   * everything, through the server. Default `read_committed`.
   */
  readonly isolation?: Isolation | undefined;
  /** How long one request waits at the end of the log. Default 20,000. */
  readonly waitMs?: number | undefined;
  /** How long to try again without an answer before the error is thrown. Default 120,000. */
  readonly retryTimeoutMs?: number | undefined;
  /** Ends the reading, without an error. */
  readonly signal?: AbortSignal | undefined;
}

export interface ReadRecord extends KafkaRecord {
  readonly topic: string;
  readonly partition: number;
}
