/** What a poll is asked for and what it answers. */
import type { BrokerlessError } from "../../base/errors.ts";
import type { Isolation, LogApi, ReadResult } from "../../log/types.ts";
import type { GroupClient, GroupsApi, TopicPartition } from "../types.ts";
import type { Cursor, Position, Reset } from "./cursor.ts";

export interface Seek extends TopicPartition {
  readonly offset: number | "earliest" | "latest";
}

export interface PollRequest {
  readonly group: string;
  readonly client: GroupClient;
  /** Undefined: joins. */
  readonly cursor?: Cursor | undefined;
  /** Undefined: as the cursor has them. */
  readonly topics?: readonly string[] | undefined;
  readonly regex?: string | undefined;
  readonly instanceId?: string | undefined;
  readonly reset?: Reset | undefined;
  /** Commit what the cursor says was returned. */
  readonly commit: boolean;
  readonly seek: readonly Seek[];
  readonly pause: readonly TopicPartition[];
  readonly resume: readonly TopicPartition[];
  /** 0: nothing is read. */
  readonly maxBytes: number;
  /** Waits until there is about so much. Default 1. */
  readonly minBytes?: number | undefined;
  readonly maxWaitMs: number;
  /** Default `read_committed`. */
  readonly isolation?: Isolation | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Records of one partition. */
export interface PolledPartition extends Position {
  readonly result: ReadResult;
}

/** What could not be committed: those records are returned again. */
export interface NotCommitted extends TopicPartition {
  readonly error: BrokerlessError;
}

/** An offset that was not in the log any more, or not yet, and where it was set instead. */
export interface ResetOffset extends TopicPartition {
  readonly from: number;
  readonly to: number;
}

export interface PollAnswer {
  /** As it is before the records are counted as returned: see `returned`. */
  readonly cursor: Cursor;
  readonly heartbeatIntervalMs: number;
  readonly polled: readonly PolledPartition[];
  readonly committed: number;
  readonly notCommitted: readonly NotCommitted[];
  readonly resets: readonly ResetOffset[];
  /** What it has is not what it had. */
  readonly rebalanced: boolean;
}

export interface PollParts {
  readonly groups: GroupsApi;
  readonly log: LogApi;
}

/** A key for maps. */
export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}
