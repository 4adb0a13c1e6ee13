/** CreateTopics: each topic by itself; a name that is twice in the request is refused, as in Kafka. */
import { createTopics } from "../../kafka/protocol/api/create-topics.ts";
import { type Decoded, type Encodable, NO_UUID } from "../../kafka/protocol/schema.ts";
import type { ConfigEntry, Topic, TopicSpec } from "../../log/types.ts";
import { may, topicForbidden } from "../access.ts";
import { NODE_ID } from "../broker.ts";
import { type Handler, handlerOf, type Surface } from "../call.ts";
import { CONFIG_SOURCE } from "../config-words.ts";
import { type ErrorFields, errorFields, kafkaError, NO_ERROR } from "../errors.ts";

type Asked = Decoded<typeof createTopics.request>["topics"][number];
type Answer = Encodable<typeof createTopics.response>["topics"][number];

export const createTopicsHandler: Handler = handlerOf(createTopics, async ({ topics, validateOnly }, call) => ({
  topics: await Promise.all(
    topics.map(async (asked) => {
      if (!may(call, "admin", asked.name)) return refused(asked, topicForbidden("admin", asked.name));
      const isTwice = topics.some((other) => other !== asked && other.name === asked.name);
      if (isTwice) return refused(asked, kafkaError("INVALID_REQUEST", `topic "${asked.name}" is in the request twice`));
      return createOne(call.surface, asked, validateOnly);
    }),
  ),
}));

async function createOne(surface: Surface, asked: Asked, validateOnly: boolean): Promise<Answer> {
  const wrong = wrongAssignment(asked) ?? nullConfig(asked);
  if (wrong !== undefined) return refused(asked, wrong);
  try {
    const topic = await surface.log.createTopic(specOf(surface, asked), { validateOnly });
    return created(topic, surface.log.topicConfigs(topic));
  } catch (error) {
    return refused(asked, errorFields(surface.judge(error, "CreateTopics")));
  }
}

/** Where replicas are assigned by hand: partitions from 0 on without a gap, all on the one broker. */
function wrongAssignment({ assignments, numPartitions, replicationFactor }: Asked): ErrorFields | undefined {
  if (assignments.length === 0) return undefined;
  if (numPartitions !== -1 || replicationFactor !== -1) {
    return kafkaError("INVALID_REQUEST", "with assignments, the numbers of partitions and replicas are -1");
  }
  const partitions = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
  const isWhole = assignments.every(
    ({ partitionIndex: p, brokerIds }) => p >= 0 && p < assignments.length && brokerIds.length === 1 && brokerIds[0] === NODE_ID,
  );
  if (isWhole && partitions.size === assignments.length) return undefined;
  return kafkaError(
    "INVALID_REPLICA_ASSIGNMENT",
    `assignments name partitions from 0 on, each once, on broker ${NODE_ID}, which is the only one`,
  );
}

function nullConfig({ configs }: Asked): ErrorFields | undefined {
  const one = configs.find(({ value }) => value === null);
  return one && kafkaError("INVALID_CONFIG", `topic config ${one.name} is null; it takes a value`);
}

function specOf({ settings }: Surface, { name, numPartitions, replicationFactor, assignments, configs }: Asked): TopicSpec {
  const partitions =
    assignments.length > 0 ? assignments.length : numPartitions === -1 ? settings.defaultPartitions : numPartitions;
  return {
    name,
    partitions,
    replicationFactor,
    configs: Object.fromEntries(configs.map((config) => [config.name, config.value as string])),
  };
}

function created({ name, id, partitions, replicationFactor }: Topic, configs: readonly ConfigEntry[]): Answer {
  return {
    ...NO_ERROR,
    name,
    topicId: id,
    numPartitions: partitions,
    replicationFactor: Math.max(1, replicationFactor),
    configs: configs.map((config) => ({
      name: config.name,
      value: config.value,
      readOnly: false,
      configSource: config.isDefault ? CONFIG_SOURCE.default : CONFIG_SOURCE.topic,
      isSensitive: false,
    })),
  };
}

function refused({ name }: Asked, error: ErrorFields): Answer {
  return { ...error, name, topicId: NO_UUID, configs: null };
}
