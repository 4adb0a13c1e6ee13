/** The rows of blobs: their bytes or where these are, and how much of each shared file is alive. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { FilePlace, FileRecord } from "../protocol.ts";

export interface BlobRow {
  readonly id: Uint8Array;
  readonly size: number;
  readonly partitions: Uint8Array;
}

export interface SurvivorRow {
  readonly id: Uint8Array;
  readonly start: number;
  readonly size: number;
}

/** Invariant: of each file `live_bytes` is the sum of its blobs' sizes, and `end_bytes` is at or beyond each of them. */
export class BlobRows {
  readonly #insertInline: StatementSync;
  readonly #insertPlace: StatementSync;
  readonly #find: StatementSync;
  readonly #row: StatementSync;
  readonly #delete: StatementSync;
  readonly #grow: StatementSync;
  readonly #shrink: StatementSync;
  readonly #list: StatementSync;
  readonly #survivors: StatementSync;
  readonly #move: StatementSync;
  readonly #dead: StatementSync;
  readonly #dropFile: StatementSync;
  readonly #sparse: StatementSync;
  readonly #files: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insertInline = db.prepare("INSERT OR IGNORE INTO blobs (id, size, partitions, bytes) VALUES (?, ?, ?, ?)");
    this.#insertPlace = db.prepare("INSERT OR IGNORE INTO blobs (id, size, partitions, file, start) VALUES (?, ?, ?, ?, ?)");
    this.#find = db.prepare("SELECT size, file, start, substr(bytes, ?, ?) AS bytes FROM blobs WHERE id = ?");
    this.#row = db.prepare("SELECT seq, size, file FROM blobs WHERE id = ?");
    this.#delete = db.prepare("DELETE FROM blobs WHERE seq = ?");
    this.#grow = db.prepare(
      `INSERT INTO files (file, end_bytes, live_bytes) VALUES (?1, ?2, ?3)
       ON CONFLICT (file) DO UPDATE SET end_bytes = max(end_bytes, ?2), live_bytes = live_bytes + ?3`,
    );
    this.#shrink = db.prepare("UPDATE files SET live_bytes = live_bytes - ? WHERE file = ?");
    this.#list = db.prepare("SELECT id, size, partitions FROM blobs WHERE id > ? AND id <= ? ORDER BY id LIMIT ?");
    this.#survivors = db.prepare("SELECT id, start, size FROM blobs WHERE file = ? ORDER BY start LIMIT ?");
    this.#move = db.prepare("UPDATE blobs SET file = ?, start = ? WHERE seq = ?");
    this.#dead = db.prepare("SELECT file FROM files WHERE live_bytes = 0 AND file < ?");
    this.#dropFile = db.prepare("DELETE FROM files WHERE file = ?");
    this.#sparse = db.prepare("SELECT file FROM files WHERE live_bytes * 4 < end_bytes AND live_bytes > 0 AND file < ?");
    this.#files = db.prepare("SELECT file, end_bytes AS endBytes, live_bytes AS liveBytes FROM files ORDER BY file");
  }

  /** False when the id was used before. */
  putInline(id: Uint8Array, partitions: Uint8Array, bytes: Uint8Array): boolean {
    return this.#insertInline.run(id, bytes.byteLength, partitions, bytes).changes === 1;
  }

  /** False when the id was used before; the bytes are dead then. */
  putPlace(id: Uint8Array, partitions: Uint8Array, { file, offset, sizeBytes }: FilePlace): boolean {
    const isNew = this.#insertPlace.run(id, sizeBytes, partitions, file, offset).changes === 1;
    this.#grow.run(file, offset + sizeBytes, isNew ? sizeBytes : 0);
    return isNew;
  }

  /** The place of a blob, or of an inline one the bytes of the slice; undefined when there is none. */
  find(id: Uint8Array, from: number, to: number): FilePlace | Uint8Array | undefined {
    const row = this.#find.get(from + 1, Math.max(0, to - from), id) as
      | { size: number; file: number | null; start: number; bytes: Uint8Array | null }
      | undefined;
    if (row === undefined) return undefined;
    if (row.file !== null) return { file: row.file, offset: row.start, sizeBytes: row.size };
    return row.bytes ?? new Uint8Array(0);
  }

  delete(id: Uint8Array): void {
    const row = this.#row.get(id) as { seq: number; size: number; file: number | null } | undefined;
    if (row === undefined) return;
    this.#delete.run(row.seq);
    if (row.file !== null) this.#shrink.run(row.size, row.file);
  }

  /** Blobs with ids above `after`, up to `upTo`. */
  list(after: Uint8Array, upTo: Uint8Array, limit: number): BlobRow[] {
    return this.#list.all(after, upTo, limit) as unknown as BlobRow[];
  }

  /** What is alive in a shared file, from its beginning. */
  survivors(file: number, limit: number): SurvivorRow[] {
    return this.#survivors.all(file, limit) as unknown as SurvivorRow[];
  }

  /** Says that a blob's bytes are elsewhere now, unless it was deleted or moved meanwhile. */
  move(id: Uint8Array, fromFile: number, to: FilePlace): void {
    const row = this.#row.get(id) as { seq: number; size: number; file: number | null } | undefined;
    const moves = row !== undefined && row.file === fromFile;
    if (moves) {
      this.#move.run(to.file, to.offset, row.seq);
      this.#shrink.run(row.size, fromFile);
    }
    this.#grow.run(to.file, to.offset + to.sizeBytes, moves ? to.sizeBytes : 0);
  }

  /** Forgets the files below `active` in which nothing is alive, and names them. */
  dropDead(active: number): number[] {
    const dead = (this.#dead.all(active) as { file: number }[]).map(({ file }) => file);
    for (const file of dead) this.#dropFile.run(file);
    return dead;
  }

  /** Files below `active` of which less than a quarter is alive. */
  sparse(active: number): number[] {
    return (this.#sparse.all(active) as { file: number }[]).map(({ file }) => file);
  }

  files(): FileRecord[] {
    return this.#files.all() as unknown as FileRecord[];
  }
}
