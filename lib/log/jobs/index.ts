/** The jobs by name, with how often each is due. */
import type { Storage } from "../../ports/index.ts";
import { partitionName } from "../items/head.ts";
import type { CompactParts } from "./compact/index.ts";
import { type JobParts, type JobReport, type JobRun, mayGoOn, unlessDamaged } from "./job.ts";
import { merge } from "./merge-topics.ts";
import type { JobName } from "./names.ts";
import { ROLL_POLICY } from "./plan-roll.ts";
import { retain } from "./retain-topics.ts";
import { type RollReport, rollPartition } from "./roll.ts";
import { sealTails } from "./seal-tails.ts";
import { sweep } from "./sweep/index.ts";
import { markedPartitions } from "./work.ts";

export { JOB_NAMES, type JobName } from "./names.ts";
export type { JobParts, JobReport, JobRun };
export { merge, retain, sweep };

/** Ten times as long as a write can be under way: what is older and has no ref is left over. */
const SWEEP_GRACE_MS = 600_000;

/** What all of them need. */
export type JobsParts = JobParts & Pick<CompactParts, "codecs" | "digest">;

/**
 * How old a run must look before its refs may go, so that a writer whose answer was lost still finds them: longer than a write
 * and the search for what became of it, though the writer's clock is behind and the job's is ahead, each as far as it may be.
 */
function graceMs({ clockSkewMs }: Storage): number {
  return ROLL_POLICY.graceMs + 2 * clockSkewMs;
}

export interface Job {
  readonly everyMs: number;
  /** Throws `StorageError` and `BrokerlessError`; whatever it did by then is done, and the next run goes on. */
  readonly run: (parts: JobsParts, run: JobRun) => Promise<JobReport>;
}

export const JOBS = {
  roll: {
    everyMs: 60_000,
    run: (parts: JobParts, run: JobRun) =>
      rollNow({ ...parts, policy: { ...ROLL_POLICY, graceMs: graceMs(parts.storage) } }, run),
  },
  merge: { everyMs: 300_000, run: merge },
  compact: { everyMs: 300_000, run: compactNow },
  retain: { everyMs: 300_000, run: (parts: JobParts, run: JobRun) => retain({ ...parts, graceMs: graceMs(parts.storage) }, run) },
  sweep: { everyMs: 900_000, run: (parts: JobParts, run: JobRun) => sweep({ ...parts, graceMs: SWEEP_GRACE_MS }, run) },
} as const satisfies Readonly<Record<JobName, Job>>;

/** Read only where it is asked for: it is the one job that looks into batches. */
async function compactNow(parts: JobsParts, run: JobRun): Promise<JobReport> {
  const { COMPACT_LIMITS, compact } = await import("./compact/index.ts");
  return compact({ ...parts, ...COMPACT_LIMITS }, run);
}

/** Rolls; by hand what is in the tails too. */
async function rollNow(parts: Parameters<typeof rollPartition>[0], run: JobRun): Promise<JobReport> {
  if (run.byHand !== true) return roll(parts, run);
  const sealed = await sealTails(parts, run);
  const rolled = await roll(parts, run);
  return { ...rolled, refsSealed: sealed.refs, left: rolled.left || sealed.left };
}

/** Rolls every partition that is marked. */
export async function roll(parts: Parameters<typeof rollPartition>[0], run: JobRun): Promise<RollReport> {
  const total = { segments: 0, records: 0, sizeBytes: 0, left: false };
  for (const { topicId, partition } of await markedPartitions(parts.storage.table)) {
    if (!mayGoOn(run, parts.clock)) return { ...total, left: true };
    const one = await unlessDamaged(run, partitionName(topicId, partition), () => rollPartition(parts, topicId, partition, run));
    total.segments += one?.segments ?? 0;
    total.records += one?.records ?? 0;
    total.sizeBytes += one?.sizeBytes ?? 0;
    total.left ||= one?.left ?? true;
  }
  return total;
}
