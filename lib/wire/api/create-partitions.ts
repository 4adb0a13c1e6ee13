/** CreatePartitions (KIP-195): a topic grows to a number of partitions. */
import { createPartitions } from "../../kafka/protocol/api/create-partitions.ts";
import type { Decoded } from "../../kafka/protocol/schema.ts";
import { may, topicForbidden } from "../access.ts";
import { NODE_ID } from "../broker.ts";
import { type Handler, handlerOf, type Surface } from "../call.ts";
import { type ErrorFields, errorFields, kafkaError, NO_ERROR } from "../errors.ts";

type Asked = Decoded<typeof createPartitions.request>["topics"][number];

export const createPartitionsHandler: Handler = handlerOf(createPartitions, async ({ topics, validateOnly }, call) => ({
  results: await Promise.all(
    topics.map(async (asked) => {
      const isTwice = topics.some((other) => other !== asked && other.name === asked.name);
      const error = isTwice
        ? kafkaError("INVALID_REQUEST", `topic "${asked.name}" is in the request twice`)
        : may(call, "admin", asked.name)
          ? await growOne(call.surface, asked, validateOnly)
          : topicForbidden("admin", asked.name);
      return { name: asked.name, ...error };
    }),
  ),
}));

async function growOne(surface: Surface, { name, count, assignments }: Asked, validateOnly: boolean): Promise<ErrorFields> {
  try {
    const { partitions } = await surface.log.topic(name);
    if (assignments !== null) {
      const fits =
        assignments.length === count - partitions &&
        assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === NODE_ID);
      if (!fits) {
        const wanted = `one assignment for each of ${count - partitions} new partitions, on broker ${NODE_ID}, which is the only one`;
        return kafkaError("INVALID_REPLICA_ASSIGNMENT", `topic "${name}" takes ${wanted}`);
      }
    }
    await surface.log.growPartitions(name, count, { validateOnly });
    return NO_ERROR;
  } catch (error) {
    return errorFields(surface.judge(error, "CreatePartitions"));
  }
}
