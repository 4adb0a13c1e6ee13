/** What a queue is told, and what it tells. */
import type { JobParts } from "./job.ts";

export interface QueueOptions {
  /** The workers of a group share the messages. */
  readonly group: string;
  readonly topics: string | readonly string[];
  /** How many messages are taken at once, and wait for the loop. Default 10, at most 1,000. */
  readonly prefetch?: number | undefined;
  /** How long one request waits for a first message. Default and at most 20,000. */
  readonly waitMs?: number | undefined;
  /** 15,000 to 60,000. Default: what the group's config says. */
  readonly visibilityTimeoutMs?: number | undefined;
  /** Messages that are worked on are kept for so long, however short the time-out is. Default 3,600,000; 0: they are not extended. */
  readonly extendForMs?: number | undefined;
  /** `priority`: topics and partitions in their order. Default `turn`. */
  readonly order?: "turn" | "priority" | undefined;
  /** How long to try again without an answer before the error is thrown. Default 120,000. */
  readonly retryTimeoutMs?: number | undefined;
  /** Ends the loop: what was taken and not handed out is given back. */
  readonly signal?: AbortSignal | undefined;
}

export interface QueueCounts {
  /** Messages to be received, now or later. */
  readonly depth: number;
  readonly inFlight: number;
  /** Of both: kept apart, because their time has not come or others went ahead. */
  readonly parked: number;
  /** Rejected or delivered too often, and not in the dead-letter topic yet. */
  readonly dying: number;
  /** Ever. */
  readonly deadLetters: number;
  /** Of the oldest message that is not settled; undefined: there is none. */
  readonly oldestAgeMs: number | undefined;
}

export interface QueueStats extends QueueCounts {
  readonly deadLetterTopic: string | undefined;
}

/** One topic of a queue. */
export interface QueueRow extends QueueCounts {
  readonly group: string;
  readonly topic: string;
  /** How many have begun. */
  readonly partitions: number;
}

export interface Redriven {
  readonly redriven: number;
  readonly skipped: number;
  readonly failed: number;
}

/** What is done with a message. */
export type Settling = "ack" | "release" | "reject" | "extend";

export interface ReceiveOptions {
  readonly topics: readonly string[];
  readonly maxMessages?: number | undefined;
  readonly waitMs?: number | undefined;
  readonly visibilityTimeoutMs?: number | undefined;
  readonly order?: "turn" | "priority" | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Received {
  readonly messages: readonly JobParts[];
  readonly visibilityTimeoutMs: number;
}
