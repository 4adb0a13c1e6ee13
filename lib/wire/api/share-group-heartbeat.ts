/** ShareGroupHeartbeat (KIP-932): joins, tells which partitions to read, leaves. */
import { shareGroupHeartbeat } from "../../kafka/protocol/api/share-group-heartbeat.ts";
import { may, topicForbidden } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { clientOf } from "../groups.ts";
import { shareError, sharesFor } from "../shares.ts";

const NOTHING = { memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null };

export const shareGroupHeartbeatHandler: Handler = handlerOf(shareGroupHeartbeat, async (request, call) => {
  const hidden = (request.subscribedTopicNames ?? []).find((topic) => !may(call, "describe", topic));
  if (hidden !== undefined) return { ...NOTHING, ...topicForbidden("describe", hidden) };
  try {
    const shares = await sharesFor(call, "read", request.groupId);
    const { memberId, epoch, heartbeatIntervalMs, assignment } = await shares.heartbeat({
      group: request.groupId,
      memberId: request.memberId,
      epoch: request.memberEpoch,
      rackId: request.rackId ?? undefined,
      client: clientOf(call),
      topics: request.subscribedTopicNames ?? undefined,
    });
    return {
      errorCode: 0,
      memberId,
      memberEpoch: epoch,
      heartbeatIntervalMs,
      assignment:
        assignment === undefined
          ? null
          : { topicPartitions: assignment.map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] })) },
    };
  } catch (error) {
    return { ...NOTHING, ...shareError(call, error, "ShareGroupHeartbeat") };
  }
});
