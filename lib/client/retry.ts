/** When to try again. */
import type { BrokerlessError } from "../base/errors.ts";

export interface RetryOptions {
  /** The first pause. Default 100. */
  readonly minMs?: number | undefined;
  /** The longest pause. Default 1,000. */
  readonly maxMs?: number | undefined;
}

/** How long to wait before attempt `attempt` + 1: twice as long each time, spread over a half, and at least what the server asks for. */
export function pauseMs(attempt: number, error: BrokerlessError, options: RetryOptions, random: number): number {
  const { minMs = 100, maxMs = 1000 } = options;
  const full = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return Math.max(full * (0.5 + random / 2), error.retryAfterMs ?? 0);
}

/** Resolves after `ms`, or at once where that is over already or the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0 || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
