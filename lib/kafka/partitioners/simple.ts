/** Round robin, a fixed partition, a function of the caller's. */
import { checkedPartition, type PartitionContext, type PartitionedRecord, type Partitioner } from "./types.ts";

/** One partition after the other, whatever the key, for each topic from 0 on. */
export function roundRobinPartitioner(): Partitioner {
  const nextByTopic = new Map<string, number>();
  return ({ topic }, { partitionCount }) => {
    const partition = (nextByTopic.get(topic) ?? 0) % partitionCount;
    nextByTopic.set(topic, partition + 1);
    return partition;
  };
}

/** Always this partition; throws `unknown_partition` where the topic does not have it. */
export function explicitPartitioner(partition: number): Partitioner {
  return ({ topic }, { partitionCount }) => checkedPartition(partition, topic, partitionCount);
}

/** A function of your own; what it chooses is checked: `unknown_partition`, `invalid_request`. */
export function customPartitioner(choose: (record: PartitionedRecord, context: PartitionContext) => number): Partitioner {
  return (record, context) => checkedPartition(choose(record, context), record.topic, context.partitionCount);
}
