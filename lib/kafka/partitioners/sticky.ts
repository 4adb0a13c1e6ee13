/**
 * Kafka's built-in choice for records without a key (KIP-480, KIP-794): stay with one partition until a batch's worth of
 * bytes went there, then go to another at random. Batches are full, and every partition gets the same share.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { partitionOfKey } from "../murmur2.ts";
import type { Partitioner } from "./types.ts";

export interface StickyOptions {
  /** At least 0, below 1. */
  readonly random: () => number;
  /** `batch.size`. Default 16384. */
  readonly batchSizeBytes?: number | undefined;
}

const DEFAULT_BATCH_SIZE_BYTES = 16_384;

/** Where a topic's records go at the moment, and how much went there. */
interface Stay {
  partition: number;
  sizeBytes: number;
}

/** Spreads all records, keys or not, as Kafka does with `partitioner.ignore.keys=true`. */
export function stickyPartitioner(options: StickyOptions): Partitioner {
  const batchSizeBytes = options.batchSizeBytes ?? DEFAULT_BATCH_SIZE_BYTES;
  if (!Number.isInteger(batchSizeBytes) || batchSizeBytes < 1) {
    throw new BrokerlessError("invalid_request", `batchSizeBytes is ${batchSizeBytes}; a whole number of at least 1`, {
      field: "batchSizeBytes",
    });
  }
  const stays = new Map<string, Stay>();
  return ({ topic }, { partitionCount, sizeBytes }) => {
    let stay = stays.get(topic);
    if (stay === undefined) {
      stay = { partition: Math.floor(options.random() * partitionCount), sizeBytes: 0 };
      stays.set(topic, stay);
    } else if (stay.sizeBytes >= batchSizeBytes || stay.partition >= partitionCount) {
      stay.partition = another(stay.partition, partitionCount, options.random);
      stay.sizeBytes = 0;
    }
    stay.sizeBytes += sizeBytes;
    return stay.partition;
  };
}

/** Any partition but the present one, all equally likely. */
function another(present: number, partitionCount: number, random: () => number): number {
  if (partitionCount === 1) return 0;
  if (present >= partitionCount) return Math.floor(random() * partitionCount);
  const chosen = Math.floor(random() * (partitionCount - 1));
  return chosen < present ? chosen : chosen + 1;
}

/** Kafka's default: records with a key by its murmur2 hash, so that a key stays in order; the others sticky. */
export function defaultPartitioner(options: StickyOptions): Partitioner {
  const sticky = stickyPartitioner(options);
  return (record, context) =>
    record.key === null ? sticky(record, context) : partitionOfKey(record.key, context.partitionCount);
}
