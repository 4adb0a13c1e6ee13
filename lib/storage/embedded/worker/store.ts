/** What the worker works on: the database, and its one transaction at a time. */
import type { DatabaseSync } from "node:sqlite";
import type { WorkerOptions } from "../protocol.ts";
import { BlobRows } from "./blob-rows.ts";
import { Items } from "./items.ts";
import { openDatabase } from "./schema.ts";

/** How often what has expired is looked for, in milliseconds of the storage's clock. */
const PURGE_EVERY_MS = 60_000;
/** What a change costs in the write-ahead log beside its bytes: parts of pages of tables and indexes, about. */
const CHANGE_LOG_BYTES = 6000;

export class Store {
  readonly items: Items;
  readonly blobs: BlobRows;
  readonly #db: DatabaseSync;
  readonly #checkpointBytes: number;
  #loggedBytes = 0;
  #purgedAtMs = 0;

  /** Throws `CannotOpen`. */
  constructor({ path, checkpointBytes }: WorkerOptions) {
    this.#db = openDatabase(path);
    this.#checkpointBytes = checkpointBytes;
    this.items = new Items(this.#db);
    this.blobs = new BlobRows(this.#db);
  }

  /** Counts what a transaction writes, so that the log is checkpointed in time. */
  logged(bytes: number): void {
    this.#loggedBytes += bytes + CHANGE_LOG_BYTES;
  }

  begin(nowMs: number): void {
    this.#db.exec("BEGIN IMMEDIATE");
    if (nowMs - this.#purgedAtMs < PURGE_EVERY_MS) return;
    this.#purgedAtMs = nowMs;
    this.items.purge(nowMs);
  }

  /** Durable when it returns. */
  commit(): void {
    this.#db.exec("COMMIT");
  }

  rollback(): void {
    this.items.forget();
    try {
      this.#db.exec("ROLLBACK");
    } catch (error) {
      // On some errors SQLite has rolled back itself.
      if (!(error as Error).message.includes("no transaction is active")) throw error;
    }
  }

  /**
   * Copies the log into the database when it has grown enough, so that it begins anew. Stops the worker meanwhile, so it
   * is called when nobody waits for an answer that is there. Throws when it could not: nothing is lost then, the log
   * stays as it is, and it is tried again after as much was written once more.
   */
  checkpoint(): void {
    this.#loggedBytes = 0;
    this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  get needsCheckpoint(): boolean {
    return this.#checkpointBytes > 0 && this.#loggedBytes >= this.#checkpointBytes;
  }

  close(): void {
    this.#db.close();
  }
}
