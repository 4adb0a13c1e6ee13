/** The jobs behind the writers, by the clock of the local server. */

import { snakeCase } from "../base/names.ts";
import { expireOffsets } from "../groups/offsets/expire.ts";
import type { OffsetsMirror } from "../groups/offsets-topic/mirror.ts";
import { TEND_EVERY_MS, tendQueues } from "../groups/share/job.ts";
import type { ShareGroupsApi } from "../groups/share/types.ts";
import type { Upkeep } from "../http/surface.ts";
import { type Notifier, reportAndNotify } from "../lag/notify/notify.ts";
import { LOOK_EVERY_MS, lagSettings } from "../lag/settings.ts";
import { JOBS, type Job, type JobsParts } from "../log/jobs/index.ts";
import type { LogApi } from "../log/types.ts";
import type { Metrics } from "../ports/index.ts";
import { settleTransactions } from "../transactions/job.ts";
import type { Transactions } from "../transactions/transactions.ts";

/** A job ends after so long and goes on the next time. */
const JOB_MS = 30_000;

export interface ScheduleParts extends JobsParts {
  readonly metrics: Metrics;
  /** One line on what went wrong. */
  readonly say: (line: string) => void;
}

/** So long a job runs by one request, so that whoever asked hears of it in time. */
const BY_HAND_MS = 20_000;

const EXPIRE_EVERY_MS = 600_000;
/** Kafka's `transaction.abort.timed.out.transaction.cleanup.interval.ms`. */
const SETTLE_EVERY_MS = 10_000;
/** Looks at what is due, which is hardly ever anything. */
const RECONCILE_EVERY_MS = 60_000;

export type Jobs = Readonly<Record<string, Job>>;

/** How often the server looks at the lag of groups: often where a look is free. */
export function lookEveryMs(storage: string): number {
  return storage === "aws" ? LOOK_EVERY_MS : LOOK_EVERY_MS / 6;
}

/** The log's jobs, the groups', and the one that looks at lag. */
export function jobsFor(options: {
  readonly offsetsRetentionMs: number;
  readonly log: LogApi;
  readonly transactions: Transactions;
  readonly lookMs: number;
  readonly mirror: OffsetsMirror | undefined;
  readonly shares: ShareGroupsApi;
  readonly notifiers: readonly Notifier[];
}): Jobs {
  const { offsetsRetentionMs, log, transactions, lookMs, mirror, notifiers, shares } = options;
  const lag: Job = {
    everyMs: lookMs,
    run: (parts, run) => reportAndNotify({ ...parts, log, settings: lagSettings(lookMs) }, notifiers, run),
  };
  const expire: Job = {
    everyMs: EXPIRE_EVERY_MS,
    run: (parts, run) => expireOffsets({ ...parts, retentionMs: offsetsRetentionMs, mirror }, run),
  };
  const settle: Job = {
    everyMs: SETTLE_EVERY_MS,
    run: ({ storage, clock }, run) => settleTransactions({ storage, clock, transactions }, run),
  };
  const queues: Job = { everyMs: TEND_EVERY_MS, run: (parts, run) => tendQueues(parts, shares, run) };
  const jobs = { ...JOBS, expire, lag, transactions: settle, queues };
  if (mirror === undefined) return jobs;
  return { ...jobs, offsets: { everyMs: RECONCILE_EVERY_MS, run: (_parts, run) => mirror.reconcile(run) } };
}

/** The jobs as an operator starts them. */
export function upkeepOf(jobs: Jobs, parts: JobsParts): Upkeep {
  return {
    jobs: Object.keys(jobs),
    run: (job, how) => (jobs[job] as Job).run(parts, { ...how, untilMs: parts.clock.monotonicMs() + BY_HAND_MS }),
  };
}

/** Starts the jobs; the function that it returns stops them and resolves when none is under way. */
export function startJobs(jobs: Jobs, parts: ScheduleParts): () => Promise<void> {
  const stopping = new AbortController();
  const running = Object.entries(jobs).map(([name, job]) => again(name, job, parts, stopping.signal));
  return async () => {
    stopping.abort();
    await Promise.all(running);
  };
}

async function again(name: string, { everyMs, run }: Job, parts: ScheduleParts, signal: AbortSignal): Promise<void> {
  const { clock, metrics, say } = parts;
  for (;;) {
    try {
      await clock.sleep(everyMs, signal);
    } catch {
      return;
    }
    try {
      const { left, ...counts } = await run(parts, { untilMs: clock.monotonicMs() + JOB_MS, signal, warn: say });
      for (const [what, count] of Object.entries(counts))
        metrics.count(`job_${snakeCase(what)}_total`, Number(count), { job: name });
      metrics.count("job_runs_total", 1, { job: name, left: String(left) });
    } catch (error) {
      metrics.count("job_failures_total", 1, { job: name });
      say(
        `job ${name} failed and is tried again in ${everyMs / 1000} s: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
