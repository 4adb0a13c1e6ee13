/**
 * The classic group as a pure state machine: what time alone does to it, and how its phases follow each other.
 *
 *   Empty -> PreparingRebalance -> CompletingRebalance -> Stable -> PreparingRebalance ...
 *
 * K1  A generation begins when everybody has joined, or at the deadline without those who have not; its number is one above
 *     any before it, also of a group that was empty in between.
 * K2  Nobody is told of an assignment before the state that holds it is stored, and that is done after the stamps (O1).
 * K3  Time is judged by whoever looks, so every process comes to the same state from the same items.
 *
 * (Kafka: GroupMetadataManager and ClassicGroup; KIP-62, 134, 345.)
 */

import type { Heard } from "../items/member.ts";
import type { ClassicMember, ClassicState } from "../items/state.ts";

export interface ClassicRules {
  /** `group.initial.rebalance.delay.ms` */
  readonly initialDelayMs: number;
}

const NO_ASSIGNMENT = new Uint8Array(0);

/** The state as it is by now; the same object where nothing has changed. */
export function tick(state: ClassicState, heard: Heard, nowMs: number): ClassicState {
  const gone = Object.entries(state.members).filter(([id, member]) => timedOut(state, id, member, heard, nowMs));
  let now =
    gone.length === 0
      ? state
      : without(
          state,
          gone.map(([id]) => id),
          nowMs,
        );
  if (now.phase === "CompletingRebalance" && nowMs >= now.deadlineMs && now.leader !== undefined) {
    now = without(now, [now.leader], nowMs);
  }
  return now.phase === "PreparingRebalance" ? complete(now, nowMs) : now;
}

function timedOut(state: ClassicState, id: string, member: ClassicMember, heard: Heard, nowMs: number): boolean {
  // It waits for the rebalance, and is not expected to say anything.
  if (state.phase === "PreparingRebalance" && member.joined) return false;
  const fromMs = state.phase === "PreparingRebalance" ? 0 : state.sinceMs;
  return nowMs >= Math.max(fromMs, member.seenMs, heard.get(id) ?? 0) + member.sessionTimeoutMs;
}

/** The state without these members: a rebalance begins, where none is under way. */
export function without(state: ClassicState, memberIds: readonly string[], nowMs: number): ClassicState {
  const members = Object.fromEntries(Object.entries(state.members).filter(([id]) => !memberIds.includes(id)));
  const left = { ...state, members };
  if (Object.keys(members).length === 0) return emptied(left, nowMs);
  return state.phase === "Stable" || state.phase === "CompletingRebalance" ? prepare(left, nowMs, 0) : left;
}

function emptied(state: ClassicState, nowMs: number): ClassicState {
  return {
    ...state,
    phase: "Empty",
    epoch: state.epoch + 1,
    sinceMs: nowMs,
    protocol: undefined,
    leader: undefined,
    members: {},
  };
}

/** Begins a rebalance: everybody is to join again. */
export function prepare(state: ClassicState, nowMs: number, initialDelayMs: number): ClassicState {
  const members = Object.fromEntries(
    Object.entries(state.members).map(([id, member]) => [
      id,
      { ...member, joined: false, seenMs: Math.max(member.seenMs, state.sinceMs) },
    ]),
  );
  const deadlineMs = nowMs + patienceMs(members);
  return { ...state, phase: "PreparingRebalance", sinceMs: nowMs, deadlineMs, notBeforeMs: nowMs + initialDelayMs, members };
}

/** A rebalance waits as long as its most patient member wants. */
export function patienceMs(members: ClassicState["members"]): number {
  return Math.max(0, ...Object.values(members).map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs));
}

/** Begins the generation, where it is time. */
function complete(state: ClassicState, nowMs: number): ClassicState {
  const members = Object.entries(state.members);
  const late = nowMs >= state.deadlineMs;
  if (!late && (nowMs < state.notBeforeMs || members.some(([, { joined }]) => !joined))) return state;
  // Static members that have not joined stay until their session ends: they are expected back.
  const staying = members.filter(([, { joined, instanceId }]) => joined || instanceId !== undefined);
  if (staying.length === 0) return emptied(state, nowMs);
  const joined = staying.filter(([, member]) => member.joined).map(([id]) => id);
  if (joined.length === 0)
    return { ...state, members: Object.fromEntries(staying), deadlineMs: nowMs + patienceMs(state.members) };
  const protocol = chosenProtocol(staying.map(([, member]) => member));
  return {
    ...state,
    phase: "CompletingRebalance",
    epoch: state.epoch + 1,
    sinceMs: nowMs,
    deadlineMs: nowMs + patienceMs(state.members),
    protocol,
    leader: state.leader !== undefined && joined.includes(state.leader) ? state.leader : joined[0],
    members: Object.fromEntries(staying.map(([id, member]) => [id, { ...member, assignment: NO_ASSIGNMENT }])),
  };
}

/** The names that all these members know, in the order of the first. */
export function commonProtocols(members: readonly Pick<ClassicMember, "protocols">[]): string[] {
  const [first, ...others] = members;
  return (first?.protocols ?? [])
    .map(({ name }) => name)
    .filter((name) => others.every(({ protocols }) => protocols.some((one) => one.name === name)));
}

/** Each member votes for the one that it likes best of those that all know; the most votes win. */
function chosenProtocol(members: readonly ClassicMember[]): string {
  const common = commonProtocols(members);
  const votes = new Map(common.map((name) => [name, 0]));
  for (const { protocols } of members) {
    const vote = protocols.find(({ name }) => votes.has(name))?.name;
    if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1);
  }
  return [...votes].reduce((best, one) => (one[1] > best[1] ? one : best), ["", -1] as [string, number])[0];
}
