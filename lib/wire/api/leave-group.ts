/** LeaveGroup: members go, and the others rebalance. */
import { leaveGroup } from "../../kafka/protocol/api/leave-group.ts";
import { type Handler, handlerOf } from "../call.ts";
import { groupCodeOf, groupsFor } from "../groups.ts";

/** From this version on several members may be named, by their instance ids too (KIP-345). */
const MANY_FROM = 3;

export const leaveGroupHandler: Handler = handlerOf(leaveGroup, async (request, call) => {
  const many = call.version >= MANY_FROM;
  const leaving = many
    ? request.members.map(({ memberId, groupInstanceId }) => ({ memberId, instanceId: groupInstanceId ?? undefined }))
    : [{ memberId: request.memberId, instanceId: undefined }];
  try {
    const answers = await groupsFor(call, "read", request.groupId).leave(request.groupId, leaving);
    const members = answers.map(({ memberId, instanceId, error }) => ({
      memberId,
      groupInstanceId: instanceId ?? null,
      errorCode: error === undefined ? 0 : groupCodeOf(call, error, "LeaveGroup"),
    }));
    return { errorCode: many ? 0 : (members[0]?.errorCode ?? 0), members };
  } catch (error) {
    return { errorCode: groupCodeOf(call, error, "LeaveGroup"), members: [] };
  }
});
