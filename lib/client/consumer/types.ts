/** What a consumer is told. */
import type { Isolation } from "../offsets.ts";

export interface ConsumerOptions {
  /** The members of a group share the partitions of its topics. */
  readonly group: string;
  readonly topics: string | readonly string[];
  /** Where to begin in a partition of which the group has committed nothing, or whose offset is gone. Default `latest`, as in Kafka. */
  readonly autoOffsetReset?: "earliest" | "latest" | "none" | undefined;
  /** `read_uncommitted`: records of transactions that are open or were aborted come too. Default `read_committed`. */
  readonly isolation?: Isolation | undefined;
  /** A static member: it has its partitions back when it returns within the session (45 s). */
  readonly instanceId?: string | undefined;
  /**
   * True commits what the loop has come past, every `commitIntervalMs`, when partitions are taken away, and at the end: at
   * least once. False: only `commit()` does. Default true.
   */
  readonly autoCommit?: boolean | undefined;
  /** Default 5,000. */
  readonly commitIntervalMs?: number | undefined;
  /** About how many bytes one request asks for. Default 1,048,576. */
  readonly maxBytes?: number | undefined;
  /** How much is fetched ahead, in bytes of all partitions together. Default 16,777,216. */
  readonly readAheadBytes?: number | undefined;
  /** How long one request waits at the end of the log. Default 20,000. */
  readonly waitMs?: number | undefined;
  /** How long to try again without an answer before the error is thrown. Default 120,000. */
  readonly retryTimeoutMs?: number | undefined;
  /** Called when the assignment has changed. */
  readonly onAssignment?: ((partitions: readonly TopicPartition[]) => void) | undefined;
  /** Ends the consumer: it commits and leaves. */
  readonly signal?: AbortSignal | undefined;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}
