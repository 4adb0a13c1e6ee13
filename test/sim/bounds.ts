/** What takes part in a simulation, and how much of it: what a failing seed is made smaller by. */
import type { Faults } from "./world.ts";
import { CALM, STORMY } from "./world.ts";

const CLIENTS = [
  "plain",
  "idempotent",
  "few",
  "keyed",
  "atomic",
  "deletes",
  "policy",
  "topics",
  "grow",
  "compacted",
  "readers",
] as const;
const JOBS = ["roll", "merge", "compact", "retain", "sweep"] as const;
const FAULTS = ["crash", "lostAnswer", "late", "refused", "longPause"] as const satisfies readonly (keyof Faults)[];

export const PARTS = [...CLIENTS, ...JOBS, ...FAULTS, "skew"] as const;
export type Part = (typeof PARTS)[number];

export interface Bounds {
  /** How much clients do, of all they could: above 0, at most 1. */
  readonly scale: number;
  readonly without: readonly Part[];
}

export const EVERYTHING: Bounds = { scale: 1, without: [] };

export function faultsOf({ without }: Bounds): Faults {
  const faults = { ...STORMY };
  for (const one of FAULTS) if (without.includes(one)) faults[one] = CALM[one];
  return faults;
}

/**
 * Smaller bounds with which the same seed fails still, each tried alone and kept if it does. What fails need not be the same
 * thing in every try: it is a failure all the same.
 */
export async function shrink(bounds: Bounds, fails: (bounds: Bounds) => Promise<boolean>): Promise<Bounds> {
  for (const part of PARTS) {
    if (bounds.without.includes(part)) continue;
    const smaller = { ...bounds, without: [...bounds.without, part] };
    if (await fails(smaller)) bounds = smaller;
  }
  for (const scale of [0.1, 0.2, 0.35, 0.5, 0.75]) {
    if (scale < bounds.scale && (await fails({ ...bounds, scale }))) return { ...bounds, scale };
  }
  return bounds;
}

/** The command that plays a seed again. */
export function replayCommand(seed: number, { scale, without }: Bounds): string {
  const parts = [`npm run sim -- --seed ${seed}`];
  if (without.length > 0) parts.push(`--without ${without.join(",")}`);
  if (scale < 1) parts.push(`--scale ${scale}`);
  return parts.join(" ");
}
