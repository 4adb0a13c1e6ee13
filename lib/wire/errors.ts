/** The one table from our errors to Kafka's error codes. */
import type { BrokerlessError, ErrorCode } from "../base/errors.ts";
import { KAFKA_ERRORS, type KafkaErrorName } from "../kafka/index.ts";

const NAMES: Readonly<Record<ErrorCode, KafkaErrorName>> = {
  invalid_request: "INVALID_REQUEST",
  invalid_topic: "INVALID_TOPIC_EXCEPTION",
  invalid_partitions: "INVALID_PARTITIONS",
  invalid_config: "INVALID_CONFIG",
  invalid_replication_factor: "INVALID_REPLICATION_FACTOR",
  topic_exists: "TOPIC_ALREADY_EXISTS",
  unknown_topic: "UNKNOWN_TOPIC_OR_PARTITION",
  unknown_partition: "UNKNOWN_TOPIC_OR_PARTITION",
  unknown_group: "GROUP_ID_NOT_FOUND",
  record_too_large: "MESSAGE_TOO_LARGE",
  request_too_large: "RECORD_LIST_TOO_LARGE",
  corrupt_record: "CORRUPT_MESSAGE",
  corrupt_log: "CORRUPT_MESSAGE",
  invalid_timestamp: "INVALID_TIMESTAMP",
  invalid_record: "INVALID_RECORD",
  unsupported_compression: "UNSUPPORTED_COMPRESSION_TYPE",
  unsupported_version: "UNSUPPORTED_VERSION",
  offset_out_of_range: "OFFSET_OUT_OF_RANGE",
  out_of_order_sequence: "OUT_OF_ORDER_SEQUENCE_NUMBER",
  duplicate_sequence: "DUPLICATE_SEQUENCE_NUMBER",
  invalid_producer_epoch: "INVALID_PRODUCER_EPOCH",
  unknown_producer: "UNKNOWN_PRODUCER_ID",
  idempotency_conflict: "INVALID_REQUEST",
  idempotency_in_progress: "CONCURRENT_TRANSACTIONS",
  invalid_group: "INVALID_GROUP_ID",
  non_empty_group: "NON_EMPTY_GROUP",
  unknown_member: "UNKNOWN_MEMBER_ID",
  illegal_generation: "ILLEGAL_GENERATION",
  rebalance_in_progress: "REBALANCE_IN_PROGRESS",
  inconsistent_group_protocol: "INCONSISTENT_GROUP_PROTOCOL",
  invalid_session_timeout: "INVALID_SESSION_TIMEOUT",
  member_id_required: "MEMBER_ID_REQUIRED",
  fenced_instance_id: "FENCED_INSTANCE_ID",
  unreleased_instance_id: "UNRELEASED_INSTANCE_ID",
  group_max_size_reached: "GROUP_MAX_SIZE_REACHED",
  group_subscribed_to_topic: "GROUP_SUBSCRIBED_TO_TOPIC",
  // Every client waits a little and sends the same request again.
  group_busy: "COORDINATOR_LOAD_IN_PROGRESS",
  fenced_member_epoch: "FENCED_MEMBER_EPOCH",
  stale_member_epoch: "STALE_MEMBER_EPOCH",
  unsupported_assignor: "UNSUPPORTED_ASSIGNOR",
  invalid_regular_expression: "INVALID_REGULAR_EXPRESSION",
  invalid_record_state: "INVALID_RECORD_STATE",
  share_session_not_found: "SHARE_SESSION_NOT_FOUND",
  invalid_share_session_epoch: "INVALID_SHARE_SESSION_EPOCH",
  offset_metadata_too_large: "OFFSET_METADATA_TOO_LARGE",
  invalid_consumer_config: "INVALID_CONFIG",
  consumer_exists: "INVALID_REQUEST",
  consumer_illegal_state: "INVALID_REQUEST",
  format_mismatch: "INVALID_REQUEST",
  invalid_txn_state: "INVALID_TXN_STATE",
  producer_fenced: "PRODUCER_FENCED",
  invalid_producer_id_mapping: "INVALID_PRODUCER_ID_MAPPING",
  concurrent_transactions: "CONCURRENT_TRANSACTIONS",
  invalid_transaction_timeout: "INVALID_TRANSACTION_TIMEOUT",
  transactional_id_not_found: "TRANSACTIONAL_ID_NOT_FOUND",
  unstable_offset_commit: "UNSTABLE_OFFSET_COMMIT",
  transaction_abortable: "TRANSACTION_ABORTABLE",
  unauthenticated: "SASL_AUTHENTICATION_FAILED",
  forbidden: "CLUSTER_AUTHORIZATION_FAILED",
  not_found: "INVALID_REQUEST",
  method_not_allowed: "INVALID_REQUEST",
  not_acceptable: "INVALID_REQUEST",
  unsupported_media_type: "INVALID_REQUEST",
  timeout: "REQUEST_TIMED_OUT",
  throttled: "THROTTLING_QUOTA_EXCEEDED",
  unavailable: "KAFKA_STORAGE_ERROR",
  storage_full: "KAFKA_STORAGE_ERROR",
  // Retriable, and the client asks for the leader again: what a broker says while it stops.
  shutting_down: "NOT_LEADER_OR_FOLLOWER",
  outcome_unknown: "REQUEST_TIMED_OUT",
  internal: "UNKNOWN_SERVER_ERROR",
};

/** An error as the fields of an answer have it. */
export interface ErrorFields {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

export const NO_ERROR: ErrorFields = { errorCode: 0, errorMessage: null };

export function errorFields(error: BrokerlessError): ErrorFields {
  return { errorCode: kafkaCodeOf(error), errorMessage: error.message };
}

/** Where it is not known whether something was written, Kafka's word for it is that the request timed out. */
export function kafkaCodeOf(error: BrokerlessError): number {
  const name = error.outcome === "unknown" && error.code !== "internal" ? "REQUEST_TIMED_OUT" : NAMES[error.code];
  return KAFKA_ERRORS[name].code;
}

/** An error with Kafka's own word, for what only this protocol knows. */
export function kafkaError(name: KafkaErrorName, errorMessage: string | null = null): ErrorFields {
  return { errorCode: KAFKA_ERRORS[name].code, errorMessage };
}
