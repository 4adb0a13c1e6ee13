import type { Blobs } from "./blobs.ts";
import type { Bucket } from "./bucket.ts";
import type { Table } from "./table.ts";

/** One backend: what `lib/storage/<name>` makes. */
export interface Storage {
  /** `memory`, `embedded`, `aws`. */
  readonly kind: string;
  readonly table: Table;
  readonly blobs: Blobs;
  readonly bucket: Bucket;
  /** How many appends may be under way at once; the log gathers what waits (1 where one sync serves all). */
  readonly maxConcurrentCommits: number;
  /** How long a write can stay under way before it is certainly over or answered, in milliseconds. */
  readonly writeDeadlineMs: number;
  /** How far the clock of a process may be off from the storage's; one that is further off does not write. */
  readonly clockSkewMs: number;
  /** What the storage keeps of each record, for people: `one copy on this machine`. */
  readonly durability: string;
  /** Waits for what is under way and lets go of files and connections. Later calls fail as `unavailable`. */
  close(): Promise<void>;
}
