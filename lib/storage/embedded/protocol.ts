/**
 * What crosses between the storage and its worker. A message is one buffer, handed over without a copy: the time, then
 * requests one after the other until its end; answered by messages of answers in any order.
 *
 * Request: its number (varint), its kind (byte), what the kind needs. Answer: the request's number, a status (byte),
 * then the answer or the error. Only `worker/` and `link.ts` with its callers know the encodings.
 */
import type { Item, StorageErrorKind } from "../../ports/index.ts";
import { StorageError } from "../../ports/index.ts";
import { type ByteReader, type ByteWriter, decodeItem, type Encodable } from "./codec.ts";

export const REQUEST = {
  getMany: 1,
  range: 2,
  scan: 3,
  findBlobs: 4,
  listBlobs: 5,
  survivors: 6,
  // From here on: what writes, and so waits for its group's commit.
  write: 16,
  inOrder: 17,
  atomically: 18,
  deleteBlobs: 19,
  moveBlobs: 20,
} as const;

export function isWriting(kind: number): boolean {
  return kind >= REQUEST.write;
}

/** How the bytes of a `putBlob` come in a request: within it, or as their place in a shared file. */
export const BLOB = { inline: 0, inFile: 1, absent: 2 } as const;

/** In the place of a request's number: a metric's name and value follow, to be observed. */
export const NOTE = 0;

/** Of an answer, or of one operation in the answer to `inOrder`. */
export const STATUS = { ok: 0, error: 1, notReached: 2 } as const;

/** Where a blob lies in the shared files. */
export interface FilePlace {
  /** Number of the file; never used twice. */
  readonly file: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** What is recorded of one shared file: bytes up to `endBytes` may be referred to, `liveBytes` of them are. */
export interface FileRecord {
  readonly file: number;
  readonly endBytes: number;
  readonly liveBytes: number;
}

export interface WorkerOptions {
  readonly path: string;
  /** Bytes of SQLite's write-ahead log after which it is copied into the database. 0: only at the end. */
  readonly checkpointBytes: number;
}

/** First message of the worker. */
export type Started =
  | { readonly started: true; readonly files: readonly FileRecord[] }
  | { readonly started: false; readonly code: "in_use" | "newer_format" | "not_ours" | "unreadable"; readonly message: string };

export function writePlace(to: ByteWriter, { file, offset, sizeBytes }: FilePlace): void {
  to.varint(file);
  to.varint(offset);
  to.varint(sizeBytes);
}

export function readPlace(from: ByteReader): FilePlace {
  return { file: from.varint(), offset: from.varint(), sizeBytes: from.varint() };
}

/** An item, or that there is none; as bytes of its own, so that it can be passed on unread. */
export function writeItem(to: ByteWriter, encoded: Uint8Array | undefined): void {
  if (encoded === undefined) to.varint(0);
  else to.bytes(encoded);
}

/** The item in memory of its own, so that keeping it keeps nothing else. */
export function readItem(from: ByteReader): Item | undefined {
  const bytes = from.view();
  return bytes.byteLength === 0 ? undefined : decodeItem(bytes.slice());
}

export function writeError(to: ByteWriter, error: StorageError): void {
  to.byte(STATUS.error);
  to.text(error.kind);
  to.text(error.message);
  to.varint(error.index === undefined ? 0 : error.index + 1);
  to.byte(error.item === undefined ? 0 : 1);
  if (error.item !== undefined) to.value(error.item as Encodable);
}

/** The rest of an error whose status was read. */
export function readError(from: ByteReader): StorageError {
  const kind = from.text() as StorageErrorKind;
  const message = from.text();
  const index = from.varint() - 1;
  const item = from.byte() === 1 ? (from.value() as Item) : undefined;
  return new StorageError(kind, message, index < 0 ? { item } : { item, index });
}
