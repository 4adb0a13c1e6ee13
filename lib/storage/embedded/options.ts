import type { Clock, Metrics } from "../../ports/index.ts";
import type { Disk } from "./disk.ts";

export interface EmbeddedOptions {
  /** The data directory; made when it is not there. */
  readonly folder: string;
  readonly clock: Clock;
  readonly metrics?: Metrics;
  /** For tests and measurements: what nobody else needs to set. */
  readonly tuning?: Partial<Tuning>;
  /** For tests: how files are written. Default: by the operating system. */
  readonly disk?: Disk;
}

export interface Tuning {
  /** The blobs of one call up to this size together are written into the table: one sync, but written twice. */
  readonly inlineMostBytes: number;
  /** A shared file takes no more once it is as large as this. */
  readonly fileMostBytes: number;
  /** SQLite's log is copied into the database when about so much was written to it; 0: only when the storage closes. */
  readonly checkpointBytes: number;
  /** Bytes of recent blobs in memory. */
  readonly cacheBytes: number;
}

export const TUNING: Tuning = {
  inlineMostBytes: 16 * 1024,
  fileMostBytes: 256 * 2 ** 20,
  checkpointBytes: 8 * 2 ** 20,
  cacheBytes: 32 * 2 ** 20,
};
