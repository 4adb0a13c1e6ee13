/** `__consumer_offsets` itself: its configs as Kafka makes it, and which of its partitions a group is in. */
import { BrokerlessError } from "../../base/errors.ts";
import { OFFSETS_TOPIC } from "../../log/internal-topics.ts";
import type { LogApi, Topic, TopicSpec } from "../../log/types.ts";

/** Kafka's `offsets.topic.num.partitions`. */
export const OFFSETS_PARTITIONS = 50;

/** As Kafka's coordinator makes it (`offsets.topic.segment.bytes`). */
export function offsetsTopicSpec(partitions: number): TopicSpec {
  return {
    name: OFFSETS_TOPIC,
    partitions,
    configs: { "cleanup.policy": "compact", "segment.bytes": "104857600" },
  };
}

/** Kafka's `partitionFor`: Java's hash of the name. */
export function partitionOfGroup(group: string, partitions: number): number {
  let hash = 0;
  for (let i = 0; i < group.length; i++) hash = (Math.imul(hash, 31) + group.charCodeAt(i)) | 0;
  return hash === -(2 ** 31) ? 0 : Math.abs(hash) % partitions;
}

/** The topic, made where it is not there. */
export async function offsetsTopic(log: LogApi, partitions: number): Promise<Topic> {
  try {
    return await log.topic(OFFSETS_TOPIC);
  } catch (error) {
    if (!hasCode(error, "unknown_topic")) throw error;
  }
  try {
    return await log.createTopic(offsetsTopicSpec(partitions));
  } catch (error) {
    if (hasCode(error, "topic_exists")) return log.topic(OFFSETS_TOPIC);
    throw error;
  }
}

function hasCode(error: unknown, code: BrokerlessError["code"]): boolean {
  return error instanceof BrokerlessError && error.code === code;
}
