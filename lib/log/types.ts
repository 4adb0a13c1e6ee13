/**
 * What the log gives to every surface (HTTP, Kafka protocol, CLI, jobs). Implemented by `Log` in `log.ts`; all errors
 * are `BrokerlessError`.
 */
import type { BrokerlessError } from "../base/errors.ts";
import type { PreparedBatches } from "../kafka/index.ts";
import type { Check, Write } from "../ports/index.ts";

export interface TopicSpec {
  /** 1 to 249 characters of `[a-zA-Z0-9._-]`, not `.` or `..` (Kafka's rule). */
  readonly name: string;
  /** 1 to 10,000. Default 1. */
  readonly partitions?: number;
  /** -1 or 1 to 3: accepted and remembered; what exists is the storage's (`docs/durability.md`). Default -1. */
  readonly replicationFactor?: number;
  /** By Kafka's names; every value as text, as Kafka has them. */
  readonly configs?: Readonly<Record<string, string>>;
}

export interface Topic {
  readonly name: string;
  /** 22 characters of base64url: the 16 bytes of a UUID. */
  readonly id: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** What was set; see `topicConfigs` for what holds. */
  readonly configs: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
}

/** One config of a topic, as DescribeConfigs answers it. */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly defaultValue: string;
  readonly isDefault: boolean;
  readonly documentation: string;
  /** Kafka's type word: `long`, `int`, `list`, `string`. */
  readonly type: string;
}

export interface AppendRequest {
  readonly topic: string;
  /** Where given, the topic must still be this one; else `unknown_topic`. */
  readonly topicId?: string;
  readonly partition: number;
  /**
   * One or more record batches (magic 2), one after the other. As bytes they are checked here, whole, before anything
   * is written; `PreparedBatches` were checked or made by `lib/kafka` and are trusted. The bytes must not be changed
   * until the append is answered, and may be changed by it (base offset, LogAppendTime).
   */
  readonly batches: Uint8Array | PreparedBatches;
  /**
   * For batches of a transaction: what `transactionGuards` answered before the transaction was found open (005, T3). It is of one
   * topic: with the `topicId` that was asked for it, else a topic made meanwhile under the name may be appended to.
   */
  readonly transactionGuard?: number | undefined;
}

/** The end of a producer's transaction. */
export interface TransactionEnd {
  readonly partitions: readonly { readonly topicId: string; readonly partition: number }[];
  readonly producerId: number;
  /** Of the marker. Where it is higher than the producer's, older epochs are refused from now on. */
  readonly producerEpoch: number;
  readonly commit: boolean;
}

/** Kafka's `isolation.level`. */
export type Isolation = "read_uncommitted" | "read_committed";

/** A transaction that was aborted: the producer's records from the first offset up to the marker are not to be shown. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly markerOffset: number;
}

export interface AppendResult {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the first record. */
  readonly baseOffset: number;
  readonly recordCount: number;
  /** The time given to all records where `message.timestamp.type` is LogAppendTime; else undefined. */
  readonly logAppendTimeMs: number | undefined;
  readonly logStartOffset: number;
  /** True where this was an idempotent producer's repetition: nothing was written again. */
  readonly duplicate: boolean;
}

export interface AppendOptions {
  /**
   * 1 to 255 printable characters. The first request with a key is done once; the same request with the same key is
   * answered with the first one's result for 24 hours, another request with it is refused (`idempotency_conflict`).
   */
  readonly idempotencyKey?: string;
  /** With `idempotencyKey`: a hash of the request as its sender made it. Default: of topics, partitions and batches. */
  readonly requestHash?: string;
  /** Gives up waiting; what was begun goes on, and the error says `unknown`. */
  readonly signal?: AbortSignal;
  /** The system itself writes to a topic of its own; everybody else is refused there (`invalid_topic`). */
  readonly internal?: boolean;
}

/** Writes to other items, which are applied with an atomic append or not at all. */
export interface Companion {
  /**
   * The writes, by what is there now; asked again whenever one of them was refused. Throws where they may not be made: nothing is
   * appended then.
   */
  prepare(): Promise<readonly (Write | Check)[]>;
  /** What was prepared last is applied. */
  applied?(): void;
}

export interface AtomicAppendOptions extends AppendOptions {
  readonly with?: Companion | undefined;
}

