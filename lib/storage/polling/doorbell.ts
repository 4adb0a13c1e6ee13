/**
 * A doorbell for processes that cannot hear each other, as on Lambda: what is rung here is heard here at once, and for
 * what others append a wait ends early, after gaps that grow from 25 to 500 ms, so that the caller looks again.
 */
import type { Clock, Doorbell } from "../../ports/index.ts";
import { localDoorbell } from "../local/doorbell.ts";

const FIRST_GAP_MS = 25;
const LONGEST_GAP_MS = 500;

/** Above this many, what is over is forgotten. */
const REMEMBERED_WAITS = 512;

interface Gap {
  readonly ms: number;
  readonly deadlineMs: number;
}

/** The waits of one long poll have its deadline in common: by that, and by what they wait for, their gaps grow. */
export function pollingDoorbell(clock: Clock): Doorbell {
  const local = localDoorbell(clock);
  const gaps = new Map<string, Gap>();
  return {
    ring: (partition) => local.ring(partition),
    async wait(partitions, deadlineMs, signal) {
      const nowMs = clock.monotonicMs();
      const name = `${deadlineMs} ${partitions.join(" ")}`;
      const gapMs = nextGapMs(gaps.get(name)?.ms);
      if (gaps.size >= REMEMBERED_WAITS) forgetOver(gaps, nowMs);
      if (nowMs + gapMs < deadlineMs) gaps.set(name, { ms: gapMs, deadlineMs });
      else gaps.delete(name);
      await local.wait(partitions, Math.min(deadlineMs, nowMs + gapMs), signal);
    },
  };
}

/** 25, 50, 100, 200, 400, 500, 500 … */
export function nextGapMs(lastMs: number | undefined): number {
  return lastMs === undefined ? FIRST_GAP_MS : Math.min(lastMs * 2, LONGEST_GAP_MS);
}

function forgetOver(gaps: Map<string, Gap>, nowMs: number): void {
  for (const [name, { deadlineMs }] of gaps) if (deadlineMs <= nowMs) gaps.delete(name);
}
