/** How lag is judged. Burrow's names and defaults where it has them, by how often it is looked. */
import type { RuleSettings } from "./rules.ts";
import type { WindowSettings } from "./window.ts";

export interface LagSettings extends RuleSettings, WindowSettings {
  /** Burrow's `expire-group`: a group that has not committed for so long is not reported. */
  readonly expireMs: number;
}

/** How often the reporter looks, where nothing else is said. */
export const LOOK_EVERY_MS = 60_000;

/** The settings that go with a look so often. */
export function lagSettings(everyMs: number): LagSettings {
  return {
    intervals: 10,
    minDistanceMs: everyMs / 2,
    backfillMs: 2 * everyMs,
    allowedLag: 0,
    minimumComplete: 0,
    leastCompared: 3,
    recentMs: 2 * everyMs,
    expireMs: 604_800_000,
  };
}

export const LAG_SETTINGS: LagSettings = lagSettings(LOOK_EVERY_MS);