export interface ReadRequest {
  readonly topic: string;
  /** Where given, the topic must still be this one; else `unknown_topic`. */
  readonly topicId?: string;
  readonly partition: number;
  /** First offset wanted: from the log start to the log end, else `offset_out_of_range`. */
  readonly offset: number;
  /** About how many bytes at most; at least one batch is returned where there is one. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Waits so long at the end of the log for something new. Default 0. */
  readonly maxWaitMs?: number;
  /** `read_committed` reads below the last stable offset. Default `read_uncommitted`, as in Kafka. */
  readonly isolation?: Isolation | undefined;
  /**
   * What `partitions` has just said of the partition: where the offset is within, the log is read as it was then, without a look at
   * its head.
   */
  readonly known?: PartitionInfo | undefined;
  readonly signal?: AbortSignal;
}

export interface ReadResult {
  /**
   * Whole record batches with their offsets in them, in order and without a gap, save what was compacted away; the first may
   * begin below the offset asked for (as in Kafka: the reader skips), and one that was compacted may be empty. Each array holds one or more batches. The caller's to keep.
   */
  readonly batches: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** Where to read on: one after the last record here; the offset asked for when there is none. */
  readonly nextOffset: number;
  readonly logStartOffset: number;
  /** Log end offset, also the high watermark: every offset below it is durable. */
  readonly logEndOffset: number;
  /** Below it every transaction has ended. */
  readonly lastStableOffset: number;
  /**
   * With `read_committed`: the aborted transactions that have records in `batches`, by the offset of their markers. The batches
   * are as they are stored: who shows records leaves those out, and control batches.
   */
  readonly aborted: readonly AbortedTransaction[];
}

/** One segment, readable by whoever holds its URL. */
export interface SegmentLink {
  /** The offsets that it covers; records below the offset asked for may be in it. */
  readonly baseOffset: number;
  /** One after the last offset that it covers. */
  readonly nextOffset: number;
  readonly url: string;
  /** Whole batches, with their offsets in them, lie from this byte … */
  readonly fromByte: number;
  /** … to before this one, the end of the object. */
  readonly toByte: number;
}

export interface Manifest {
  /** In order, without a gap. Empty where what is at the offset is in no segment yet. */
  readonly segments: readonly SegmentLink[];
  /** The aborted transactions with records in them. Segments end below the last stable offset, which is the log end here. */
  readonly aborted: readonly AbortedTransaction[];
  /** Where to go on, with another manifest or by reads: one after the last segment. */
  readonly nextOffset: number;
  /** When the URLs stop to work, at the latest. */
  readonly expiresAtMs: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
}

/** One partition of a read of many; as in {@link ReadRequest}. */
export type PartitionRead = Required<Pick<ReadRequest, "topic" | "partition" | "offset" | "maxBytes">> &
  Pick<ReadRequest, "topicId">;

export interface ReadManyRequest {
  /** In the order in which they may use up `maxBytes`. */
  readonly partitions: readonly PartitionRead[];
  /** Of all together; as in one partition, at least one batch is returned where there is one. */
  readonly maxBytes: number;
  /** Waits until there is about so much in all. Default 1. */
  readonly minBytes?: number;
  /** Waits so long at most. Default 0. */
  readonly maxWaitMs?: number;
  /** Of all; as in one partition. */
  readonly isolation?: Isolation | undefined;
  /** Ends the wait: what there is is the answer. */
  readonly signal?: AbortSignal | undefined;
}

export type OffsetSpec =
  | { readonly at: "earliest" | "latest" | "max_timestamp" }
  /** The first record whose timestamp is at or after this one. */
  | { readonly timestampMs: number };

export interface OffsetAnswer {
  /** -1 where no record fits. */
  readonly offset: number;
  /** -1 with `earliest` and `latest`, and where no record fits. */
  readonly timestampMs: number;
}

export interface PartitionInfo {
  readonly partition: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly lastStableOffset: number;
}

/** What `verify` tells: what is wrong, how far it is, and what a partition came to. */
export type VerifyEvent =
  | {
      readonly kind: "problem";
      readonly partition: number;
      /** The offsets that are concerned. */
      readonly baseOffset: number;
      readonly lastOffset: number;
      /** The object or blob, or `index`. */
      readonly where: string;
      readonly what: string;
    }
  | { readonly kind: "progress"; readonly partition: number; readonly offset: number; readonly logEndOffset: number }
  | {
      readonly kind: "partition";
      readonly partition: number;
      readonly logStartOffset: number;
      readonly logEndOffset: number;
      readonly records: number;
      readonly sizeBytes: number;
      readonly segments: number;
      readonly blobs: number;
      readonly problems: number;
    };

/** An idempotent producer that a partition remembers. */
export interface ActiveProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  /** Where its open transaction begins; undefined without one. */
  readonly transactionStartOffset?: number | undefined;
}

export interface LogApi {
  /** A 22-character id made when the storage was first used. */
  clusterId(): Promise<string>;

