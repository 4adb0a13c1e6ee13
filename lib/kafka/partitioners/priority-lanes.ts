/**
 * Partitions of their own for records that must not wait behind the others: a consumer that is assigned only the lanes
 * sees VIP records and nothing else.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { defaultPartitioner, type StickyOptions } from "./sticky.ts";
import type { PartitionedRecord, Partitioner } from "./types.ts";

export interface PriorityLanesOptions extends StickyOptions {
  /** Decided by key, the records of a key stay in order. */
  readonly isVip: (record: PartitionedRecord) => boolean;
  /** How many partitions, the first ones, are for VIP records alone. The topic needs at least one more. */
  readonly lanes: number;
}

/**
 * VIP records to partitions 0 to `lanes`-1, the others to the rest; within each as Kafka's default does it. Throws
 * `invalid_request` where the topic has too few partitions. As with every partitioner by key, a topic that grows moves
 * keys (only those of the others: the lanes stay).
 */
export function priorityLanes(options: PriorityLanesOptions): Partitioner {
  const { isVip, lanes } = options;
  if (!Number.isInteger(lanes) || lanes < 1) {
    throw new BrokerlessError("invalid_request", `lanes is ${lanes}; a whole number of at least 1`, { field: "lanes" });
  }
  const vip = defaultPartitioner(options);
  const others = defaultPartitioner(options);
  return (record, { partitionCount, sizeBytes }) => {
    if (partitionCount <= lanes) {
      throw new BrokerlessError(
        "invalid_request",
        `${lanes} priority lanes need at least ${lanes + 1} partitions; topic "${record.topic}" has ${partitionCount}`,
        { field: "lanes" },
      );
    }
    if (isVip(record)) return vip(record, { partitionCount: lanes, sizeBytes });
    return lanes + others(record, { partitionCount: partitionCount - lanes, sizeBytes });
  };
}
