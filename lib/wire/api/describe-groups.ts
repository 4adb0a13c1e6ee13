/** DescribeGroups: classic groups with their members. */
import { describeGroups } from "../../kafka/protocol/api/describe-groups.ts";
import type { Encodable } from "../../kafka/protocol/schema.ts";
import { groupOperations } from "../access.ts";
import { OPERATIONS_NOT_ASKED } from "../broker.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { kafkaError } from "../errors.ts";
import { groupCodeOf, groupsFor } from "../groups.ts";

type Answer = Encodable<typeof describeGroups.response>["groups"][number];

const NOTHING = new Uint8Array(0);
const NOT_FOUND = kafkaError("GROUP_ID_NOT_FOUND").errorCode;
/** From this version on a group that is not there is an error (KIP-1043); before, it is one in state Dead. */
const ERROR_FROM = 6;

export const describeGroupsHandler: Handler = handlerOf(describeGroups, async (request, call) => ({
  groups: await Promise.all(
    request.groups.map(async (groupId) => ({
      ...(await describeOne(groupId, call)),
      authorizedOperations: request.includeAuthorizedOperations ? groupOperations(call, groupId) : OPERATIONS_NOT_ASKED,
    })),
  ),
}));

async function describeOne(groupId: string, call: Call): Promise<Answer> {
  try {
    const group = await groupsFor(call, "describe", groupId).describe(groupId);
    if (group.type !== "classic") return dead(groupId, NOT_FOUND, `group "${groupId}" is not a classic one`, call);
    return {
      errorCode: 0,
      groupId,
      groupState: group.phase,
      protocolType: group.protocolType,
      protocolData: group.assignor,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.instanceId ?? null,
        ...member.client,
        memberMetadata: member.metadata ?? NOTHING,
        memberAssignment: member.assignment ?? NOTHING,
      })),
    };
  } catch (error) {
    return dead(groupId, groupCodeOf(call, error, "DescribeGroups"), error instanceof Error ? error.message : null, call);
  }
}

function dead(groupId: string, errorCode: number, errorMessage: string | null, { version }: Call): Answer {
  const known = errorCode === NOT_FOUND && version < ERROR_FROM;
  return {
    errorCode: known ? 0 : errorCode,
    errorMessage,
    groupId,
    groupState: "Dead",
    protocolType: "",
    protocolData: "",
    members: [],
  };
}
