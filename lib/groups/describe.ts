/** Groups as admin tools are shown them. Pure, but for the names of topics. */

import type { Topic } from "../log/types.ts";
import { assignedPartitions, subscribedTopics } from "./classic/consumer-protocol.ts";
import { metadataOf } from "./classic/join.ts";
import { assignorOf, partitionsOf } from "./consumer/machine.ts";
import type { ClassicState, ConsumerMember, ConsumerState, GroupState, ShareGroupState, Target } from "./items/state.ts";
import { hasMembers } from "./items/state.ts";
import { assign } from "./share/membership.ts";
import type { GroupDescription, GroupListing, GroupPhase, MemberDescription, TopicPartitions } from "./types.ts";

/** Topics by name and by id. */
export interface TopicNames {
  readonly idOf: ReadonlyMap<string, string>;
  readonly nameOf: ReadonlyMap<string, string>;
  readonly byName: ReadonlyMap<string, Topic>;
}

export function phaseOf(state: GroupState): GroupPhase {
  if (state.type === "classic") return state.phase;
  if (!hasMembers(state)) return "Empty";
  if (state.type === "share") return "Stable";
  const members = Object.values(state.members);
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
    protocolType: state.type === "classic" ? state.protocolType : state.type,
  };
}

export function describeGroup(group: string, state: GroupState, names: TopicNames): GroupDescription {
  return {
    ...listingOf(group, state),
    epoch: state.epoch,
    ...(state.type === "classic"
      ? { targetEpoch: state.epoch, assignor: state.protocol ?? "", members: classicMembers(state, names) }
      : state.type === "share"
        ? { targetEpoch: state.epoch, assignor: "simple", members: shareMembers(state, names) }
        : { targetEpoch: state.targetEpoch, assignor: assignorOf(state), members: consumerMembers(state, names) }),
  };
}

function shareMembers(state: ShareGroupState, names: TopicNames): MemberDescription[] {
  const assigned = assign(state.members, names.byName);
  return Object.entries(state.members).map(([memberId, { rackId, clientId, clientHost, epoch, topics }]) => ({
    memberId,
    rackId,
    client: { clientId, clientHost },
    assigned: named(assigned.get(memberId) ?? {}, names),
    epoch,
    topics,
  }));
}

function named(target: Target, { nameOf }: TopicNames): TopicPartitions[] {
  return Object.entries(target).flatMap(([topicId, partitions]) => {
    const topic = nameOf.get(topicId);
    return topic === undefined ? [] : [{ topic, topicId, partitions }];
  });
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

function consumerMembers(state: ConsumerState, names: TopicNames): MemberDescription[] {
  return Object.entries(state.members).map(([memberId, member]: [string, ConsumerMember]) => ({
    memberId,
    instanceId: member.instanceId,
    rackId: member.rackId,
    client: { clientId: member.clientId, clientHost: member.clientHost },
    assigned: named(partitionsOf(member.assigned), names),
    target: named(member.target, names),
    epoch: member.epoch,
    topics: member.topics,
    regex: member.regex,
  }));
}
