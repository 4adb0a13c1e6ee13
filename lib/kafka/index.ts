/**
 * Kafka's record formats: batches (magic 2), checksums, compression, partitioners, error codes. Runs in a browser.
 * Codecs are passed in: `codecs/portable.ts` for anywhere, `codecs/node.ts` for Node.
 */
export { decodeBatch, forEachRecord } from "./batch/decode.ts";
export { encodeBatch } from "./batch/encode.ts";
export { deleteHorizonOf, emptyBatch, filterBatch } from "./batch/filter.ts";
export {
  batchHeaders,
  batchSizeOf,
  crcMatches,
  peekAttributes,
  peekBatchHeader,
  readBatchHeader,
  stampLogAppendTime,
  stampOffset,
} from "./batch/header.ts";
export { BATCH_OVERHEAD_BYTES, CONTROL_BIT, TRANSACTIONAL_BIT } from "./batch/layout.ts";
export { encodeTransactionMarker, markerCommits } from "./batch/marker.ts";
export { lastSequenceOf, prepareBatches, trustedBatches } from "./batch/prepare.ts";
export type { RecordView } from "./batch/record-view.ts";
export type * from "./batch/types.ts";
export * from "./codecs/types.ts";
export { crc32c } from "./crc32c.ts";
export { KAFKA_ERRORS, type KafkaError, type KafkaErrorName, kafkaErrorOf } from "./kafka-errors.ts";
export { DEFAULT_LIMITS } from "./limits.ts";
export { murmur2, partitionOfKey } from "./murmur2.ts";
export { type PriorityLanesOptions, priorityLanes } from "./partitioners/priority-lanes.ts";
export { customPartitioner, explicitPartitioner, roundRobinPartitioner } from "./partitioners/simple.ts";
export { defaultPartitioner, type StickyOptions, stickyPartitioner } from "./partitioners/sticky.ts";
export type { PartitionContext, PartitionedRecord, Partitioner } from "./partitioners/types.ts";
