/**
 * The job `queues`: takes up what nobody has asked for in share groups, so that dead letters and records of deleted topics do not
 * wait for a visitor. It can die at any point and be run again, or twice at once.
 */
import { type JobReport, type JobRun, mayGoOn, unlessDamaged } from "../../log/jobs/job.ts";
import type { Clock } from "../../ports/index.ts";
import type { ShareGroupsApi } from "./types.ts";

export const TEND_EVERY_MS = 60_000;

export async function tendQueues({ clock }: { readonly clock: Clock }, shares: ShareGroupsApi, run: JobRun): Promise<JobReport> {
  const queues = await shares.names();
  let partitions = 0;
  for (const group of run.dryRun === true ? [] : queues) {
    if (!mayGoOn(run, clock)) return { groups: queues.length, partitions, left: true };
    const done = await unlessDamaged(run, `share group "${group}"`, () => shares.tend(group, run));
    partitions += done?.partitions ?? 0;
    if (done?.left === true) return { groups: queues.length, partitions, left: true };
  }
  return { groups: queues.length, partitions, left: false };
}
