/** Heartbeat: a member is there, and is told of a rebalance. */
import { heartbeat } from "../../kafka/protocol/api/heartbeat.ts";
import { type Handler, handlerOf } from "../call.ts";
import { groupCodeOf, groupsFor } from "../groups.ts";

export const heartbeatHandler: Handler = handlerOf(heartbeat, async (request, call) => {
  const { groupId, memberId, generationId, groupInstanceId } = request;
  try {
    await groupsFor(call, "read", groupId).heartbeat(groupId, {
      memberId,
      epoch: generationId,
      instanceId: groupInstanceId ?? undefined,
    });
    return { errorCode: 0 };
  } catch (error) {
    return { errorCode: groupCodeOf(call, error, "Heartbeat") };
  }
});
