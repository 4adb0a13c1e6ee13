/** Joining a classic group: Kafka's rules for every phase and kind of member. Pure. */
import { equalBytes } from "../../base/bytes.ts";
import { BrokerlessError } from "../../base/errors.ts";
import type { ClassicMember, ClassicState } from "../items/state.ts";
import { checkInstance, unknownMember } from "../offsets/plan-commit.ts";
import type { JoinAnswer, JoinRequest } from "../types.ts";
import { type ClassicRules, commonProtocols, patienceMs, prepare, tick } from "./machine.ts";

const SESSION_MS = [6_000, 1_800_000] as const;

export type JoinStep =
  /** The state to be stored (undefined: as it is), then wait for the generation. */
  | { readonly kind: "wait"; readonly memberId: string; readonly state: ClassicState | undefined }
  /** The state to be stored, if any, then this. */
  | { readonly kind: "answer"; readonly answer: JoinAnswer; readonly state: ClassicState | undefined };

/** Throws what is wrong with a request by itself. */
export function checkJoin({ group, sessionTimeoutMs, protocolType, protocols }: JoinRequest): void {
  const [least, most] = SESSION_MS;
  if (!(sessionTimeoutMs >= least && sessionTimeoutMs <= most)) {
    throw new BrokerlessError(
      "invalid_session_timeout",
      `session timeout ${sessionTimeoutMs} ms in group "${group}"; ${least} to ${most} are taken`,
    );
  }
  if (protocolType === "" || protocols.length === 0) {
    throw new BrokerlessError("inconsistent_group_protocol", `a member of group "${group}" names no protocol`);
  }
}

/**
 * What a join does to a group (already ticked). `newId`: the id that a new member gets. `isPending`: the member id of the
 * request was given out and has not joined yet.
 */
export function join(
  state: ClassicState,
  request: JoinRequest,
  newId: string,
  isPending: boolean,
  rules: ClassicRules & { readonly maxSize: number },
  nowMs: number,
): JoinStep {
  checkProtocols(state, request);
  const { memberId, instanceId } = request;
  if (memberId === "") {
    const holder = instanceId === undefined ? undefined : holderOf(state, instanceId);
    if (holder !== undefined) return replaceStatic(state, request, holder, newId, nowMs);
    return addMember(state, request, newId, rules, nowMs);
  }
  const member = state.members[memberId];
  if (member === undefined) {
    if (instanceId !== undefined) checkInstance(request.group, state, { memberId, epoch: 0, instanceId });
    if (!isPending) throw unknownMember(request.group, memberId);
    return addMember(state, request, memberId, rules, nowMs);
  }
  checkInstance(request.group, state, { memberId, epoch: 0, instanceId });
  return rejoin(state, request, memberId, member, nowMs);
}

function holderOf(state: ClassicState, instanceId: string): string | undefined {
  return Object.entries(state.members).find(([, one]) => one.instanceId === instanceId)?.[0];
}

function checkProtocols(state: ClassicState, { group, protocolType, protocols, memberId, instanceId }: JoinRequest): void {
  const others = Object.entries(state.members).filter(
    ([id, one]) => id !== memberId && (instanceId === undefined || one.instanceId !== instanceId),
  );
  if (others.length === 0) return;
  if (protocolType !== state.protocolType) {
    throw new BrokerlessError(
      "inconsistent_group_protocol",
      `group "${group}" is of protocol type "${state.protocolType}"; the member is of "${protocolType}"`,
    );
  }
  if (commonProtocols([{ protocols }, ...others.map(([, one]) => one)]).length === 0) {
    const mine = protocols.map(({ name }) => name).join(", ");
    const theirs = commonProtocols(others.map(([, one]) => one)).join(", ");
    throw new BrokerlessError(
      "inconsistent_group_protocol",
      `the members of group "${group}" have ${theirs}; the new one has ${mine}`,
    );
  }
}

