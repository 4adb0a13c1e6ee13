/** OffsetDelete (KIP-496): offsets of topics that no member reads. */
import { offsetDelete } from "../../kafka/protocol/api/offset-delete.ts";
import { may, topicForbidden } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { groupCodeOf, groupsFor } from "../groups.ts";

export const offsetDeleteHandler: Handler = handlerOf(offsetDelete, async ({ groupId, topics }, call) => {
  const partitions = topics
    .filter(({ name }) => may(call, "read", name))
    .flatMap(({ name, partitions: some }) => some.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })));
  try {
    const answers = await groupsFor(call, "admin", groupId).deleteOffsets(groupId, partitions);
    let at = 0;
    return {
      errorCode: 0,
      topics: topics.map(({ name, partitions: some }) => ({
        name,
        partitions: some.map(({ partitionIndex }) => {
          if (!may(call, "read", name)) return { partitionIndex, errorCode: topicForbidden("read", name).errorCode };
          const error = answers[at++]?.error;
          return { partitionIndex, errorCode: error === undefined ? 0 : groupCodeOf(call, error, "OffsetDelete") };
        }),
      })),
    };
  } catch (error) {
    return { errorCode: groupCodeOf(call, error, "OffsetDelete"), topics: [] };
  }
});
