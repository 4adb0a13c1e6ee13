/** DeleteTopics: by name, from version 6 on by id too. */
import { deleteTopics } from "../../kafka/protocol/api/delete-topics.ts";
import { type Encodable, NO_UUID } from "../../kafka/protocol/schema.ts";
import { may, topicForbidden } from "../access.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { kafkaError, NO_ERROR } from "../errors.ts";
import { partitionError } from "../topic-names.ts";

type Answer = Encodable<typeof deleteTopics.response>["responses"][number];

export const deleteTopicsHandler: Handler = handlerOf(deleteTopics, async ({ topics, topicNames }, call) => {
  const asked = call.version >= 6 ? topics : topicNames.map((name) => ({ name, topicId: NO_UUID }));
  return { responses: await Promise.all(asked.map(({ name, topicId }) => deleteOne(call, name, topicId))) };
});

async function deleteOne(call: Call, name: string | null, topicId: string): Promise<Answer> {
  const { surface } = call;
  try {
    if (name !== null && topicId !== NO_UUID) {
      return { name, topicId, ...kafkaError("INVALID_REQUEST", "a topic is named by its name or its id, not by both") };
    }
    if (name !== null && !may(call, "admin", name)) return { name, topicId, ...topicForbidden("admin", name) };
    const topic = name === null ? await surface.topicIds.topic(topicId) : await surface.log.topic(name);
    if (topic === undefined) return { name, topicId, ...kafkaError("UNKNOWN_TOPIC_ID", "no topic has this id") };
    if (!may(call, "admin", topic.name)) return { name, topicId, ...kafkaError("TOPIC_AUTHORIZATION_FAILED") };
    // By its id it must still be this one: the name may be another topic's by now.
    await surface.log.deleteTopic(topic.name, name === null ? { topicId } : {});
    return { name: topic.name, topicId: topic.id, ...NO_ERROR };
  } catch (error) {
    return { name, topicId, ...partitionError(name === null, surface.judge(error, "DeleteTopics")) };
  }
}