function memberOf(request: JoinRequest, nowMs: number): ClassicMember {
  const { instanceId, client, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request;
  return {
    instanceId,
    ...client,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols: protocols.map(({ name, metadata }) => ({ name, metadata })),
    joined: true,
    seenMs: nowMs,
    assignment: new Uint8Array(0),
  };
}

function addMember(
  state: ClassicState,
  request: JoinRequest,
  memberId: string,
  rules: ClassicRules & { readonly maxSize: number },
  nowMs: number,
): JoinStep {
  const count = Object.keys(state.members).length;
  if (count >= rules.maxSize) {
    throw new BrokerlessError(
      "group_max_size_reached",
      `group "${request.group}" has ${count} members; at most ${rules.maxSize} are taken`,
    );
  }
  const typed = { ...state, protocolType: request.protocolType };
  const preparing =
    state.phase === "PreparingRebalance" ? typed : prepare(typed, nowMs, state.phase === "Empty" ? rules.initialDelayMs : 0);
  const members = { ...preparing.members, [memberId]: memberOf(request, nowMs) };
  // Members that start together: each new one gives the next some time to come.
  const gathering = preparing.notBeforeMs > nowMs;
  const deadlineMs = Math.max(preparing.deadlineMs, preparing.sinceMs + patienceMs(members));
  const notBeforeMs = gathering ? Math.min(nowMs + rules.initialDelayMs, deadlineMs) : preparing.notBeforeMs;
  return waiting({ ...preparing, members, deadlineMs, notBeforeMs }, memberId, nowMs);
}

/** A rebalance may be complete with this member. */
function waiting(state: ClassicState, memberId: string, nowMs: number): JoinStep {
  return { kind: "wait", memberId, state: tick(state, new Map(), nowMs) };
}

function rejoin(state: ClassicState, request: JoinRequest, memberId: string, member: ClassicMember, nowMs: number): JoinStep {
  const same = sameProtocols(member, request);
  switch (state.phase) {
    case "PreparingRebalance": {
      if (member.joined && same) return { kind: "wait", memberId, state: undefined };
      const members = { ...state.members, [memberId]: memberOf(request, nowMs) };
      const deadlineMs = Math.max(state.deadlineMs, state.sinceMs + patienceMs(members));
      return waiting({ ...state, members, deadlineMs }, memberId, nowMs);
    }
    case "CompletingRebalance":
      // It did not get the answer to its first join.
      if (same) return { kind: "answer", answer: answerFor(state, memberId), state: undefined };
      break;
    case "Stable":
      // A leader that joins again wants to assign anew: topics or partitions have changed.
      if (same && state.leader !== memberId) return { kind: "answer", answer: answerFor(state, memberId), state: undefined };
      break;
    case "Empty":
      break;
  }
  const preparing = prepare(state, nowMs, 0);
  return waiting({ ...preparing, members: { ...preparing.members, [memberId]: memberOf(request, nowMs) } }, memberId, nowMs);
}

/** A static member came back under a new id: its place and assignment are the new id's, and the old id is fenced. */
function replaceStatic(state: ClassicState, request: JoinRequest, oldId: string, newId: string, nowMs: number): JoinStep {
  const old = state.members[oldId] as ClassicMember;
  const fresh = { ...memberOf(request, nowMs), assignment: old.assignment };
  const renamed = {
    ...state,
    leader: state.leader === oldId ? newId : state.leader,
    // In its old place: order decides who leads next.
    members: Object.fromEntries(Object.entries(state.members).map(([id, one]) => (id === oldId ? [newId, fresh] : [id, one]))),
  };
  if (state.phase === "PreparingRebalance") return waiting(renamed, newId, nowMs);
  const chosen = state.protocol ?? "";
  if (state.phase === "Stable" && equalBytes(metadataOf(old, chosen), metadataOf(fresh, chosen)) && knows(fresh, chosen)) {
    // The assignment stands; a leader is told not to make another (KIP-814).
    return { kind: "answer", answer: { ...answerFor(renamed, newId), skipAssignment: renamed.leader === newId }, state: renamed };
  }
  const preparing = prepare(renamed, nowMs, 0);
  return waiting({ ...preparing, members: { ...preparing.members, [newId]: fresh } }, newId, nowMs);
}

function knows({ protocols }: ClassicMember, protocol: string): boolean {
  return protocols.some(({ name }) => name === protocol);
}

export function metadataOf({ protocols }: ClassicMember, protocol: string): Uint8Array {
  return protocols.find(({ name }) => name === protocol)?.metadata ?? new Uint8Array(0);
}

function sameProtocols(member: ClassicMember, { protocols }: JoinRequest): boolean {
  return (
    member.protocols.length === protocols.length &&
    member.protocols.every(({ name, metadata }, i) => {
      const other = protocols[i];
      return other !== undefined && other.name === name && equalBytes(metadata, other.metadata);
    })
  );
}

/** The generation that is there, as a member is told of it. */
export function answerFor(state: ClassicState, memberId: string): JoinAnswer {
  const { epoch, protocolType, protocol = "", leader = "" } = state;
  return {
    memberId,
    generation: epoch,
    protocolType,
    protocol,
    leader,
    skipAssignment: false,
    members:
      leader !== memberId
        ? []
        : Object.entries(state.members).map(([id, member]) => ({
            memberId: id,
            instanceId: member.instanceId,
            metadata: metadataOf(member, protocol),
          })),
  };
}
