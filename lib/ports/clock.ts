/** Clock: the only source of time. Everything else is forbidden to read it by the linter. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Grows steadily, from an unknown start; for durations. Milliseconds with fractions. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
