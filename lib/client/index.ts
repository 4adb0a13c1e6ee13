/**
 * The client of Brokerless, for Node, browsers and everything else that has `fetch`. See `docs/client.md`.
 *
 *     const client = new Brokerless({ url: "http://127.0.0.1:8080" });
 *     await client.producer().send({ topic: "clicks", key: "ada", value: "hello" });
 *     for await (const record of client.reader({ topic: "clicks" })) console.log(text(record.value));
 */
export { BrokerlessError, type ErrorCode, type Outcome } from "../base/errors.ts";
export {
  type Codecs,
  type CompressionName,
  customPartitioner,
  defaultPartitioner,
  explicitPartitioner,
  type Partitioner,
  priorityLanes,
  type RecordHeader,
  roundRobinPartitioner,
  stickyPartitioner,
} from "../kafka/index.ts";
export type { Admin, PartitionOffsets, TopicInfo, TopicSpec } from "./admin.ts";
export { Brokerless, type BrokerlessOptions } from "./brokerless.ts";
export type { Config } from "./configs.ts";
export type { Consumer } from "./consumer/consumer.ts";
export type { ConsumerOptions, TopicPartition } from "./consumer/types.ts";
export type {
  CommittedOffset,
  GroupAdmin,
  GroupDescription,
  GroupListing,
  GroupMember,
  PartitionLag,
  PartitionOutcome,
  TopicLag,
} from "./group-admin.ts";
export type { Fetch } from "./http.ts";
export type { OffsetAnswer, OffsetSpec } from "./offsets.ts";
export type { Producer } from "./producer/producer.ts";
export type { Appended, ProducerOptions, ProducerRecord, RecordMetadata } from "./producer/types.ts";
export type { QueueAdmin } from "./queue/admin.ts";
export type { Job, JobParts } from "./queue/job.ts";
export type { Queue } from "./queue/queue.ts";
export type {
  QueueCounts,
  QueueOptions,
  QueueRow,
  QueueStats,
  Received,
  ReceiveOptions,
  Redriven,
  Settling,
} from "./queue/types.ts";
export type { Reader } from "./reader/reader.ts";
export type { RecordsBatch } from "./reader/records-batch.ts";
export type { ReaderOptions, ReadFrom, ReadRecord } from "./reader/types.ts";
export type { RetryOptions } from "./retry.ts";
export { type Bytes, json, parseJson, text } from "./text.ts";
export type { CreatedToken, Grant, TokenInfo, TokenSpec } from "./tokens.ts";
export type { OffsetToCommit, Transaction, TransactionOptions, Written } from "./transaction.ts";
export type { JobAnswer, JobOptions, VerifyLine } from "./upkeep.ts";