  /** Throws `topic_exists`, `invalid_topic`, `invalid_partitions`, `invalid_config`, `invalid_replication_factor`. */
  createTopic(spec: TopicSpec, options?: { readonly validateOnly?: boolean }): Promise<Topic>;
  /** By name. */
  listTopics(): Promise<Topic[]>;
  /** Throws `unknown_topic`. May be up to 30 s old, save that what this process did is seen at once. `anew`: as it is now. */
  topic(name: string, options?: { readonly anew?: boolean }): Promise<Topic>;
  /** Every config there is, with what holds for this topic. */
  topicConfigs(topic: Topic): ConfigEntry[];
  /** Sets (text) or resets to the default (null) the named configs and leaves the others. */
  alterConfigs(
    name: string,
    changes: Readonly<Record<string, string | null>>,
    options?: { readonly validateOnly?: boolean },
  ): Promise<Topic>;
  /** Grows to this total; throws `invalid_partitions` when it is not above the present one. */
  growPartitions(name: string, total: number, options?: { readonly validateOnly?: boolean }): Promise<Topic>;
  /** `topicId`: only where the topic of the name has this id. Throws `unknown_topic`. */
  deleteTopic(name: string, options?: { readonly topicId?: string }): Promise<void>;
  /** Offsets of these partitions (default: all), by partition. `topicId`: of the topic with this id alone, else `unknown_topic`. */
  partitions(name: string, which?: readonly number[], options?: { readonly topicId?: string }): Promise<PartitionInfo[]>;

  /**
   * Durable when it resolves. Batches of a transaction: `invalid_txn_state` without a guard, `concurrent_transactions` where it holds no more
   * (ask again, and look whether the transaction is open). Requests to one partition are appended in the order of the calls.
   */
  append(request: AppendRequest, options?: AppendOptions): Promise<AppendResult>;
  /** All or none, over several partitions; each partition named once; at most 90, and 100 items together with the companion's. */
  appendAtomically(requests: readonly AppendRequest[], options?: AtomicAppendOptions): Promise<AppendResult[]>;
  /**
   * For each partition what appends of a transaction are held to: ask before you look whether the transaction is open, and
   * append with it then (005, T3). `unknown_topic`, `unknown_partition` are answers.
   */
  transactionGuards(
    partitions: readonly Pick<AppendRequest, "topic" | "topicId" | "partition">[],
  ): Promise<(number | BrokerlessError)[]>;
  /**
   * Appends the markers that end the producer's transaction in its partitions, where it has records, and makes its outcome known to
   * readers. What is done already, or is gone, is done. May be repeated, and done twice at once. `stillDue` is asked after the
   * partitions were looked at and before anything is written: false where somebody else has ended the transaction meanwhile, and
   * another of the same producer may be open.
   */
  endTransaction(end: TransactionEnd, stillDue: () => Promise<boolean>): Promise<void>;
  read(request: ReadRequest): Promise<ReadResult>;
  /** Of each partition what `read` answers or throws. An error ends the wait for the others. */
  readMany(request: ReadManyRequest): Promise<(ReadResult | BrokerlessError)[]>;
  /**
   * At most `limit` segments from the one that holds `offset` on. Throws `offset_out_of_range`; `not_found` where the
   * storage cannot give URLs.
   */
  manifest(topic: string, partition: number, offset: number, limit: number): Promise<Manifest>;
  /** With `read_committed`: `latest` is the last stable offset, and no record from there on is found. */
  listOffset(topic: string, partition: number, spec: OffsetSpec, isolation?: Isolation): Promise<OffsetAnswer>;
  /** Moves the log start forward to this offset (-1: to the end). Answers the log start. */
  deleteRecords(topic: string, partition: number, beforeOffset: number): Promise<number>;
  /**
   * Reads all that these partitions have (default: all) and checks it: CRC and structure of every batch, offsets without a
   * gap, every segment against its index. Changes nothing. Throws where the storage fails; damage is told, not thrown.
   */
  verify(topic: string, which?: readonly number[]): AsyncIterable<VerifyEvent>;
  /** Bytes of all batches from the log start on, as they are stored. */
  partitionBytes(topic: string, partition: number): Promise<number>;
  /** The producers whose last batch was so lately that they are in the partition's head. */
  activeProducers(topic: string, partition: number): Promise<ActiveProducer[]>;
  /** A fresh producer id with epoch 0, never given before. */
  allocateProducerId(): Promise<{ readonly producerId: number; readonly producerEpoch: number }>;

  /** Refuses further appends (`shutting_down`) and waits for those that are under way. Leaves the storage open. */
  close(): Promise<void>;
}
