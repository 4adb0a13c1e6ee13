/** The jobs that `maintain` runs in its own process, over the data of a server that is stopped or a table and a bucket. */
import { createGroups } from "../groups/groups.ts";
import { expireOffsets, OFFSETS_RETENTION_MS } from "../groups/offsets/expire.ts";
import { OffsetsMirror } from "../groups/offsets-topic/mirror.ts";
import { tendQueues } from "../groups/share/job.ts";
import { createShareGroups } from "../groups/share/share.ts";
import { nodeCodecs as codecs } from "../kafka/codecs/node.ts";
import { reportLag } from "../lag/reporter.ts";
import { LAG_SETTINGS } from "../lag/settings.ts";
import { JOBS, type JobReport, type JobRun } from "../log/jobs/index.ts";
import { pollingDoorbell } from "../storage/polling/doorbell.ts";
import { systemDigest } from "../storage/system/digest.ts";
import { settleTransactions } from "../transactions/job.ts";
import { createTransactions } from "../transactions/transactions.ts";
import type { MaintainJob } from "./commands/maintain.ts";
import type { OpenedStorage } from "./storage-options.ts";

export function runJob(job: MaintainJob, parts: OpenedStorage, run: JobRun): Promise<JobReport> {
  if (job === "expire") return expireOffsets({ ...parts, retentionMs: OFFSETS_RETENTION_MS }, run);
  if (job === "lag") return reportLag({ ...parts, codecs, settings: LAG_SETTINGS }, run);
  if (job === "offsets") return new OffsetsMirror(parts).reconcile(run);
  const more = { ...parts, codecs, doorbell: pollingDoorbell(parts.clock) };
  if (job === "queues") return tendQueues(parts, createShareGroups(more), run);
  if (job === "transactions") {
    const transactions = createTransactions({ ...more, groups: createGroups(more) });
    return settleTransactions({ ...parts, transactions }, run);
  }
  return JOBS[job].run({ ...parts, codecs, digest: systemDigest }, run);
}
