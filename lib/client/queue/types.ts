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

export interface QueueStats {
  readonly depth: number;
  readonly inFlight: number;
  readonly parked: number;
  readonly dying: number;
  /** Ever. */
  readonly deadLetters: number;
  readonly oldestAgeMs: number | undefined;
  readonly deadLetterTopic: string | undefined;
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
