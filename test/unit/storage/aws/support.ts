import type { Clock, Ids } from "../../../../lib/ports/index.ts";
import { systemIds } from "../../../../lib/storage/system/ids.ts";

/** A clock that stands still save when somebody sleeps on it. */
export function manualClock(startMs = 1_790_000_000_000): Clock & { readonly slept: number[]; pass(ms: number): void } {
  let passedMs = 0;
  const slept: number[] = [];
  return {
    slept,
    pass(ms) {
      passedMs += ms;
    },
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    async sleep(ms) {
      slept.push(ms);
      passedMs += ms;
    },
  };
}

/** Ids whose jitter is none. */
export function steadyIds(clock: Clock): Ids {
  return { ...systemIds(clock), random: () => 1 };
}

/** What the SDK throws for an answer of the service. */
export function serviceError(name: string, status: number, message = "", more: object = {}): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status }, ...more });
}
