/**
 * Who is in a share group, and which partitions each member reads (KIP-932). Pure. The assignment says only where a member looks:
 * several may share a partition, and what is whose is decided record by record. So nothing has to be given back before
 * it is given to another.
 *
 * The group epoch grows when the members or what they read changes; a member is at it as soon as it was told.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Topic } from "../../log/types.ts";
import { hashOf } from "../consumer/topics.ts";
import type { Heard } from "../items/member.ts";
import type { GroupState, ShareGroupState, ShareMember, Target } from "../items/state.ts";
import { unknownMember } from "../offsets/plan-commit.ts";
import type { ShareHeartbeatRequest } from "./types.ts";

const LEAVE_EPOCH = -1;
const ID_MOST_BYTES = 40;

export function emptyShareGroup(epoch: number, nowMs: number): ShareGroupState {
  return { type: "share", epoch, sinceMs: nowMs, topicsHash: "", members: {} };
}

/** A group that is a share group, or can become one: an empty one of another type can not. */
export function shareOr(state: GroupState | undefined, group: string, firstEpoch: number, nowMs: number): ShareGroupState {
  if (state === undefined) return emptyShareGroup(firstEpoch, nowMs);
  if (state.type === "share") return state;
  throw new BrokerlessError("unknown_group", `group "${group}" is a ${state.type} group, not a share group`, { field: "group" });
}

/** The state as it is by now; the same object where nothing has changed. */
export function tick(state: ShareGroupState, heard: Heard, nowMs: number, sessionMs: number): ShareGroupState {
  const silent = Object.entries(state.members).filter(
    ([id, { seenMs }]) => nowMs >= Math.max(seenMs, heard.get(id) ?? 0) + sessionMs,
  );
  return silent.length === 0
    ? state
    : without(
        state,
        silent.map(([id]) => id),
        nowMs,
      );
}

function without(state: ShareGroupState, memberIds: readonly string[], nowMs: number): ShareGroupState {
  const members = Object.fromEntries(Object.entries(state.members).filter(([id]) => !memberIds.includes(id)));
  return { ...state, members, epoch: state.epoch + 1, sinceMs: Object.keys(members).length === 0 ? nowMs : state.sinceMs };
}

/** Throws what is wrong with a request by itself. */
export function checkHeartbeat({ group, memberId, epoch, topics }: ShareHeartbeatRequest): void {
  const wrong = (what: string): BrokerlessError =>
    new BrokerlessError("invalid_request", `a heartbeat in share group "${group}" ${what}`);
  if (memberId === "" || memberId.length > ID_MOST_BYTES)
    throw wrong(`has a member id of ${memberId.length} characters; it takes 1 to ${ID_MOST_BYTES}`);
  if (!Number.isInteger(epoch) || epoch < LEAVE_EPOCH)
    throw wrong(`has the epoch ${epoch}; it takes -1 or a whole number from 0`);
  if (epoch === 0 && (topics === undefined || topics.length === 0)) throw wrong("joins without topics");
}

export interface ShareBeat {
  readonly state: ShareGroupState;
  /** -1 where it has left. */
  readonly epoch: number;
  /** What the member reads, where it has to be told. */
  readonly assignment: Target | undefined;
}

/** What a heartbeat does to a group (already ticked). `known`: topics by name. */
export function beat(
  state: ShareGroupState,
  request: ShareHeartbeatRequest,
  known: ReadonlyMap<string, Topic>,
  maxSize: number,
  nowMs: number,
): ShareBeat {
  const { group, memberId, epoch, client, rackId } = request;
  const member = state.members[memberId];
  if (epoch === LEAVE_EPOCH) {
    if (member === undefined) throw unknownMember(group, memberId);
    return { state: without(state, [memberId], nowMs), epoch, assignment: undefined };
  }
  if (epoch > 0) checkEpoch(group, memberId, member, epoch);
  const size = Object.keys(state.members).length;
  if (member === undefined && size >= maxSize) {
    throw new BrokerlessError("group_max_size_reached", `group "${group}" has ${size} members; at most ${maxSize} are taken`);
  }
  const topics = request.topics === undefined ? (member?.topics ?? []) : [...new Set(request.topics)].sort();
  const same = member !== undefined && topics.join() === member.topics.join();
  const spoken: ShareMember = {
    rackId: rackId ?? member?.rackId,
    ...client,
    topics,
    epoch: member?.epoch ?? 0,
    previousEpoch: member?.previousEpoch ?? 0,
    seenMs: member?.seenMs ?? nowMs,
  };
  const members = { ...state.members, [memberId]: spoken };
  const topicsHash = hashOf(readBy(members, known));
  const next = same && topicsHash === state.topicsHash ? state.epoch : state.epoch + 1;
  const told = spoken.epoch === next && epoch === next;
  const after = spoken.epoch === next ? spoken : { ...spoken, epoch: next, previousEpoch: spoken.epoch, seenMs: nowMs };
  const unchanged = told && same && sameClient(member, after);
  return {
    state: unchanged ? state : { ...state, epoch: next, topicsHash, members: { ...members, [memberId]: after } },
    epoch: next,
    assignment: told ? undefined : (assign(members, known).get(memberId) ?? {}),
  };
}

function sameClient(a: ShareMember, b: ShareMember): boolean {
  return a.clientId === b.clientId && a.clientHost === b.clientHost && a.rackId === b.rackId;
}

function checkEpoch(group: string, memberId: string, member: ShareMember | undefined, epoch: number): void {
  if (member === undefined) throw unknownMember(group, memberId);
  // A member that did not get the last answer is at the epoch before.
  if (epoch === member.epoch || epoch === member.previousEpoch) return;
  throw new BrokerlessError(
    "fenced_member_epoch",
    `the member of group "${group}" is at epoch ${member.epoch}; the heartbeat is of ${epoch}`,
  );
}

/** The topics that the members read, by name. */
function readBy(members: ShareGroupState["members"], known: ReadonlyMap<string, Topic>): Topic[] {
  const names = new Set(Object.values(members).flatMap(({ topics }) => topics));
  return [...names].sort().flatMap((name) => known.get(name) ?? []);
}

/**
 * Kafka's simple assignor: each topic's partitions go round among its readers; where there are more readers than partitions, the readers
 * go round among the partitions.
 */
export function assign(
  members: ShareGroupState["members"],
  known: ReadonlyMap<string, Topic>,
): Map<string, Record<string, number[]>> {
  const given = new Map(Object.keys(members).map((id) => [id, {} as Record<string, number[]>]));
  const ids = Object.keys(members).sort();
  for (const { name, id: topicId, partitions } of readBy(members, known)) {
    const readers = ids.filter((id) => members[id]?.topics.includes(name));
    const count = Math.max(readers.length, partitions);
    for (let i = 0; i < count; i++) {
      const mine = given.get(readers[i % readers.length] as string) as Record<string, number[]>;
      mine[topicId] = [...(mine[topicId] ?? []), i % partitions];
    }
  }
  return given;
}
