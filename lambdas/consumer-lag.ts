/** Lag on a function that answers calls: loaded with the first one that asks for it. */
import { createLag, type LagParts } from "../lib/lag/lag.ts";
import { LAG_SETTINGS } from "../lib/lag/settings.ts";
import type { LagApi } from "../lib/lag/types.ts";

export function openLag(parts: Omit<LagParts, "settings">): LagApi {
  return createLag({ ...parts, settings: LAG_SETTINGS });
}
