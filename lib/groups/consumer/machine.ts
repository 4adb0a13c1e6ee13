/**
 * The server-driven group (KIP-848) as a pure state machine. The group epoch grows when the members or what they read
 * change; a target assignment is made for each group epoch; each member goes over to it at its own pace: first it gives
 * back what is no longer its own, then it gets what others have given back.
 *
 * D1  A partition is in `assigned` or `revoking` of at most one member.
 * D2  A member gets a partition only when nobody else has it, and its stamp is written before (O1).
 * D3  A member's epoch is the target's once it has given back what the target does not give it.
 * D4  A member that is silent for a session, or does not give back within its rebalance timeout, is removed.
 *
 * (Kafka: GroupMetadataManager.consumerGroupHeartbeat, CurrentAssignmentBuilder.)
 */
import type { Heard } from "../items/member.ts";
import type { ConsumerMember, ConsumerState, Owned, Target } from "../items/state.ts";
import type { Stamp } from "../offsets/stamp.ts";
import { ASSIGNORS, DEFAULT_ASSIGNOR } from "./assignors.ts";

/** A static member that has left for a while. */
export const LEFT_EPOCH = -2;

/** What is there to be read, as the heartbeat's process sees it. */
export interface TopicView {
  /** Of what the members read: the same for the same topics, ids and partitions. */
  readonly hash: string;
  /** Topic ids that a member reads. */
  readonly idsOf: (member: ConsumerMember) => ReadonlySet<string>;
  readonly partitions: ReadonlyMap<string, number>;
}

/** The state as it is by now; the same object where nothing has changed. `sessionMs`: of the group. */
export function tick(state: ConsumerState, heard: Heard, nowMs: number, sessionMs: number): ConsumerState {
  const gone = Object.entries(state.members).filter(
    ([id, member]) =>
      nowMs >= Math.max(member.seenMs, heard.get(id) ?? 0) + sessionMs || (member.revokeByMs > 0 && nowMs >= member.revokeByMs),
  );
  return gone.length === 0
    ? state
    : without(
        state,
        gone.map(([id]) => id),
        nowMs,
      );
}

/** The state without these members; what they had is free. */
export function without(state: ConsumerState, memberIds: readonly string[], nowMs: number): ConsumerState {
  const members = Object.fromEntries(Object.entries(state.members).filter(([id]) => !memberIds.includes(id)));
  return { ...state, members, epoch: state.epoch + 1, sinceMs: Object.keys(members).length === 0 ? nowMs : state.sinceMs };
}

/** A new target, where the group epoch or the topics have moved on. */
export function retarget(state: ConsumerState, topics: TopicView): ConsumerState {
  const moved = topics.hash !== state.topicsHash;
  const epoch = moved && state.epoch === state.targetEpoch ? state.epoch + 1 : state.epoch;
  if (epoch === state.targetEpoch) return state;
  const assign = ASSIGNORS[assignorOf(state)] ?? ASSIGNORS[DEFAULT_ASSIGNOR];
  const entries = Object.entries(state.members);
  const given = assign?.(
    entries.map(([id, member]) => ({
      id,
      instanceId: member.instanceId,
      topicIds: topics.idsOf(member),
      current: member.target,
    })),
    topics.partitions,
  );
  const members = Object.fromEntries(entries.map(([id, member]) => [id, { ...member, target: given?.get(id) ?? {} }]));
  return { ...state, epoch, targetEpoch: epoch, topicsHash: topics.hash, members };
}

/** The assignor that most members ask for. */
export function assignorOf(state: ConsumerState): string {
  const votes = new Map<string, number>();
  for (const { assignor } of Object.values(state.members)) {
    if (assignor !== undefined) votes.set(assignor, (votes.get(assignor) ?? 0) + 1);
  }
  return [...votes].reduce((best, one) => (one[1] > best[1] ? one : best), [DEFAULT_ASSIGNOR, 0] as [string, number])[0];
}

