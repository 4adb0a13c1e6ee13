/** What a partitioner is given, and gives. */
import { BrokerlessError } from "../../base/errors.ts";
import type { RecordHeader } from "../batch/types.ts";

export interface PartitionedRecord {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[] | undefined;
}

export interface PartitionContext {
  /** Of the topic, at least 1. May grow between calls. */
  readonly partitionCount: number;
  /** What the record adds to a batch, about. */
  readonly sizeBytes: number;
}

/**
 * Chooses the partition of a record: 0 up to, not including, `partitionCount`. One that is not stateless keeps its
 * state by topic, so make one for each producer. A function of your own: wrap it in `customPartitioner`.
 */
export type Partitioner = (record: PartitionedRecord, context: PartitionContext) => number;

/** The partition, when the topic has it; else throws `unknown_partition`, or `invalid_request` for what is no number of one. */
export function checkedPartition(partition: number, topic: string, partitionCount: number): number {
  if (Number.isInteger(partition) && partition >= 0 && partition < partitionCount) return partition;
  const code = Number.isInteger(partition) ? "unknown_partition" : "invalid_request";
  throw new BrokerlessError(
    code,
    `partition ${String(partition)} was chosen for topic "${topic}", which has ${partitionCount} (0 to ${partitionCount - 1})`,
    { field: "partition" },
  );
}
