/** ShareGroupDescribe (KIP-932): share groups with their members. */
import { shareGroupDescribe } from "../../kafka/protocol/api/share-group-describe.ts";
import type { Encodable } from "../../kafka/protocol/schema.ts";
import { groupOperations } from "../access.ts";
import { OPERATIONS_NOT_ASKED } from "../broker.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { kafkaError } from "../errors.ts";
import { groupsFor } from "../groups.ts";
import { shareError } from "../shares.ts";

type Answer = Encodable<typeof shareGroupDescribe.response>["groups"][number];

const EMPTY = { groupState: "", groupEpoch: 0, assignmentEpoch: 0, assignorName: "", members: [] };

export const shareGroupDescribeHandler: Handler = handlerOf(shareGroupDescribe, async (request, call) => ({
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
    const { type, phase, epoch, targetEpoch, assignor, members } = group;
    if (type !== "share") {
      return {
        ...EMPTY,
        groupId,
        ...kafkaError("GROUP_ID_NOT_FOUND", `group "${groupId}" is a ${type} group, not a share group`),
      };
    }
    return {
      errorCode: 0,
      groupId,
      groupState: phase,
      groupEpoch: epoch,
      assignmentEpoch: targetEpoch,
      assignorName: assignor,
      members: members.map((member) => ({
        memberId: member.memberId,
        rackId: member.rackId ?? null,
        memberEpoch: member.epoch ?? 0,
        ...member.client,
        subscribedTopicNames: [...(member.topics ?? [])],
        assignment: {
          topicPartitions: member.assigned.map(({ topic, topicId, partitions }) => ({
            topicName: topic,
            topicId,
            partitions: [...partitions],
          })),
        },
      })),
    };
  } catch (error) {
    return { ...EMPTY, groupId, ...shareError(call, error, "ShareGroupDescribe") };
  }
}
