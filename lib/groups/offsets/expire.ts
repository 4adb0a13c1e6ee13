/**
 * Offsets go `offsets.retention.minutes` after the group has no members any more, or after their commit where that was
 * later; those that were committed with a time of their own go by it (Kafka: KIP-211). A group of which nothing is left
 * goes whole. A job: it can die at any point and be run again, or twice at once.
 */
import type { JobParts, JobReport, JobRun } from "../../log/jobs/index.ts";
import { mayGoOn } from "../../log/jobs/job.ts";
import { isRefusal } from "../../log/storage-errors.ts";
import type { Doorbell, Item } from "../../ports/index.ts";
import { GROUPS, groupPk } from "../items/group.ts";
import { blockRange, entryOf, parseBlockKey, partitionsIn, removeEntries } from "../items/offsets.ts";
import { decodeState, type GroupState, hasMembers, stateKey } from "../items/state.ts";
import type { GroupParts } from "../parts.ts";
import { GroupStore } from "../store.ts";
import { clearGroup, deleteWholeGroup } from "./delete.ts";

/** Kafka's default of `offsets.retention.minutes`, in milliseconds: seven days. */
export const OFFSETS_RETENTION_MS = 7 * 24 * 3_600_000;

/** The partitions of a block whose offsets have expired. Pure. */
export function expiredIn(item: Item, block: number, state: GroupState, retentionMs: number, nowMs: number): number[] {
  return partitionsIn(item, block, "offset").filter((partition) => {
    const entry = entryOf(item, partition);
    if (entry === undefined) return false;
    if (entry.expiresAtMs >= 0) return nowMs >= entry.expiresAtMs;
    if (hasMembers(state)) return false;
    const emptySinceMs = state.type === "classic" && state.protocolType === "" ? 0 : state.sinceMs;
    return nowMs >= Math.max(entry.committedAtMs, emptySinceMs) + retentionMs;
  });
}

/** Nobody waits for an expiry. */
const UNHEARD: Doorbell = { ring() {}, async wait() {} };

export interface ExpireParts extends JobParts {
  readonly retentionMs: number;
  readonly mirror?: GroupParts["mirror"];
}

export async function expireOffsets(parts: ExpireParts, run: JobRun): Promise<JobReport> {
  const { table } = parts.storage;
  const total = { offsets: 0, groups: 0, left: false };
  for (const { key } of await table.range(GROUPS)) {
    if (!mayGoOn(run, parts.clock)) return { ...total, left: true };
    const one = await expireGroup(parts, run, key.sk);
    total.offsets += one.offsets;
    total.groups += one.gone ? 1 : 0;
  }
  return total;
}

async function expireGroup(parts: ExpireParts, run: JobRun, group: string): Promise<{ offsets: number; gone: boolean }> {
  const { table } = parts.storage;
  const dry = run.dryRun === true;
  const item = await table.get(stateKey(group));
  // Members that are silent are out, whoever looks.
  const state =
    item === undefined || dry ? decodeState(item)?.state : await new GroupStore({ ...parts, doorbell: UNHEARD }).settle(group);
  if (state === undefined) {
    if (!dry) await clearGroup(parts, group);
    return { offsets: 0, gone: true };
  }
  let offsets = 0;
  let kept = 0;
  for (const { key, item } of await table.range(groupPk(group), blockRange())) {
    const { block } = parseBlockKey(key.sk);
    const expired = expiredIn(item, block, state, parts.retentionMs, parts.clock.nowMs());
    kept += partitionsIn(item, block, "offset").length - expired.length;
    if (expired.length === 0) continue;
    offsets += expired.length;
    if (dry) continue;
    try {
      await table.write(removeEntries(key, expired, item));
      parts.mirror?.stale(group);
    } catch (error) {
      // Committed again meanwhile: looked at again the next time.
      if (!isRefusal(error)) throw error;
      kept++;
    }
  }
  if (offsets > 0) run.say?.(`group "${group}": ${offsets} offsets ${dry ? "would expire" : "have expired"}`);
  const gone = offsets > 0 && kept === 0 && !hasMembers(state);
  if (gone && !dry) await deleteWholeGroup(parts, group).catch(onlyRefused);
  return { offsets, gone };
}

/** The group came to life meanwhile, or somebody else has deleted it. */
function onlyRefused(error: unknown): void {
  const code = (error as { code?: string }).code;
  if (code !== "unknown_group" && code !== "non_empty_group") throw error;
}
