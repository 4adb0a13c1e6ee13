/** ConsumerGroupDescribe (KIP-848): server-driven groups with their members. */
import type { GroupDescription, TopicPartitions } from "../../groups/types.ts";
import { consumerGroupDescribe } from "../../kafka/protocol/api/consumer-group-describe.ts";
import type { Encodable } from "../../kafka/protocol/schema.ts";
import { groupOperations } from "../access.ts";
import { OPERATIONS_NOT_ASKED } from "../broker.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { kafkaError } from "../errors.ts";
import { groupCodeOf, groupsFor } from "../groups.ts";

type Answer = Encodable<typeof consumerGroupDescribe.response>["groups"][number];

const EMPTY = { groupState: "", groupEpoch: 0, assignmentEpoch: 0, assignorName: "", members: [] };
/** All members speak the server-driven protocol. */
const MEMBER_TYPE = 1;

export const consumerGroupDescribeHandler: Handler = handlerOf(consumerGroupDescribe, async (request, call) => ({
  groups: await Promise.all(
    request.groupIds.map(async (groupId) => ({
      ...(await describeOne(groupId, call)),
      authorizedOperations: request.includeAuthorizedOperations ? groupOperations(call, groupId) : OPERATIONS_NOT_ASKED,
    })),
  ),
}));

async function describeOne(groupId: string, call: Call): Promise<Answer> {
  try {
    const group = await groupsFor(call, "describe", groupId).describe(groupId);
    if (group.type === "consumer") return { errorCode: 0, groupId, ...described(group) };
    return {
      ...EMPTY,
      groupId,
      ...kafkaError("GROUP_ID_NOT_FOUND", `group "${groupId}" is a ${group.type} group, not of the server-driven protocol`),
    };
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : null;
    return { ...EMPTY, groupId, errorCode: groupCodeOf(call, error, "ConsumerGroupDescribe"), errorMessage };
  }
}

function described({ phase, epoch, targetEpoch, assignor, members }: GroupDescription) {
  return {
    groupState: phase,
    groupEpoch: epoch,
    assignmentEpoch: targetEpoch,
    assignorName: assignor,
    members: members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId ?? null,
      rackId: member.rackId ?? null,
      memberEpoch: member.epoch ?? 0,
      ...member.client,
      subscribedTopicNames: [...(member.topics ?? [])],
      subscribedTopicRegex: member.regex ?? null,
      assignment: { topicPartitions: partitionsOf(member.assigned) },
      targetAssignment: { topicPartitions: partitionsOf(member.target ?? []) },
      memberType: MEMBER_TYPE,
    })),
  };
}

function partitionsOf(some: readonly TopicPartitions[]) {
  return some.map(({ topic, topicId, partitions }) => ({ topicName: topic, topicId, partitions: [...partitions] }));
}
