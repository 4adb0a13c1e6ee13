/** JoinGroup: a member waits here for its generation, 25 s at most. */
import { BrokerlessError } from "../../base/errors.ts";
import { joinGroup } from "../../kafka/protocol/api/join-group.ts";
import { type Handler, handlerOf } from "../call.ts";
import { clientOf, groupCodeOf, groupsFor } from "../groups.ts";

/** From this version on a new member is given its id first (KIP-394). */
const MEMBER_ID_FROM = 4;
/** From this version on a leader can be told that there is nothing to assign (KIP-814). */
const SKIP_FROM = 9;

export const joinGroupHandler: Handler = handlerOf(joinGroup, async (request, call) => {
  const { sessionTimeoutMs, rebalanceTimeoutMs, memberId, groupInstanceId, protocolType, protocols } = request;
  try {
    const answer = await groupsFor(call, "read", request.groupId).join({
      group: request.groupId,
      memberId,
      instanceId: groupInstanceId ?? undefined,
      client: clientOf(call),
      sessionTimeoutMs,
      rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
      protocolType,
      // They stay in the state, and the frame does not.
      protocols: protocols.map(({ name, metadata }) => ({ name, metadata: new Uint8Array(metadata) })),
      requireMemberId: call.version >= MEMBER_ID_FROM,
      maxWaitMs: call.connection.limits.waitMs,
      signal: call.signal,
    });
    // An older client that came back as the leader must not assign again: it is told that another one leads.
    const demoted = answer.skipAssignment && call.version < SKIP_FROM;
    return {
      errorCode: 0,
      generationId: answer.generation,
      protocolType: answer.protocolType,
      protocolName: answer.protocol,
      leader: demoted ? "" : answer.leader,
      skipAssignment: answer.skipAssignment,
      memberId: answer.memberId,
      members: demoted
        ? []
        : answer.members.map((member) => ({
            memberId: member.memberId,
            groupInstanceId: member.instanceId ?? null,
            metadata: member.metadata,
          })),
    };
  } catch (error) {
    const given = error instanceof BrokerlessError ? error.details["memberId"] : undefined;
    return {
      errorCode: groupCodeOf(call, error, "JoinGroup"),
      generationId: -1,
      protocolName: call.version >= 7 ? null : "",
      leader: "",
      memberId: typeof given === "string" ? given : memberId,
      members: [],
    };
  }
});
