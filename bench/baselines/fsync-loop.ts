/** A loop of written and synced blocks: what the disk gives to one writer. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Measured } from "../load/order.ts";
import { percentiles } from "../load/percentiles.ts";

export function fsyncLoop(dir: string, blockBytes: number, durationMs: number): Measured {
  const file = join(dir, "fsync-loop");
  const fd = openSync(file, "w");
  const block = new Uint8Array(blockBytes).fill(97);
  const latencies: number[] = [];
  const begun = performance.now();
  for (let now = begun; now < begun + durationMs; ) {
    writeSync(fd, block);
    fdatasyncSync(fd);
    const after = performance.now();
    latencies.push(after - now);
    now = after;
  }
  closeSync(fd);
  rmSync(file);
  const seconds = durationMs / 1000;
  return {
    perSecond: latencies.length / seconds,
    megabytesPerSecond: (latencies.length * blockBytes) / seconds / 1e6,
    ...percentiles(latencies),
  };
}
