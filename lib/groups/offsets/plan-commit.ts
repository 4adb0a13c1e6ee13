/**
 * Which of the offsets of a request may be committed: Kafka's rules, by the group's state. Pure.
 * (Kafka: ClassicGroup.validateOffsetCommit, ConsumerGroup.validateOffsetCommit; KIP-1251.)
 */
import { BrokerlessError } from "../../base/errors.ts";
import { textBytes } from "../../ports/values.ts";
import { type ConsumerMember, type GroupState, hasMembers } from "../items/state.ts";
import type { MemberRef, OffsetToCommit } from "../types.ts";

const METADATA_MOST_BYTES = 4096;

/** What a commit is measured by at each partition: its stamp may not be above. */
export interface CommitTicket {
  readonly epoch: number;
  /** What to say where the stamp is above. */
  readonly refusal: "illegal_generation" | "stale_member_epoch" | "non_empty_group";
  /** With an older member epoch: what the member was given at or before it. Undefined: every partition. */
  readonly owned: ((topicId: string, partition: number) => number | undefined) | undefined;
}

/** Throws where the whole request is refused. `state` undefined: there is no such group. */
export function admitCommit(group: string, state: GroupState | undefined, member: MemberRef | undefined): CommitTicket {
  if (state?.type === "share") {
    throw new BrokerlessError("unknown_group", `group "${group}" is a share group; it has no committed offsets`);
  }
  if (member === undefined) {
    if (state !== undefined && hasMembers(state)) {
      throw new BrokerlessError("unknown_member", `group "${group}" has members, so only they may commit`);
    }
    return { epoch: state?.epoch ?? 0, refusal: "non_empty_group", owned: undefined };
  }
  if (state === undefined) {
    throw new BrokerlessError("illegal_generation", `there is no group "${group}"; a member of it wants to commit`);
  }
  return state.type === "classic" ? admitClassic(group, state, member) : admitConsumer(group, state, member);
}

/**
 * The same for a commit of a transaction: who does not say which member it is may commit for the members too (Kafka; clients
 * from before KIP-447 do not say it).
 */
export function admitTransactional(group: string, state: GroupState | undefined, member: MemberRef | undefined): CommitTicket {
  if (member !== undefined) return admitCommit(group, state, member);
  return { epoch: state?.epoch ?? 0, refusal: "illegal_generation", owned: undefined };
}

function admitClassic(group: string, state: GroupState & { type: "classic" }, member: MemberRef): CommitTicket {
  checkClassicMember(group, state, member);
  if (state.phase === "CompletingRebalance") {
    throw new BrokerlessError("rebalance_in_progress", `group "${group}" is rebalancing to generation ${state.epoch}`);
  }
  return { epoch: member.epoch, refusal: "illegal_generation", owned: undefined };
}

/** Throws `unknown_member`, `fenced_instance_id`, `illegal_generation`. */
export function checkClassicMember(group: string, state: GroupState & { type: "classic" }, ref: MemberRef): void {
  checkInstance(group, state, ref);
  if (state.members[ref.memberId] === undefined) throw unknownMember(group, ref.memberId);
  if (ref.epoch !== state.epoch) {
    throw new BrokerlessError(
      "illegal_generation",
      `group "${group}" is at generation ${state.epoch}; the request is of ${ref.epoch}`,
    );
  }
}

/** Throws `fenced_instance_id` where another member has this instance id, and `unknown_member` where none has. */
export function checkInstance(group: string, state: GroupState, ref: MemberRef): void {
  const { instanceId } = ref;
  if (instanceId === undefined) return;
  const holder = Object.entries(state.members).find(([, one]) => one.instanceId === instanceId)?.[0];
  if (holder === undefined) throw unknownMember(group, ref.memberId);
  if (holder !== ref.memberId) {
    throw new BrokerlessError(
      "fenced_instance_id",
      `instance id "${instanceId}" of group "${group}" was taken over by another member`,
    );
  }
}

export function unknownMember(group: string, memberId: string): BrokerlessError {
  return new BrokerlessError("unknown_member", `group "${group}" has no member "${memberId}"`);
}

function admitConsumer(group: string, state: GroupState & { type: "consumer" }, ref: MemberRef): CommitTicket {
  const member = state.members[ref.memberId];
  if (member === undefined) throw unknownMember(group, ref.memberId);
  if (ref.epoch > member.epoch || ref.epoch < 0) throw staleEpoch(group, member, ref.epoch);
  return {
    epoch: ref.epoch,
    refusal: "stale_member_epoch",
    owned:
      ref.epoch === member.epoch
        ? undefined
        : (topicId, partition) => member.assigned[topicId]?.[partition] ?? member.revoking[topicId]?.[partition],
  };
}

export function staleEpoch(group: string, member: ConsumerMember, epoch: number): BrokerlessError {
  return new BrokerlessError(
    "stale_member_epoch",
    `the member of group "${group}" is at epoch ${member.epoch}; the request is of ${epoch}`,
  );
}

/** What is wrong with one offset by itself; undefined when nothing is. */
export function wrongOffset({ topic, partition, offset, metadata }: OffsetToCommit): BrokerlessError | undefined {
  // Kafka takes -1 and -2 too: tools write them to say "from the end" and "from the beginning".
  if (!Number.isSafeInteger(offset) || offset < -2) {
    return new BrokerlessError("invalid_request", `offset ${offset} of ${topic}-${partition}; it takes a whole number from -2`, {
      field: "offset",
    });
  }
  const sizeBytes = metadata === undefined ? 0 : textBytes(metadata);
  if (sizeBytes > METADATA_MOST_BYTES) {
    return new BrokerlessError(
      "offset_metadata_too_large",
      `the metadata of ${topic}-${partition} is ${sizeBytes} bytes; at most ${METADATA_MOST_BYTES} are taken`,
      { field: "metadata" },
    );
  }
  return undefined;
}

/** Why a partition may not be committed by this ticket, by the stamp that it has; undefined when it may. */
export function refusedBy(ticket: CommitTicket, group: string, topicId: string, partition: number, stamp: number | undefined) {
  const given = ticket.owned === undefined ? undefined : (ticket.owned(topicId, partition) ?? Number.POSITIVE_INFINITY);
  if ((given ?? 0) <= ticket.epoch && (stamp ?? 0) <= ticket.epoch) return undefined;
  return new BrokerlessError(
    ticket.refusal,
    `partition ${partition} was given away in group "${group}" after epoch ${ticket.epoch}, which the commit is of`,
  );
}

/** Above the guard that is there, and about the time. */
export function nextGuard(found: number | undefined, nowMs: number): number {
  return Math.max(nowMs, (found ?? 0) + 1);
}