/** Takes a member as far towards its target as it can go now. `owned`: what it says that it has; undefined: nothing new. */
export function reconcile(state: ConsumerState, memberId: string, owned: Target | undefined, nowMs: number) {
  const member = state.members[memberId] as ConsumerMember;
  const before = { state, stamps: [] as Stamp[] };
  if (member.state === "stable" && member.epoch === state.targetEpoch) return before;
  if (member.state === "unrevoked" && (owned === undefined || overlap(owned, member.revoking))) return before;
  // What it has told of is given back, unless it was taken away only now and it still has it.
  const kept = select(member.assigned, (topicId, partition) => has(member.target, topicId, partition));
  const dropped = select(member.assigned, (topicId, partition) => !has(member.target, topicId, partition));
  if (count(dropped) > 0 && (owned === undefined || overlap(owned, dropped))) {
    return changed(state, memberId, {
      ...member,
      state: "unrevoked",
      assigned: kept,
      revoking: dropped,
      revokeByMs: nowMs + member.rebalanceTimeoutMs,
    });
  }
  const taken = takenByOthers(state, memberId);
  const assigned: Record<string, Record<string, number>> = copy(kept);
  let waits = false;
  for (const [topicId, partitions] of Object.entries(member.target)) {
    for (const partition of partitions) {
      if (kept[topicId]?.[partition] !== undefined) continue;
      if (taken.has(`${topicId}#${partition}`)) {
        waits = true;
        continue;
      }
      const mine = assigned[topicId] ?? {};
      assigned[topicId] = mine;
      mine[partition] = state.targetEpoch;
    }
  }
  return changed(state, memberId, {
    ...member,
    state: waits ? "unreleased" : "stable",
    previousEpoch: member.epoch === state.targetEpoch ? member.previousEpoch : member.epoch,
    epoch: state.targetEpoch,
    assigned,
    revoking: {},
    revokeByMs: 0,
  });
}

/** The state with the member as it is now; the same where it is the same. */
function changed(state: ConsumerState, memberId: string, after: ConsumerMember) {
  const before = state.members[memberId] as ConsumerMember;
  const stamps: Stamp[] = [];
  for (const [topicId, partitions] of Object.entries(after.assigned)) {
    for (const [partition, epoch] of Object.entries(partitions)) {
      if (before.assigned[topicId]?.[partition] === undefined) stamps.push({ topicId, partition: Number(partition), epoch });
    }
  }
  const same =
    stamps.length === 0 &&
    after.state === before.state &&
    after.epoch === before.epoch &&
    count(after.assigned) === count(before.assigned);
  return same ? { state, stamps } : { state: { ...state, members: { ...state.members, [memberId]: after } }, stamps };
}

function takenByOthers(state: ConsumerState, memberId: string): Set<string> {
  const taken = new Set<string>();
  for (const [id, { assigned, revoking }] of Object.entries(state.members)) {
    if (id === memberId) continue;
    for (const owned of [assigned, revoking]) {
      for (const [topicId, partitions] of Object.entries(owned)) {
        for (const partition of Object.keys(partitions)) taken.add(`${topicId}#${partition}`);
      }
    }
  }
  return taken;
}

function has(target: Target, topicId: string, partition: number): boolean {
  return target[topicId]?.includes(partition) === true;
}

function overlap(target: Target, owned: Owned): boolean {
  return Object.entries(owned).some(([topicId, partitions]) =>
    Object.keys(partitions).some((partition) => has(target, topicId, Number(partition))),
  );
}

function select(owned: Owned, keep: (topicId: string, partition: number) => boolean): Owned {
  const out: Record<string, Record<string, number>> = {};
  for (const [topicId, partitions] of Object.entries(owned)) {
    const some = Object.entries(partitions).filter(([partition]) => keep(topicId, Number(partition)));
    if (some.length > 0) out[topicId] = Object.fromEntries(some);
  }
  return out;
}

function copy(owned: Owned): Record<string, Record<string, number>> {
  return Object.fromEntries(Object.entries(owned).map(([topicId, partitions]) => [topicId, { ...partitions }]));
}

export function count(owned: Owned): number {
  return Object.values(owned).reduce((sum, partitions) => sum + Object.keys(partitions).length, 0);
}

/** Partitions of topics, in rising order. */
export function partitionsOf(owned: Owned): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(owned).map(([topicId, partitions]) => [
      topicId,
      Object.keys(partitions)
        .map(Number)
        .sort((a, b) => a - b),
    ]),
  );
}
