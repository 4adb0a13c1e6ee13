/** A job that a schedule starts: it ends in time, goes on the next time, and writes one line. */
import { JOBS, type JobName, type JobReport, type JobRun } from "../lib/log/jobs/index.ts";
import { systemDigest } from "../lib/storage/system/digest.ts";
import { line } from "./environment.ts";
import { type Ground, openGround } from "./storage.ts";

interface JobContext {
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

/** So long before Lambda would stop the process nothing new is begun. */
const LEAVE_MS = 15_000;

/** What it throws fails the call, which the alarm counts. */
export function scheduledJob(job: JobName): (event: unknown, context: JobContext) => Promise<void> {
  const ground = openGround();
  return scheduled(ground, job, async (run) => {
    // Compaction alone looks into batches.
    const codecs = job === "compact" ? (await import("../lib/kafka/codecs/node.ts")).nodeCodecs : {};
    return JOBS[job].run({ ...ground, codecs, digest: systemDigest }, run);
  });
}

/** A function that does this when it is started, within the time that it has. */
export function scheduled(
  { clock, usage }: Ground,
  job: string,
  work: (run: JobRun) => Promise<JobReport>,
): (event: unknown, context: JobContext) => Promise<void> {
  return async (_event, context) => {
    const write = (level: "INFO" | "WARN", facts: object): void => {
      const timestamp = new Date(clock.nowMs()).toISOString();
      line(JSON.stringify({ timestamp, level, requestId: context.awsRequestId, job, ...facts }));
    };
    const startedMs = clock.monotonicMs();
    const untilMs = startedMs + Math.max(0, context.getRemainingTimeInMillis() - LEAVE_MS);
    const report = await work({ untilMs, warn: (message) => write("WARN", { message }) });
    write("INFO", { ms: Math.round(clock.monotonicMs() - startedMs), ...report, ...usage.take() });
  };
}
