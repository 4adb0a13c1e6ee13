/** The leader's assignment becomes everybody's; members leave. Pure. */
import { BrokerlessError } from "../../base/errors.ts";
import type { ClassicState } from "../items/state.ts";
import { checkClassicMember, checkInstance, unknownMember } from "../offsets/plan-commit.ts";
import type { Leaving, SyncAnswer, SyncRequest } from "../types.ts";
import { without } from "./machine.ts";

export type SyncStep =
  | { readonly kind: "wait" }
  /** The state to be stored, after its stamps, then the member's assignment. */
  | { readonly kind: "store"; readonly state: ClassicState }
  | { readonly kind: "answer"; readonly answer: SyncAnswer };

/** What a sync does to a group (already ticked). */
export function sync(state: ClassicState, request: SyncRequest, nowMs: number): SyncStep {
  const { group, member, assignments, protocolType, protocol } = request;
  checkClassicMember(group, state, member);
  if ((protocolType ?? state.protocolType) !== state.protocolType || (protocol ?? state.protocol) !== state.protocol) {
    throw new BrokerlessError(
      "inconsistent_group_protocol",
      `group "${group}" is of protocol ${state.protocolType}/${state.protocol}; the request is of ${protocolType}/${protocol}`,
    );
  }
  switch (state.phase) {
    case "Empty":
      throw unknownMember(group, member.memberId);
    case "PreparingRebalance":
      throw rebalancing(group);
    case "CompletingRebalance": {
      if (state.leader !== member.memberId) return { kind: "wait" };
      const given = new Map(assignments.map((one) => [one.memberId, one.assignment]));
      const members = Object.fromEntries(
        Object.entries(state.members).map(([id, one]) => [id, { ...one, assignment: given.get(id) ?? new Uint8Array(0) }]),
      );
      return { kind: "store", state: { ...state, phase: "Stable", sinceMs: nowMs, members } };
    }
    case "Stable":
      return { kind: "answer", answer: assignmentFor(state, member.memberId) };
  }
}

export function assignmentFor(state: ClassicState, memberId: string): SyncAnswer {
  return {
    protocolType: state.protocolType,
    protocol: state.protocol ?? "",
    assignment: state.members[memberId]?.assignment ?? new Uint8Array(0),
  };
}

export function rebalancing(group: string): BrokerlessError {
  return new BrokerlessError("rebalance_in_progress", `group "${group}" is rebalancing`);
}

/** Throws what a heartbeat is answered with. */
export function heartbeat(state: ClassicState, group: string, member: SyncRequest["member"]): void {
  checkClassicMember(group, state, member);
  if (state.phase === "PreparingRebalance") throw rebalancing(group);
}

/** The state without those who leave, and who of them was not in it. */
export function leave(state: ClassicState, group: string, leaving: readonly Leaving[], nowMs: number) {
  const ids: string[] = [];
  const errors = leaving.map(({ memberId, instanceId }) => {
    try {
      if (instanceId !== undefined && memberId !== "") checkInstance(group, state, { memberId, epoch: 0, instanceId });
      const id =
        memberId === ""
          ? Object.entries(state.members).find(([, one]) => instanceId !== undefined && one.instanceId === instanceId)?.[0]
          : memberId;
      if (id === undefined || state.members[id] === undefined) throw unknownMember(group, memberId);
      ids.push(id);
      return undefined;
    } catch (error) {
      if (error instanceof BrokerlessError) return error;
      throw error;
    }
  });
  return { ids, errors, state: ids.length === 0 ? state : without(state, ids, nowMs) };
}
