/** Partitions by name to the ids that keys hold. */
import { BrokerlessError } from "../../base/errors.ts";
import { unknownPartition } from "../../log/topics.ts";
import type { LogApi, Topic } from "../../log/types.ts";
import type { TopicPartition } from "../types.ts";

/** The topic's id for each partition, or why there is none; in the order given. Throws where one is named twice. */
export async function partitionsByName(
  log: LogApi,
  partitions: readonly TopicPartition[],
): Promise<(string | BrokerlessError)[]> {
  const topics = new Map<string, Topic | BrokerlessError>();
  await Promise.all(
    [...new Set(partitions.map(({ topic }) => topic))].map(async (name) => topics.set(name, await topicOr(log, name))),
  );
  const seen = new Set<string>();
  return partitions.map(({ topic: name, partition }) => {
    if (seen.has(`${name}/${partition}`)) {
      throw new BrokerlessError("invalid_request", `${name}-${partition} is named twice`, { field: "partitions" });
    }
    seen.add(`${name}/${partition}`);
    const topic = topics.get(name) as Topic | BrokerlessError;
    if (topic instanceof BrokerlessError) return topic;
    return Number.isInteger(partition) && partition >= 0 && partition < topic.partitions
      ? topic.id
      : unknownPartition(topic, partition);
  });
}

/** The topic, or the error that says why not; what the storage says is thrown. */
export async function topicOr(log: LogApi, name: string): Promise<Topic | BrokerlessError> {
  try {
    return await log.topic(name);
  } catch (error) {
    if (error instanceof BrokerlessError && (error.code === "unknown_topic" || error.code === "invalid_topic")) return error;
    throw error;
  }
}
