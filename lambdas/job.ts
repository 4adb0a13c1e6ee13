/** A job that a schedule starts: it ends in time, goes on the next time, and writes one line. */
import type { Clock } from "../lib/ports/index.ts";
import { line } from "./environment.ts";

interface JobContext {
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

/** So long before Lambda would stop the process nothing new is begun. */
const LEAVE_MS = 15_000;

/** `run` is given when to end, on the clock's `monotonicMs`. What it throws fails the call, which the alarm counts. */
export function jobHandler(
  job: string,
  clock: Clock,
  run: (untilMs: number) => Promise<object>,
): (event: unknown, context: JobContext) => Promise<void> {
  return async (_event, context) => {
    const startedMs = clock.monotonicMs();
    const report = await run(startedMs + Math.max(0, context.getRemainingTimeInMillis() - LEAVE_MS));
    const timestamp = new Date(clock.nowMs()).toISOString();
    line(
      JSON.stringify({
        timestamp,
        level: "INFO",
        requestId: context.awsRequestId,
        job,
        ms: Math.round(clock.monotonicMs() - startedMs),
        ...report,
      }),
    );
  };
}
