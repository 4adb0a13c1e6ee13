/** The jobs behind the writers, by the clock of the local server. */
import { ROLL_POLICY, retain, roll } from "../log/jobs/index.ts";
import type { Clock, Ids, Metrics, Storage } from "../ports/index.ts";

/** A job ends after so long and goes on the next time. */
const JOB_MS = 30_000;

export interface JobParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  /** One line on what went wrong. */
  readonly say: (line: string) => void;
}

interface Job {
  readonly name: string;
  readonly everyMs: number;
  readonly run: (parts: JobParts, untilMs: number, signal: AbortSignal) => Promise<void>;
}

const JOBS: readonly Job[] = [
  {
    name: "roll",
    everyMs: 60_000,
    async run({ storage, clock, ids, metrics }, untilMs, signal) {
      const report = await roll({ storage, clock, ids, policy: ROLL_POLICY }, untilMs, signal);
      metrics.count("roll_segments_total", report.segments);
      metrics.count("roll_bytes_total", report.sizeBytes);
    },
  },
  {
    name: "retain",
    everyMs: 300_000,
    async run({ storage, clock, metrics }, untilMs, signal) {
      const report = await retain({ storage, clock, graceMs: ROLL_POLICY.graceMs }, untilMs, signal);
      metrics.count("retain_records_total", report.records);
      metrics.count("retain_segments_total", report.segmentsDeleted);
    },
  },
];

/** Starts the jobs; the function that it returns stops them and resolves when none is under way. */
export function startJobs(parts: JobParts): () => Promise<void> {
  const stopping = new AbortController();
  const running = JOBS.map((job) => again(job, parts, stopping.signal));
  return async () => {
    stopping.abort();
    await Promise.all(running);
  };
}

async function again({ name, everyMs, run }: Job, parts: JobParts, signal: AbortSignal): Promise<void> {
  const { clock, metrics, say } = parts;
  for (;;) {
    try {
      await clock.sleep(everyMs, signal);
    } catch {
      return;
    }
    try {
      await run(parts, clock.monotonicMs() + JOB_MS, signal);
    } catch (error) {
      metrics.count("job_failures_total", 1, { job: name });
      say(
        `job ${name} failed and is tried again in ${everyMs / 1000} s: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
