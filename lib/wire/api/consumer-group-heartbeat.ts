/** ConsumerGroupHeartbeat (KIP-848): joins, assigns, leaves. */
import { consumerGroupHeartbeat } from "../../kafka/protocol/api/consumer-group-heartbeat.ts";
import { may, topicForbidden } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { clientOf, groupCodeOf, groupsFor } from "../groups.ts";

const NOTHING = { memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null };

export const consumerGroupHeartbeatHandler: Handler = handlerOf(consumerGroupHeartbeat, async (request, call) => {
  const hidden = (request.subscribedTopicNames ?? []).find((topic) => !may(call, "describe", topic));
  if (hidden !== undefined) return { ...NOTHING, ...topicForbidden("describe", hidden) };
  try {
    const { memberId, epoch, heartbeatIntervalMs, assignment } = await groupsFor(call, "read", request.groupId).consumerHeartbeat(
      {
        group: request.groupId,
        memberId: request.memberId,
        epoch: request.memberEpoch,
        instanceId: request.instanceId ?? undefined,
        rackId: request.rackId ?? undefined,
        client: clientOf(call),
        rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? undefined : request.rebalanceTimeoutMs,
        topics: request.subscribedTopicNames ?? undefined,
        regex: request.subscribedTopicRegex ?? undefined,
        assignor: request.serverAssignor ?? undefined,
        owned: request.topicPartitions ?? undefined,
      },
    );
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
    const errorCode = groupCodeOf(call, error, "ConsumerGroupHeartbeat");
    const errorMessage = error instanceof Error ? error.message : null;
    return { ...NOTHING, errorCode, errorMessage };
  }
});
