/** A storage in memory: the shortest true implementation of the ports, for tests and simulations. Nothing outlives it. */
import type { Clock, Storage } from "../../ports/index.ts";
import { MemoryBlobs } from "./blobs.ts";
import { MemoryBucket } from "./bucket.ts";
import { MemoryTable } from "./table.ts";

export function memoryStorage({ clock }: { readonly clock: Clock }): Storage {
  const blobs = new MemoryBlobs();
  return {
    kind: "memory",
    table: new MemoryTable(clock, blobs),
    blobs,
    bucket: new MemoryBucket(clock),
    maxConcurrentCommits: 1,
    writeDeadlineMs: 1000,
    durability: "no copy: gone when the process ends",
    close: async () => undefined,
  };
}
