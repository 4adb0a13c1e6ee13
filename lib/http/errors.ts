/**
 * The one table from our errors to HTTP: status, and the `error_code` that Confluent's REST API has for it. A program
 * decides by `code`, which is ours and never changes meaning; `outcome` says what became of the request.
 * `docs/errors.md` lists the same table; a test compares them.
 */
import { BrokerlessError, type ErrorCode } from "../base/errors.ts";
import { snakeCased } from "../base/names.ts";
import type { Reply } from "./call.ts";

export interface HttpError {
  readonly status: number;
  readonly errorCode: number;
  /** What the caller can do. */
  readonly advice: string;
}

function entry(status: number, errorCode: number, advice: string): HttpError {
  return { status, errorCode, advice };
}

export const HTTP_ERRORS: Readonly<Record<ErrorCode, HttpError>> = {
  invalid_request: entry(400, 40002, "Correct the field that the message names."),
  invalid_topic: entry(400, 40002, "Use 1 to 249 characters of a-z A-Z 0-9 . _ -"),
  invalid_partitions: entry(400, 40002, "Partitions can only grow, up to the limit in the message."),
  invalid_config: entry(400, 40002, "Use a config name and value that the message lists."),
  invalid_replication_factor: entry(400, 40002, "Use -1, or 1 to 3."),
  topic_exists: entry(400, 40002, "Nothing to do if the topic is as you want it."),
  corrupt_record: entry(400, 40002, "Encode the batch again; it does not match its own checksum or structure."),
  invalid_timestamp: entry(400, 40002, "Use milliseconds since 1970 within the topic's bounds."),
  invalid_record: entry(400, 40002, "Correct the record; a compacted topic needs keys."),
  unsupported_compression: entry(400, 40002, "Use none, gzip, snappy, lz4 or zstd."),
  invalid_group: entry(400, 40002, "Use 1 to 249 characters for the group's name."),
  invalid_session_timeout: entry(400, 40002, "Use a session timeout within the limits that the message names."),
  unsupported_assignor: entry(400, 40002, "Use uniform or range."),
  invalid_regular_expression: entry(400, 40002, "Correct the expression; it takes RE2's syntax."),
  offset_metadata_too_large: entry(400, 40002, "Commit at most 4096 bytes of metadata."),
  invalid_transaction_timeout: entry(400, 40002, "Use a time-out within the limit that the message names."),
  unauthenticated: entry(401, 40101, "Send a valid token."),
  forbidden: entry(403, 40301, "Ask for a token with that scope, or call from an allowed origin."),
  unknown_topic: entry(404, 40401, "Create the topic, or correct its name."),
  unknown_partition: entry(404, 40402, "Use a partition from 0 to one less than the topic has."),
  unknown_group: entry(404, 40405, "Correct the group's name."),
  transactional_id_not_found: entry(404, 40406, "Correct the transactional id."),
  not_found: entry(404, 404, "Correct the path."),
  method_not_allowed: entry(405, 405, "Use a method that the Allow header lists."),
  not_acceptable: entry(406, 406, "Ask for a media type that the message lists."),
  format_mismatch: entry(406, 40601, "Ask for the media type of the consumer's format, or create it with the other format."),
  timeout: entry(408, 408, "Send the body faster, or in smaller pieces."),
  unknown_member: entry(404, 40403, "Join again: the member left or its session timed out."),
  consumer_exists: entry(409, 40902, "Go on with the consumer that is there, or use another name."),
  consumer_illegal_state: entry(409, 40903, "Unsubscribe first, or make one call at a time: the message says which."),
  illegal_generation: entry(409, 40921, "Join again: the group has rebalanced since."),
  rebalance_in_progress: entry(409, 40922, "Join again with the same member id."),
  inconsistent_group_protocol: entry(409, 40923, "Use the protocol and an assignor that the group's members have."),
  member_id_required: entry(409, 40924, "Join again with the member id in the answer."),
  fenced_instance_id: entry(409, 40925, "Stop: another member has taken over this instance id."),
  unreleased_instance_id: entry(409, 40926, "Wait until the other member with this instance id has left."),
  group_max_size_reached: entry(409, 40927, "Use fewer members."),
  non_empty_group: entry(409, 40928, "Stop the group's members first."),
  group_subscribed_to_topic: entry(409, 40929, "Stop the members that read the topic first."),
  fenced_member_epoch: entry(409, 40930, "Join again with epoch 0."),
  stale_member_epoch: entry(409, 40931, "Heartbeat, then try again with the epoch in its answer."),
  invalid_record_state: entry(409, 40940, "Nothing to do: the record will be delivered again, or was settled before."),
  share_session_not_found: entry(404, 40441, "Open a share session first, with epoch 0."),
  invalid_share_session_epoch: entry(409, 40942, "Open the share session anew, with epoch 0."),
  unknown_producer: entry(409, 40914, "Get a new producer id and start again at sequence 0."),
  out_of_order_sequence: entry(409, 40911, "Send the records between first; the message says which sequence is next."),
  duplicate_sequence: entry(409, 40912, "Nothing to do: these records were written before."),
  invalid_producer_epoch: entry(409, 40913, "Stop: a newer producer has taken over."),
  idempotency_in_progress: entry(409, 40916, "Try again after Retry-After: the first request is still running."),
  invalid_txn_state: entry(409, 40932, "Begin the transaction again."),
  producer_fenced: entry(409, 40933, "Stop: a newer producer has taken over the transactional id."),
  invalid_producer_id_mapping: entry(409, 40934, "Get the producer id for the transactional id again."),
  concurrent_transactions: entry(409, 40935, "Try again after Retry-After: the transaction before it is being ended."),
  unstable_offset_commit: entry(409, 40936, "Try again after Retry-After: a transaction with these offsets is open."),
  transaction_abortable: entry(409, 40937, "Abort the transaction, then try again."),
  request_too_large: entry(413, 41301, "Send smaller requests, or stream."),
  record_too_large: entry(413, 41302, "Send a smaller record, or raise max.message.bytes of the topic."),
  unsupported_media_type: entry(415, 415, "Send a media type or encoding that the message lists."),
  offset_out_of_range: entry(416, 41601, "Go on at log_start_offset or log_end_offset, as you decide."),
  idempotency_conflict: entry(422, 42201, "Use a new key for a new request."),
  invalid_consumer_config: entry(422, 42204, "Use a value that the message lists."),
  throttled: entry(429, 429, "Try again after Retry-After."),
  internal: entry(500, 50002, "A bug of the server; please report it."),
  corrupt_log: entry(500, 50004, "Go on at next_offset of the details; `brokerless verify` says what is damaged."),
  unsupported_version: entry(501, 50101, "Run a newer server."),
  unavailable: entry(503, 50003, "Try again after Retry-After."),
  group_busy: entry(503, 50302, "Try again after Retry-After: the group is being changed."),
  shutting_down: entry(503, 50301, "Try again: the server stops."),
  outcome_unknown: entry(504, 50401, "Find out, or try again with the same Idempotency-Key or sequence."),
  storage_full: entry(507, 50701, "Free space, then try again."),
};

