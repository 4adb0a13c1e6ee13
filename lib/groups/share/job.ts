/**
 * The job `queues`: takes up what nobody has asked for in share groups, so that dead letters and records of deleted topics do not
 * wait for a visitor. It can die at any point and be run again, or twice at once.
 */
import { type JobReport, type JobRun, mayGoOn, unlessDamaged } from "../../log/jobs/job.ts";
import { storageStep } from "../../log/storage-errors.ts";
import type { Clock, Storage } from "../../ports/index.ts";
import { GROUPS } from "../items/group.ts";
import { decodeState, stateKey } from "../items/state.ts";
import type { ShareGroupsApi } from "./types.ts";

export const TEND_EVERY_MS = 60_000;

export async function tendQueues(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  shares: ShareGroupsApi,
  run: JobRun,
): Promise<JobReport> {
  const { table } = storage;
  const names = (await storageStep("list groups", () => table.range(GROUPS))).map(({ key }) => key.sk);
  const items = await storageStep("list groups", () => table.getMany(names.map(stateKey)));
  const queues = names.filter((_, i) => decodeState(items[i])?.state.type === "share");
  let partitions = 0;
  for (const group of run.dryRun === true ? [] : queues) {
    if (!mayGoOn(run, clock)) return { groups: queues.length, partitions, left: true };
    const done = await unlessDamaged(run, `share group "${group}"`, () => shares.tend(group, run));
    partitions += done?.partitions ?? 0;
    if (done?.left === true) return { groups: queues.length, partitions, left: true };
  }
  return { groups: queues.length, partitions, left: false };
}
