/** The jobs that `maintain` runs in its own process, over the data of a server that is stopped or a table and a bucket. */
import { expireOffsets, OFFSETS_RETENTION_MS } from "../groups/offsets/expire.ts";
import { OffsetsMirror } from "../groups/offsets-topic/mirror.ts";
import { nodeCodecs as codecs } from "../kafka/codecs/node.ts";
import { reportLag } from "../lag/reporter.ts";
import { LAG_SETTINGS } from "../lag/settings.ts";
import { JOBS, type JobReport, type JobRun } from "../log/jobs/index.ts";
import { systemDigest } from "../storage/system/digest.ts";
import type { MaintainJob } from "./commands/maintain.ts";
import type { OpenedStorage } from "./storage-options.ts";

export function runJob(job: MaintainJob, parts: OpenedStorage, run: JobRun): Promise<JobReport> {
  if (job === "expire") return expireOffsets({ ...parts, retentionMs: OFFSETS_RETENTION_MS }, run);
  if (job === "lag") return reportLag({ ...parts, codecs, settings: LAG_SETTINGS }, run);
  if (job === "offsets") return new OffsetsMirror(parts).reconcile(run);
  return JOBS[job].run({ ...parts, codecs, digest: systemDigest }, run);
}
