/** How lag is judged. Burrow's names and defaults where it has them, by a look a minute. */
import type { RuleSettings } from "./rules.ts";
import type { WindowSettings } from "./window.ts";

export interface LagSettings extends RuleSettings, WindowSettings {
  /** Burrow's `expire-group`: a group that has not committed for so long is not reported. */
  readonly expireMs: number;
}

export const LAG_SETTINGS: LagSettings = {
  intervals: 10,
  minDistanceMs: 30_000,
  backfillMs: 120_000,
  allowedLag: 0,
  minimumComplete: 0,
  leastCompared: 3,
  recentMs: 120_000,
  expireMs: 604_800_000,
};
