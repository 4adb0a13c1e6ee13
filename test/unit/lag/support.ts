/** Windows as tests write them down. */
import type { Observation, Window } from "../../../lib/lag/window.ts";

/** Observations at these offsets with these lags (null: unknown), the first at 100 s, one every 100 s. */
export function observed(offsets: readonly number[], lags: readonly (number | null)[], everyMs = 100_000): Observation[] {
  return offsets.map((offset, i) => {
    const timestampMs = 100_000 + i * everyMs;
    return { offset, timestampMs, observedAtMs: timestampMs, lag: lags[i] ?? undefined };
  });
}

export function windowOf(observations: readonly Observation[], more: Partial<Window> = {}): Window {
  return {
    observations,
    committedAtMs: observations.at(-1)?.timestampMs ?? -1,
    behindSinceMs: undefined,
    unreadSinceMs: undefined,
    ...more,
  };
}
