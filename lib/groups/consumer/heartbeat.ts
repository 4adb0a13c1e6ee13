/** One heartbeat of the server-driven protocol: joins, says what it reads and has, leaves. Pure. */
import { BrokerlessError } from "../../base/errors.ts";
import type { ConsumerMember, ConsumerState, Target } from "../items/state.ts";
import { checkInstance, unknownMember } from "../offsets/plan-commit.ts";
import type { Stamp } from "../offsets/stamp.ts";
import type { ConsumerHeartbeatRequest } from "../types.ts";
import { ASSIGNORS } from "./assignors.ts";
import { LEFT_EPOCH, reconcile, retarget, type TopicView, without } from "./machine.ts";
import { compileRegex } from "./regex.ts";

export interface Beat {
  readonly state: ConsumerState;
  readonly stamps: readonly Stamp[];
  readonly memberId: string;
  /** The member's epoch; -1 and -2 where it has left. */
  readonly epoch: number;
  /** What the member may have, where it has to be told. */
  readonly assignment: ConsumerMember["assigned"] | undefined;
}

/** Throws what is wrong with a request by itself (Kafka: throwIfConsumerGroupHeartbeatRequestIsInvalid). */
export function checkHeartbeat(request: ConsumerHeartbeatRequest): void {
  const { memberId, epoch, instanceId, rebalanceTimeoutMs, topics, regex, assignor, owned } = request;
  const wrong = (what: string): BrokerlessError =>
    new BrokerlessError("invalid_request", `a heartbeat in group "${request.group}" ${what}`);
  if (!Number.isInteger(epoch) || epoch < LEFT_EPOCH)
    throw wrong(`has the epoch ${epoch}; it takes -2, -1 or a whole number from 0`);
  if (memberId === "" && epoch !== 0) throw wrong("has no member id");
  if (instanceId === "") throw wrong("has an empty instance id");
  if (epoch === LEFT_EPOCH && instanceId === undefined) throw wrong("leaves for a while (-2) without an instance id");
  if (epoch === 0) {
    if (rebalanceTimeoutMs === undefined || rebalanceTimeoutMs < 0) throw wrong("joins without a rebalance timeout");
    if (topics === undefined && (regex === undefined || regex === ""))
      throw wrong("joins without topics or a regular expression");
    if (owned === undefined || owned.some(({ partitions }) => partitions.length > 0))
      throw wrong("joins and must say that it has no partitions");
  }
  if (assignor !== undefined && ASSIGNORS[assignor] === undefined) {
    throw new BrokerlessError(
      "unsupported_assignor",
      `assignor "${assignor}" is not known; ${Object.keys(ASSIGNORS).join(" and ")} are`,
    );
  }
  if (regex !== undefined && regex !== "") compileRegex(regex);
}

/** What a heartbeat does to a group (already ticked). `viewOf` says what there is to be read for the members of a state. */
export function beat(
  state: ConsumerState,
  request: ConsumerHeartbeatRequest,
  newId: string,
  viewOf: (state: ConsumerState) => TopicView,
  maxSize: number,
  nowMs: number,
): Beat {
  if (request.epoch < 0) return leaving(state, request, nowMs);
  const {
    state: joined,
    memberId,
    fresh,
  } = request.epoch === 0 ? joining(state, request, newId, maxSize, nowMs) : present(state, request);
  const before = joined.members[memberId] as ConsumerMember;
  const spoken = speak(before, request);
  const said = spoken === before ? joined : { ...joined, members: { ...joined.members, [memberId]: spoken } };
  const reads = !fresh && spoken.topics === before.topics && spoken.regex === before.regex && spoken.assignor === before.assignor;
  const bumped = reads ? said : { ...said, epoch: said.epoch === said.targetEpoch ? said.epoch + 1 : said.epoch };
  const { state: after, stamps } = reconcile(retarget(bumped, viewOf(bumped)), memberId, ownedOf(request), nowMs);
  const member = after.members[memberId] as ConsumerMember;
  const full =
    request.rebalanceTimeoutMs !== undefined && request.owned !== undefined && (request.topics ?? request.regex) !== undefined;
  const tell = request.epoch === 0 || full || member.epoch !== request.epoch || member.assigned !== before.assigned;
  return { state: after, stamps, memberId, epoch: member.epoch, assignment: tell ? member.assigned : undefined };
}

function ownedOf({ owned }: ConsumerHeartbeatRequest): Target | undefined {
  return owned && Object.fromEntries(owned.map(({ topicId, partitions }) => [topicId, partitions]));
}

