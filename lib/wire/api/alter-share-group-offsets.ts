/** AlterShareGroupOffsets (KIP-932): share partitions of a group without members begin anew at the given offsets. */
import { alterShareGroupOffsets } from "../../kafka/protocol/api/alter-share-group-offsets.ts";
import { NO_UUID } from "../../kafka/protocol/schema.ts";
import { may, topicForbidden } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { shareError, sharesFor } from "../shares.ts";

const API = "AlterShareGroupOffsets";

export const alterShareGroupOffsetsHandler: Handler = handlerOf(alterShareGroupOffsets, async ({ groupId, topics }, call) => {
  try {
    const shares = await sharesFor(call, "read", groupId);
    const offsets = topics
      .filter(({ topicName }) => may(call, "read", topicName))
      .flatMap(({ topicName, partitions }) =>
        partitions.map(({ partitionIndex, startOffset }) => ({
          topic: topicName,
          partition: partitionIndex,
          offset: startOffset,
        })),
      );
    const answers = (await shares.alterOffsets(groupId, offsets)).values();
    return {
      errorCode: 0,
      responses: topics.map(({ topicName, partitions }) => {
        let topicId = NO_UUID;
        const its = partitions.map(({ partitionIndex }) => {
          if (!may(call, "read", topicName)) return { partitionIndex, ...topicForbidden("read", topicName) };
          const answer = answers.next().value;
          if (answer !== undefined && answer.topicId !== "") topicId = answer.topicId;
          if (answer?.error === undefined) return { partitionIndex, errorCode: 0 };
          return { partitionIndex, ...shareError(call, answer.error, API) };
        });
        return { topicName, topicId, partitions: its };
      }),
    };
  } catch (error) {
    return { responses: [], ...shareError(call, error, API) };
  }
});