/** The JSON that an error is told in, everywhere. */
export interface ErrorBody {
  readonly error_code: number;
  readonly message: string;
  readonly code: ErrorCode;
  readonly outcome: BrokerlessError["outcome"];
  readonly field?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export function errorBody(error: BrokerlessError): ErrorBody {
  const { errorCode } = HTTP_ERRORS[error.code];
  return {
    error_code: errorCode,
    message: error.message,
    code: error.code,
    outcome: error.outcome,
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(Object.keys(error.details).length === 0 ? {} : { details: snakeCased(error.details) }),
  };
}

/** An error that is not ours is a bug: what it says stays here, and whether something was written is not known. */
export function asBrokerlessError(error: unknown): BrokerlessError {
  if (error instanceof BrokerlessError) return error;
  return new BrokerlessError("internal", "an internal error; the server's log has the cause", {
    outcome: "unknown",
    cause: error,
  });
}

/** `status` where HTTP has a closer word than the table: 414 for a long URL. */
export function errorReply(error: BrokerlessError, status = HTTP_ERRORS[error.code].status): Reply {
  const headers: Record<string, string> = { "content-type": "application/json", "cache-control": "no-store" };
  const retryAfterMs = error.retryAfterMs ?? DEFAULT_RETRY_MS[error.code];
  if (retryAfterMs !== undefined) headers["retry-after"] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  for (const [name, header] of OFFSET_HEADERS) {
    const value = error.details[name];
    if (typeof value === "number") headers[header] = String(value);
  }
  if (error.code === "unauthenticated") headers["www-authenticate"] = 'Bearer realm="brokerless"';
  if (error.code === "unsupported_media_type") headers["accept-encoding"] = "gzip, zstd";
  return { status, headers, body: JSON.stringify(errorBody(error)), compressible: true };
}

const DEFAULT_RETRY_MS: Partial<Record<ErrorCode, number>> = {
  throttled: 1000,
  unavailable: 1000,
  shutting_down: 1000,
  group_busy: 1000,
  idempotency_in_progress: 1000,
  concurrent_transactions: 1000,
  unstable_offset_commit: 1000,
};

const OFFSET_HEADERS = [
  ["logStartOffset", "kafka-log-start-offset"],
  ["logEndOffset", "kafka-log-end-offset"],
] as const;
