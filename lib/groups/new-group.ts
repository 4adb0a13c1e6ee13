/** The making of a group: its name in the list and its state, in one transaction (G1). */
import { isRefusal } from "../log/storage-errors.ts";
import { StorageError } from "../ports/index.ts";
import { groupPk, putGroup } from "./items/group.ts";
import { blockRange, largestStamp } from "./items/offsets.ts";
import { type ClassicState, type GroupState, newState } from "./items/state.ts";
import type { GroupParts } from "./parts.ts";

/** The counter of a state begins below: random enough to be another each time, and far from what a number cannot hold. */
const COUNTER_FROM = 2 ** 50;

/** A group without members, as an admin tool or a consumer without group management leaves it. */
export function emptyGroup(epoch: number, nowMs: number): ClassicState {
  return {
    type: "classic",
    epoch,
    sinceMs: nowMs,
    phase: "Empty",
    protocolType: "",
    deadlineMs: 0,
    notBeforeMs: 0,
    members: {},
  };
}

/** The epoch that a new group begins above: stamps that a deleted one may have left must not lock its members out (S1). */
export async function firstEpoch({ storage }: Pick<GroupParts, "storage">, group: string): Promise<number> {
  const left = await storage.table.range(groupPk(group), blockRange());
  return Math.max(0, ...left.map(({ item }) => largestStamp(item)));
}

/** Makes a group with this state. False: there is one, or it is not known: look again. Throws `StorageError`. */
export async function makeGroup(
  { storage, ids }: Pick<GroupParts, "storage" | "ids">,
  group: string,
  state: GroupState,
): Promise<boolean> {
  try {
    await storage.table.atomically([putGroup(group), newState(group, state, Math.floor(ids.random() * COUNTER_FROM))]);
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    if (error instanceof StorageError && (error.kind === "contended" || error.kind === "unknown")) return false;
    throw error;
  }
}
