/** DescribeTopicPartitions (KIP-966): topics in order of their names, in pages. */
import { describeTopicPartitions } from "../../kafka/protocol/api/describe-topic-partitions.ts";
import { type Decoded, type Encodable, NO_UUID } from "../../kafka/protocol/schema.ts";
import { isInternal } from "../../log/internal-topics.ts";
import type { Topic } from "../../log/types.ts";
import { may, topicForbidden, topicOperations } from "../access.ts";
import { LEADER_EPOCH, NODE_ID, NODES } from "../broker.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { kafkaCodeOf } from "../errors.ts";

type Answer = Encodable<typeof describeTopicPartitions.response>;
type Cursor = Decoded<typeof describeTopicPartitions.request>["cursor"];

/** Kafka's `max.request.partition.size.limit`. */
const PARTITIONS_MOST = 2000;

export const describeTopicPartitionsHandler: Handler = handlerOf(describeTopicPartitions, async (request, call) => {
  const { topics: asked, cursor, responsePartitionLimit } = request;
  const names = asked.length > 0 ? asked.map(({ name }) => name) : await visibleTopics(call);
  const sorted = [...new Set(names)].sort().filter((name) => cursor === null || name >= cursor.topicName);
  return pageOf(call, sorted, cursor, Math.min(Math.max(1, responsePartitionLimit), PARTITIONS_MOST));
});

async function visibleTopics(call: Call): Promise<string[]> {
  const topics = await call.surface.log.listTopics();
  return topics.map(({ name }) => name).filter((name) => may(call, "describe", name));
}

async function pageOf(call: Call, names: readonly string[], cursor: Cursor, most: number): Promise<Answer> {
  const topics: Answer["topics"][number][] = [];
  let left = most;
  for (const topicName of names) {
    const first = cursor?.topicName === topicName ? Math.max(0, cursor.partitionIndex) : 0;
    if (left <= 0) return { topics, nextCursor: { topicName, partitionIndex: first } };
    if (!may(call, "describe", topicName)) {
      topics.push({ ...topicForbidden("describe", topicName), name: topicName, topicId: NO_UUID, partitions: [] });
      continue;
    }
    try {
      const topic = await call.surface.log.topic(topicName);
      const end = Math.min(topic.partitions, first + left);
      topics.push(described(topic, first, end, topicOperations(call, topicName)));
      left -= Math.max(0, end - first);
      if (end < topic.partitions) return { topics, nextCursor: { topicName, partitionIndex: end } };
    } catch (error) {
      const errorCode = kafkaCodeOf(call.surface.judge(error, "DescribeTopicPartitions"));
      topics.push({ errorCode, name: topicName, topicId: NO_UUID, partitions: [] });
    }
  }
  return { topics, nextCursor: null };
}

function described({ name, id }: Topic, first: number, end: number, operations: number): Answer["topics"][number] {
  return {
    errorCode: 0,
    name,
    topicId: id,
    isInternal: isInternal(name),
    partitions: Array.from({ length: Math.max(0, end - first) }, (_, i) => ({
      errorCode: 0,
      partitionIndex: first + i,
      leaderId: NODE_ID,
      leaderEpoch: LEADER_EPOCH,
      replicaNodes: NODES,
      isrNodes: NODES,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: operations,
  };
}