/** A member as it describes itself; the same object where it says nothing new. */
function speak(member: ConsumerMember, request: ConsumerHeartbeatRequest): ConsumerMember {
  const { client, rackId, rebalanceTimeoutMs, assignor } = request;
  const topics =
    request.topics === undefined || equal(member.topics, request.topics) ? member.topics : [...new Set(request.topics)].sort();
  const regex = request.regex === undefined ? member.regex : request.regex === "" ? undefined : request.regex;
  const next: ConsumerMember = {
    ...member,
    clientId: client.clientId,
    clientHost: client.clientHost,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs ?? member.rebalanceTimeoutMs,
    assignor: assignor ?? member.assignor,
    topics,
    regex,
  };
  const same = (Object.keys(next) as (keyof ConsumerMember)[]).every((name) => next[name] === member[name]);
  return same ? member : next;
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a.length === new Set(b).size && b.every((one) => a.includes(one));
}

function present(state: ConsumerState, { group, memberId, epoch, instanceId, owned }: ConsumerHeartbeatRequest) {
  checkInstance(group, state, { memberId, epoch, instanceId });
  const member = state.members[memberId];
  if (member === undefined) throw unknownMember(group, memberId);
  // A member that did not get the last answer may still be at the epoch before.
  const behind =
    epoch === member.previousEpoch &&
    (owned ?? []).every(({ topicId, partitions }) => partitions.every((p) => member.assigned[topicId]?.[p] !== undefined));
  if (epoch > member.epoch || (epoch < member.epoch && !behind)) {
    throw new BrokerlessError(
      "fenced_member_epoch",
      `the member of group "${group}" is at epoch ${member.epoch}; the heartbeat is of ${epoch}`,
    );
  }
  return { state, memberId, fresh: false };
}

function joining(state: ConsumerState, request: ConsumerHeartbeatRequest, newId: string, maxSize: number, nowMs: number) {
  const { group, instanceId, client } = request;
  const memberId = request.memberId === "" ? newId : request.memberId;
  const holder =
    instanceId === undefined ? undefined : Object.entries(state.members).find(([, one]) => one.instanceId === instanceId);
  if (holder !== undefined && holder[0] !== memberId) {
    const [oldId, old] = holder;
    if (old.epoch !== LEFT_EPOCH) {
      throw new BrokerlessError(
        "unreleased_instance_id",
        `instance id "${instanceId}" of group "${group}" is in use by a member that lives`,
      );
    }
    // It takes the old one's target over; its partitions are free, and given to it anew.
    const back: ConsumerMember = {
      ...old,
      epoch: 0,
      previousEpoch: 0,
      state: "unreleased",
      assigned: {},
      revoking: {},
      revokeByMs: 0,
      seenMs: nowMs,
    };
    const { [oldId]: _, ...others } = state.members;
    return { state: { ...state, members: { ...others, [memberId]: back } }, memberId, fresh: false };
  }
  const known = state.members[memberId];
  if (known !== undefined) {
    if (known.epoch !== LEFT_EPOCH) return { state, memberId, fresh: false };
    const back: ConsumerMember = { ...known, epoch: 0, previousEpoch: 0, state: "unreleased", assigned: {}, seenMs: nowMs };
    return { state: { ...state, members: { ...state.members, [memberId]: back } }, memberId, fresh: false };
  }
  const size = Object.keys(state.members).length;
  if (size >= maxSize)
    throw new BrokerlessError("group_max_size_reached", `group "${group}" has ${size} members; at most ${maxSize} are taken`);
  const member: ConsumerMember = {
    instanceId,
    rackId: request.rackId,
    ...client,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs as number,
    topics: [],
    epoch: 0,
    previousEpoch: 0,
    state: "unreleased",
    assigned: {},
    revoking: {},
    revokeByMs: 0,
    target: {},
    seenMs: nowMs,
  };
  return { state: { ...state, members: { ...state.members, [memberId]: member } }, memberId, fresh: true };
}

function leaving(state: ConsumerState, { group, memberId, epoch, instanceId }: ConsumerHeartbeatRequest, nowMs: number): Beat {
  checkInstance(group, state, { memberId, epoch, instanceId });
  const member = state.members[memberId];
  if (member === undefined) throw unknownMember(group, memberId);
  const left =
    epoch === LEFT_EPOCH
      ? { ...state, members: { ...state.members, [memberId]: { ...member, epoch: LEFT_EPOCH, seenMs: nowMs } } }
      : without(state, [memberId], nowMs);
  return { state: left, stamps: [], memberId, epoch, assignment: undefined };
}
