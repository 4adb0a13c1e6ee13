/** The jobs behind the writers, by the clock of the local server. */
import { ROLL_POLICY, roll } from "../log/jobs/index.ts";
import type { Clock, Ids, Metrics, Storage } from "../ports/index.ts";

/** How often runs are turned into segments. */
const ROLL_EVERY_MS = 60_000;
/** A job ends after so long and goes on the next time. */
const ROLL_FOR_MS = 30_000;

export interface JobParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  /** One line on what went wrong. */
  readonly say: (line: string) => void;
}

/** Starts the jobs; the function that it returns stops them and resolves when none is under way. */
export function startJobs(parts: JobParts): () => Promise<void> {
  const stopping = new AbortController();
  const running = rollAgainAndAgain(parts, stopping.signal);
  return async () => {
    stopping.abort();
    await running;
  };
}

async function rollAgainAndAgain({ storage, clock, ids, metrics, say }: JobParts, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(ROLL_EVERY_MS, signal);
    } catch {
      return;
    }
    try {
      const until = clock.monotonicMs() + ROLL_FOR_MS;
      const report = await roll({ storage, clock, ids, policy: ROLL_POLICY }, until, signal);
      metrics.count("roll_segments_total", report.segments);
      metrics.count("roll_bytes_total", report.sizeBytes);
    } catch (error) {
      metrics.count("roll_failures_total");
      say(
        `rolling failed and is tried again in ${ROLL_EVERY_MS / 1000} s: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
