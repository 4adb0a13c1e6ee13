/** When a failed request is sent again, and after which pause. Pure. */
import type { Failure } from "./errors.ts";

/**
 * - `read`: changes nothing, so it may be sent again after any failure that can pass.
 * - `write`: is sent again only where it was certainly not applied (T5).
 * - `repeatable`: a write that does the same however often it is done. Bytes under a name that is made for them alone,
 *   and the deletion of such a name, are; so a lost answer is no harm.
 */
export type Repeat = "read" | "write" | "repeatable";

interface Patience {
  /** Pauses grow from this, doubling. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly attempts: number;
}

const PATIENCE: Record<Exclude<Failure["again"], "no">, Patience> = {
  contended: { fromMs: 5, toMs: 80, attempts: 6 },
  throttled: { fromMs: 25, toMs: 1000, attempts: 8 },
  unreachable: { fromMs: 25, toMs: 500, attempts: 5 },
  lost: { fromMs: 20, toMs: 500, attempts: 6 },
};

/**
 * How long to wait before the request is sent again; undefined when it is not. `attempt`: how often it was sent.
 * `random`: from 0 to 1, so that those who were refused together do not come back together.
 */
export function pauseBeforeRetry(again: Failure["again"], repeat: Repeat, attempt: number, random: number): number | undefined {
  if (again === "no" || (again === "lost" && repeat === "write")) return undefined;
  const { fromMs, toMs, attempts } = PATIENCE[again];
  if (attempt >= attempts) return undefined;
  return Math.min(toMs, fromMs * 2 ** attempt) * (0.5 + random / 2);
}
