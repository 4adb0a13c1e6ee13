import { type Clock, type Storage, StorageError } from "../../ports/index.ts";
import { MemoryBlobs } from "./blobs.ts";
import { MemoryBucket } from "./bucket.ts";
import { MemoryTable } from "./table.ts";

export interface MemoryOptions {
  readonly clock: Clock;
  /** Blobs up to this size have place 0, others place 1. Default 4096. */
  readonly inlineMostBytes?: number;
  /** Default 1. */
  readonly maxConcurrentCommits?: number;
}

/** A storage in the memory of this process, gone with it: for tests and trials. */
export function memoryStorage({ clock, inlineMostBytes = 4096, maxConcurrentCommits = 1 }: MemoryOptions): Storage {
  let open = true;
  const closed = () => (open ? undefined : new StorageError("unavailable", "the storage is closed"));
  const checkOpen = (): void => {
    const error = closed();
    if (error !== undefined) throw error;
  };
  const nowMs = (): number => clock.nowMs();
  const blobs = new MemoryBlobs(inlineMostBytes, checkOpen);
  return {
    kind: "memory",
    table: new MemoryTable(nowMs, (op) => blobs.put(op), closed),
    blobs,
    bucket: new MemoryBucket(nowMs, checkOpen),
    maxConcurrentCommits,
    writeDeadlineMs: 1000,
    clockSkewMs: 0,
    durability: "in memory, gone when the process ends",
    async close() {
      open = false;
    },
  };
}
