/** Groups as admin tools are shown them. Pure, but for the names of topics. */
import { assignedPartitions, subscribedTopics } from "./classic/consumer-protocol.ts";
import { metadataOf } from "./classic/join.ts";
import { assignorOf, partitionsOf } from "./consumer/machine.ts";
import type { ClassicState, ConsumerMember, ConsumerState, GroupState, Target } from "./items/state.ts";
import type { GroupDescription, GroupListing, GroupPhase, MemberDescription, TopicPartitions } from "./types.ts";

/** Topics by name and by id. */
export interface TopicNames {
  readonly idOf: ReadonlyMap<string, string>;
  readonly nameOf: ReadonlyMap<string, string>;
}

export function phaseOf(state: GroupState): GroupPhase {
  if (state.type === "classic") return state.phase;
  const members = Object.values(state.members);
  if (members.length === 0) return "Empty";
  if (state.epoch > state.targetEpoch) return "Assigning";
  return members.every((one) => one.epoch < 0 || (one.state === "stable" && one.epoch === state.targetEpoch))
    ? "Stable"
    : "Reconciling";
}

export function listingOf(group: string, state: GroupState): GroupListing {
  return {
    group,
    type: state.type,
    phase: phaseOf(state),
    protocolType: state.type === "classic" ? state.protocolType : "consumer",
  };
}

export function describeGroup(group: string, state: GroupState, names: TopicNames): GroupDescription {
  return {
    ...listingOf(group, state),
    epoch: state.epoch,
    targetEpoch: state.type === "classic" ? state.epoch : state.targetEpoch,
    assignor: state.type === "classic" ? (state.protocol ?? "") : assignorOf(state),
    members: state.type === "classic" ? classicMembers(state, names) : consumerMembers(state, names),
  };
}

function classicMembers(state: ClassicState, { idOf }: TopicNames): MemberDescription[] {
  const consumers = state.protocolType === "consumer";
  return Object.entries(state.members).map(([memberId, member]) => {
    const metadata = metadataOf(member, state.protocol ?? "");
    const assigned = consumers ? (assignedPartitions(member.assignment) ?? []) : [];
    return {
      memberId,
      instanceId: member.instanceId,
      client: { clientId: member.clientId, clientHost: member.clientHost },
      metadata,
      assignment: member.assignment,
      assigned: assigned.flatMap(({ topic, partitions }) => {
        const topicId = idOf.get(topic);
        return topicId === undefined ? [] : [{ topic, topicId, partitions: [...partitions].sort((a, b) => a - b) }];
      }),
      topics: consumers ? subscribedTopics(metadata) : undefined,
    };
  });
}

function consumerMembers(state: ConsumerState, { nameOf }: TopicNames): MemberDescription[] {
  const named = (target: Target): TopicPartitions[] =>
    Object.entries(target).flatMap(([topicId, partitions]) => {
      const topic = nameOf.get(topicId);
      return topic === undefined ? [] : [{ topic, topicId, partitions }];
    });
  return Object.entries(state.members).map(([memberId, member]: [string, ConsumerMember]) => ({
    memberId,
    instanceId: member.instanceId,
    rackId: member.rackId,
    client: { clientId: member.clientId, clientHost: member.clientHost },
    assigned: named(partitionsOf(member.assigned)),
    target: named(member.target),
    epoch: member.epoch,
    topics: member.topics,
    regex: member.regex,
  }));
}
