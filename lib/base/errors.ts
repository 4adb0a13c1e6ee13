/**
 * The errors of the project. Every one says what became of the request:
 *
 * - `not_applied`: nothing was written and nothing will be.
 * - `applied`: it was written (the error is about what came after it).
 * - `unknown`: it may or may not have been written. Only where the storage could not be reached to find out.
 *
 * `code` is one word for programs; each surface maps it in one table (`lib/http/errors.ts`, `lib/wire/errors.ts`).
 */
export type Outcome = "not_applied" | "applied" | "unknown";

/** One word for each thing that can go wrong, named after what the caller can do about it. */
export type ErrorCode =
  | "invalid_request" // a field is wrong: name, value and limit are in the message
  | "invalid_topic" // illegal topic name
  | "invalid_partitions" // would shrink, or over the limit
  | "invalid_config" // unknown config name, or impossible value
  | "invalid_replication_factor"
  | "topic_exists"
  | "unknown_topic"
  | "unknown_partition"
  | "unknown_group"
  | "record_too_large" // over max.message.bytes
  | "request_too_large" // over a limit of the server
  | "corrupt_record" // CRC or structure of a batch
  | "corrupt_log" // stored bytes are damaged or gone: which offsets, and where to go on, is in the details
  | "invalid_timestamp"
  | "invalid_record" // e.g. a record without a key in a compacted topic
  | "unsupported_compression"
  | "unsupported_version" // stored, or asked for, by a newer version
  | "offset_out_of_range"
  | "out_of_order_sequence"
  | "duplicate_sequence" // already written, its offset is no longer known
  | "invalid_producer_epoch"
  | "unknown_producer"
  | "idempotency_conflict" // the same key with another request
  | "idempotency_in_progress" // the same key, still running elsewhere
  | "invalid_group" // illegal group name
  | "non_empty_group" // the group has members; only an empty one may be changed so
  | "unknown_member" // the group has no such member (any more): join again
  | "illegal_generation" // an older generation's request: join again
  | "rebalance_in_progress" // join again, with the same member id
  | "inconsistent_group_protocol" // no protocol in common with the group's members
  | "invalid_session_timeout"
  | "member_id_required" // join again with the member id that the answer carries
  | "fenced_instance_id" // another member has taken over this group.instance.id
  | "unreleased_instance_id" // another member that lives has this group.instance.id
  | "group_max_size_reached"
  | "group_subscribed_to_topic" // members of the group read this topic
  | "group_busy" // the group is being changed: try again
  | "fenced_member_epoch" // join again with epoch 0
  | "stale_member_epoch" // heartbeat, then try again with the new epoch
  | "unsupported_assignor"
  | "invalid_regular_expression"
  | "offset_metadata_too_large"
  | "invalid_record_state" // a record of a share group is not held by who acknowledges it
  | "share_session_not_found" // open a share session first, with epoch 0
  | "invalid_share_session_epoch" // open the share session anew
  | "invalid_consumer_config" // of a REST consumer: which, and what it takes, is in the message
  | "consumer_exists" // a REST consumer of this name is in the group
  | "consumer_illegal_state" // subscribed and assigned at once, or two calls at once
  | "format_mismatch" // a REST consumer is asked for another format than its own
  | "invalid_txn_state" // the transaction is not open, or not this one
  | "producer_fenced" // a newer producer has the transactional id
  | "invalid_producer_id_mapping" // the transactional id has another producer id
  | "concurrent_transactions" // the one before it is being ended: try again
  | "invalid_transaction_timeout"
  | "transactional_id_not_found"
  | "unstable_offset_commit" // a transaction with offsets is open: try again
  | "transaction_abortable" // abort it, then try again
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "not_acceptable"
  | "unsupported_media_type"
  | "timeout"
  | "throttled" // try again after retryAfterMs
  | "unavailable" // the storage did not take it
  | "storage_full"
  | "shutting_down"
  | "outcome_unknown"
  | "internal";

export interface ErrorDetails {
  /** What became of the request. Default `not_applied`. */
  readonly outcome?: Outcome;
  /** The field that is wrong, in the caller's words: `partitions`, `records[3].key`. */
  readonly field?: string;
  /** When a retry may succeed, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** Further facts for programs, e.g. `{ logStartOffset, logEndOffset }`. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** What every layer throws. The message is one line, in the caller's words, with the value and the limit. */
export class BrokerlessError extends Error {
  override readonly name: string = "BrokerlessError";
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, more: ErrorDetails = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.outcome = more.outcome ?? "not_applied";
    this.field = more.field;
    this.retryAfterMs = more.retryAfterMs;
    this.details = more.details ?? {};
  }

  /** Would the very same request, sent again, have a chance? Only what was surely not applied. */
  get retriable(): boolean {
    return this.outcome === "not_applied" && RETRIABLE.has(this.code);
  }
}

const RETRIABLE: ReadonlySet<ErrorCode> = new Set([
  "timeout",
  "throttled",
  "unavailable",
  "storage_full",
  "shutting_down",
  "idempotency_in_progress",
  "group_busy",
  "concurrent_transactions",
  "unstable_offset_commit",
]);
