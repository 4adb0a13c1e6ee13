/** SyncGroup: the leader brings the assignment, the others wait for it. */
import { syncGroup } from "../../kafka/protocol/api/sync-group.ts";
import { type Handler, handlerOf } from "../call.ts";
import { groupCodeOf, groupsFor } from "../groups.ts";

const NOTHING = new Uint8Array(0);

export const syncGroupHandler: Handler = handlerOf(syncGroup, async (request, call) => {
  const { groupId: group, memberId, generationId, groupInstanceId, protocolType, protocolName, assignments } = request;
  try {
    const answer = await groupsFor(call, "read", group).sync({
      group,
      member: { memberId, epoch: generationId, instanceId: groupInstanceId ?? undefined },
      protocolType: protocolType ?? undefined,
      protocol: protocolName ?? undefined,
      assignments: assignments.map((one) => ({ memberId: one.memberId, assignment: new Uint8Array(one.assignment) })),
      maxWaitMs: call.connection.limits.waitMs,
      signal: call.signal,
    });
    return { errorCode: 0, protocolType: answer.protocolType, protocolName: answer.protocol, assignment: answer.assignment };
  } catch (error) {
    return { errorCode: groupCodeOf(call, error, "SyncGroup"), assignment: NOTHING };
  }
});
