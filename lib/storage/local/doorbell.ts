/** A doorbell within one process: what is rung here is heard here, at once. */
import type { Clock, Doorbell } from "../../ports/index.ts";

export function localDoorbell(clock: Clock): Doorbell {
  const waiting = new Map<string, Set<() => void>>();
  return {
    ring(partition) {
      const wakes = waiting.get(partition);
      if (wakes !== undefined) for (const wake of [...wakes]) wake();
    },
    async wait(partitions, deadlineMs, signal) {
      const ms = deadlineMs - clock.monotonicMs();
      if (ms <= 0 || signal?.aborted === true) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      for (const partition of partitions) {
        const wakes = waiting.get(partition);
        if (wakes === undefined) waiting.set(partition, new Set([resolve]));
        else wakes.add(resolve);
      }
      const over = new AbortController();
      signal?.addEventListener("abort", () => resolve(), { once: true, signal: over.signal });
      clock.sleep(ms, over.signal).then(resolve, () => undefined);
      await promise;
      over.abort();
      for (const partition of partitions) {
        const wakes = waiting.get(partition);
        wakes?.delete(resolve);
        if (wakes?.size === 0) waiting.delete(partition);
      }
    },
  };
}
