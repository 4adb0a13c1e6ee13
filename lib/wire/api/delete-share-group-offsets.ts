/** DeleteShareGroupOffsets (KIP-932): a share group without members forgets topics. */
import { deleteShareGroupOffsets } from "../../kafka/protocol/api/delete-share-group-offsets.ts";
import { NO_UUID } from "../../kafka/protocol/schema.ts";
import { may, topicForbidden } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { shareError, sharesFor } from "../shares.ts";

const API = "DeleteShareGroupOffsets";

export const deleteShareGroupOffsetsHandler: Handler = handlerOf(deleteShareGroupOffsets, async ({ groupId, topics }, call) => {
  try {
    const shares = await sharesFor(call, "admin", groupId);
    const names = topics.map(({ topicName }) => topicName);
    const allowed = names.filter((name) => may(call, "read", name));
    const ids = new Map((await call.surface.log.listTopics()).map(({ name, id }) => [name, id]));
    const answers = new Map((await shares.deleteOffsets(groupId, allowed)).map(({ topic, error }) => [topic, error]));
    return {
      errorCode: 0,
      responses: names.map((topicName) => {
        if (!may(call, "read", topicName)) return { topicName, topicId: NO_UUID, ...topicForbidden("read", topicName) };
        const error = answers.get(topicName);
        const fields = error === undefined ? { errorCode: 0 } : shareError(call, error, API);
        return { topicName, topicId: ids.get(topicName) ?? NO_UUID, ...fields };
      }),
    };
  } catch (error) {
    return { responses: [], ...shareError(call, error, API) };
  }
});
