/** The database: how it is opened, its tables, and the version of its format. */
import { DatabaseSync } from "node:sqlite";
import type { Started } from "../protocol.ts";

/**
 * Version of everything in a data directory: these tables, the codec, the shared files. A newer one is refused; an older
 * one is brought up to date here, when there is one.
 */
export const FORMAT = 1;
/** "Brok", in SQLite's header. */
const APPLICATION_ID = 0x42726f6b;

const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  -- v: the item by codec.ts. x: seconds since 1970 from which on it is absent.
  CREATE TABLE items (id INTEGER PRIMARY KEY, pk TEXT NOT NULL, sk TEXT NOT NULL, x INTEGER, v BLOB NOT NULL);
  CREATE UNIQUE INDEX items_by_key ON items (pk, sk);
  CREATE INDEX items_by_expiry ON items (x) WHERE x IS NOT NULL;
  -- Either bytes, or file and start (the bytes from start to start + size of that shared file).
  CREATE TABLE blobs (
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL, size INTEGER NOT NULL, partitions BLOB NOT NULL,
    file INTEGER, start INTEGER, bytes BLOB
  );
  CREATE UNIQUE INDEX blobs_by_id ON blobs (id);
  CREATE INDEX blobs_by_file ON blobs (file, start) WHERE file IS NOT NULL;
  CREATE TABLE files (file INTEGER PRIMARY KEY, end_bytes INTEGER NOT NULL, live_bytes INTEGER NOT NULL);
  INSERT INTO meta VALUES ('format', ${FORMAT});
  PRAGMA application_id = ${APPLICATION_ID};
`;

const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

/** Why a database is not opened. */
export class CannotOpen extends Error {
  readonly code: Extract<Started, { started: false }>["code"];

  constructor(code: Extract<Started, { started: false }>["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * Opens the database and takes it for this process until it is closed, or the process ends in any way: the lock is the
 * operating system's, on the file. Throws {@link CannotOpen}.
 */
export function openDatabase(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    db.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE");
    // Before anything is written: what is not ours stays as it is.
    const isNew = checkFormat(db);
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA cache_size = -32768;
      PRAGMA temp_store = MEMORY;
    `);
    // Takes the lock for good, even when there is nothing to write.
    db.exec(`BEGIN EXCLUSIVE; ${isNew ? TABLES : ""} COMMIT`);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof CannotOpen) throw error;
    const { errcode = 0, message } = error as { errcode?: number; message: string };
    if ((errcode & 255) === SQLITE_BUSY) throw new CannotOpen("in_use", message, error);
    throw new CannotOpen(errcode === SQLITE_NOTADB ? "not_ours" : "unreadable", message, error);
  }
}

/** True for a database with nothing in it. */
function checkFormat(db: DatabaseSync): boolean {
  const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number };
  const { application_id: id } = db.prepare("PRAGMA application_id").get() as { application_id: number };
  if (tables.n === 0 && id === 0) return true;
  if (id !== APPLICATION_ID) throw new CannotOpen("not_ours", "it is a database of another program");
  const format = db.prepare("SELECT value FROM meta WHERE name = 'format'").get() as { value: number } | undefined;
  if (format === undefined) throw new CannotOpen("unreadable", "it does not say its format version");
  if (format.value > FORMAT) {
    throw new CannotOpen("newer_format", `it has format version ${format.value}; this version reads up to ${FORMAT}`);
  }
  return false;
}
