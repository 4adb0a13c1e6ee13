/** Metadata: the broker, and topics with their partitions; topics may come to be by being asked for. */
import { BrokerlessError } from "../../base/errors.ts";
import { metadata } from "../../kafka/protocol/api/metadata.ts";
import { type Decoded, type Encodable, NO_UUID } from "../../kafka/protocol/schema.ts";
import { isInternal } from "../../log/internal-topics.ts";
import type { Topic } from "../../log/types.ts";
import { clusterOperations, may, topicOperations } from "../access.ts";
import { brokerOf, LEADER_EPOCH, NODE_ID, NODES, OPERATIONS_NOT_ASKED } from "../broker.ts";
import { type Call, type Handler, handlerOf, type Surface } from "../call.ts";
import { kafkaCodeOf, kafkaError } from "../errors.ts";

type Request = Decoded<typeof metadata.request>;
type Asked = NonNullable<Request["topics"]>[number];
type TopicAnswer = Encodable<typeof metadata.response>["topics"][number];

export const metadataHandler: Handler = handlerOf(metadata, async (request, call) => {
  const { surface, connection } = call;
  return {
    brokers: [brokerOf(connection)],
    clusterId: await surface.log.clusterId(),
    controllerId: NODE_ID,
    topics: await topicsOf(request, call),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations(call) : OPERATIONS_NOT_ASKED,
    errorCode: 0,
  };
});

async function topicsOf(request: Request, call: Call): Promise<TopicAnswer[]> {
  const { surface, version } = call;
  const told = (topic: Topic): TopicAnswer =>
    found(topic, request.includeTopicAuthorizedOperations ? topicOperations(call, topic.name) : OPERATIONS_NOT_ASKED);
  // Version 0 cannot say null: no topics are all topics.
  if (request.topics === null || (version === 0 && request.topics.length === 0)) {
    const topics = await surface.log.listTopics();
    return topics.filter(({ name }) => may(call, "describe", name)).map(told);
  }
  const mayCreate = surface.settings.autoCreateTopics && request.allowAutoTopicCreation;
  return Promise.all(request.topics.map((asked) => oneTopic(asked, call, mayCreate, told)));
}

async function oneTopic(asked: Asked, call: Call, mayCreate: boolean, told: (topic: Topic) => TopicAnswer): Promise<TopicAnswer> {
  const { name, topicId } = asked;
  const { surface } = call;
  try {
    if (name !== null) {
      if (!may(call, "describe", name)) return notFound(asked, kafkaError("TOPIC_AUTHORIZATION_FAILED").errorCode, call.version);
      return told(await topicOrNew(surface, name, mayCreate && may(call, "admin", name)));
    }
    const topic = await surface.topicIds.topic(topicId);
    if (topic === undefined) return notFound(asked, kafkaError("UNKNOWN_TOPIC_ID").errorCode, call.version);
    if (!may(call, "describe", topic.name))
      return notFound(asked, kafkaError("TOPIC_AUTHORIZATION_FAILED").errorCode, call.version);
    return told(topic);
  } catch (error) {
    return notFound(asked, kafkaCodeOf(surface.judge(error, "Metadata")), call.version);
  }
}

/** Created at once: the answer has its partitions, and the client need not ask again. */
async function topicOrNew({ log, settings }: Surface, name: string, mayCreate: boolean): Promise<Topic> {
  try {
    return await log.topic(name);
  } catch (error) {
    if (!mayCreate || !isCode(error, "unknown_topic")) throw error;
  }
  try {
    const spec = isInternal(name) ? settings.internalTopics?.get(name) : { name, partitions: settings.defaultPartitions };
    if (spec === undefined) throw new BrokerlessError("unknown_topic", `the internal topic "${name}" is not there`);
    return await log.createTopic(spec);
  } catch (error) {
    if (isCode(error, "topic_exists")) return log.topic(name);
    throw error;
  }
}

function isCode(error: unknown, code: BrokerlessError["code"]): boolean {
  return error instanceof BrokerlessError && error.code === code;
}

function found(topic: Topic, topicAuthorizedOperations: number): TopicAnswer {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternal(topic.name),
    partitions: Array.from({ length: topic.partitions }, (_, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: NODE_ID,
      leaderEpoch: LEADER_EPOCH,
      replicaNodes: NODES,
      isrNodes: NODES,
      offlineReplicas: [],
    })),
    topicAuthorizedOperations,
  };
}

/** Before version 12 an answer has a name, though it was the id that was asked for. */
function notFound({ name, topicId }: Asked, errorCode: number, version: number): TopicAnswer {
  return { errorCode, name: version < 12 ? (name ?? "") : name, topicId: name === null ? topicId : NO_UUID, partitions: [] };
}
