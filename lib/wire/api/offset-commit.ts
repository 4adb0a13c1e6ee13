/** OffsetCommit: durable when it is answered. */
import { KAFKA_ERRORS } from "../../kafka/index.ts";
import { offsetCommit } from "../../kafka/protocol/api/offset-commit.ts";
import type { Decoded } from "../../kafka/protocol/schema.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { groupCodeOf, groupsFor, memberOf, topicFor } from "../groups.ts";
import type { TopicName } from "../topic-names.ts";

type Request = Decoded<typeof offsetCommit.request>;

/** From this version on topics are named by their ids (KIP-848). */
const BY_ID_FROM = 10;
/** From this version on clients know that their member epoch is stale; older ones are told that the version will not do (Kafka, KIP-848). */
const STALE_EPOCH_FROM = 9;

export const offsetCommitHandler: Handler = handlerOf(offsetCommit, async (request, call) => {
  const byId = call.version >= BY_ID_FROM;
  const found = await Promise.all(request.topics.map(({ name, topicId }) => topicFor(call, byId, name, topicId, "read")));
  const offsets = request.topics.flatMap(({ partitions }, i) => {
    const one = found[i];
    return one === undefined || "error" in one ? [] : partitions.map((partition) => offsetOf(one.found, partition, request));
  });
  const codes = await commit(request, offsets, call, byId);
  let at = 0;
  return {
    topics: request.topics.map(({ name, topicId, partitions }, i) => {
      const one = found[i];
      return {
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: one !== undefined && "error" in one ? one.error.errorCode : (codes[at++] ?? 0),
        })),
      };
    }),
  };
});

function offsetOf(
  { topic, topicId }: TopicName,
  one: Request["topics"][number]["partitions"][number],
  { retentionTimeMs }: Request,
) {
  return {
    topic,
    topicId,
    partition: one.partitionIndex,
    offset: one.committedOffset,
    leaderEpoch: one.committedLeaderEpoch,
    metadata: one.committedMetadata ?? "",
    retentionMs: retentionTimeMs < 0 ? undefined : retentionTimeMs,
  };
}

/** An error code for each offset. */
async function commit(request: Request, offsets: ReturnType<typeof offsetOf>[], call: Call, byId: boolean): Promise<number[]> {
  const { groupId: group, memberId, generationIdOrMemberEpoch: epoch, groupInstanceId } = request;
  const codeOf = (error: unknown): number => {
    const code = groupCodeOf(call, error, "OffsetCommit");
    const isNew = code === KAFKA_ERRORS.STALE_MEMBER_EPOCH.code && call.version < STALE_EPOCH_FROM;
    return isNew ? KAFKA_ERRORS.UNSUPPORTED_VERSION.code : code;
  };
  try {
    const answers = await groupsFor(call, "read", group).commit({
      group,
      member: memberOf(memberId, epoch, groupInstanceId),
      offsets,
    });
    return answers.map(({ error }) => {
      if (error === undefined) return 0;
      return byId && error.code === "unknown_topic" ? KAFKA_ERRORS.UNKNOWN_TOPIC_ID.code : codeOf(error);
    });
  } catch (error) {
    const code = codeOf(error);
    return offsets.map(() => code);
  }
}
