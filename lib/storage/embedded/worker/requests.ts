/** Requests as they come in messages: each is read, and becomes a function that does it and writes its answer. */
import type { Check, Key, PutBlob, Write } from "../../../ports/index.ts";
import { StorageError } from "../../../ports/index.ts";
import { ATOMIC_MOST_BYTES } from "../../../ports/rules.ts";
import type { StoredItem } from "../../../ports/table-semantics.ts";
import { itemSizeBytes } from "../../../ports/values.ts";
import type { ByteReader, ByteWriter, Encodable } from "../codec.ts";
import { BLOB, type FilePlace, REQUEST, readPlace, STATUS, writeError, writeItem, writePlace } from "../protocol.ts";
import type { Store } from "./store.ts";

/** Answers of one range or list end about here; the caller asks again. */
const PAGE_BYTES = 1 << 20;
const SCAN_PAGE_KEYS = 200;
const LIST_PAGE_BLOBS = 500;

/** A stored blob as it comes in a request. */
type BlobOp = Pick<PutBlob, "op" | "id"> & { readonly partitions: Uint8Array; readonly content: Uint8Array | FilePlace };

export type Run = (answer: ByteWriter) => void;

/** Reads one request. What it answers with holds at the time it is run. */
export function readRequest(kind: number, from: ByteReader, nowMs: number, store: Store): Run {
  switch (kind) {
    case REQUEST.getMany:
      return getMany(store, readMany(from, readKey), nowMs);
    case REQUEST.range:
      return range(store, from, nowMs);
    case REQUEST.scan:
      return scan(store, from.text(), readOptionalText(from));
    case REQUEST.findBlobs:
      return findBlobs(
        store,
        readMany(from, (f) => ({ id: f.view(), from: f.varint(), to: f.varint() })),
      );
    case REQUEST.listBlobs:
      return listBlobs(store, from.view(), from.view());
    case REQUEST.survivors:
      return survivors(store, from.varint(), from.varint());
    case REQUEST.write:
      return write(store, from.value() as unknown as Write, nowMs);
    case REQUEST.inOrder:
      return inOrder(
        store,
        readMany(from, (f) => readMany(f, readOperation)),
        nowMs,
      );
    case REQUEST.atomically:
      return atomically(store, from.value() as unknown as (Write | Check)[], nowMs);
    case REQUEST.deleteBlobs:
      return deleteBlobs(
        store,
        from.varint(),
        readMany(from, (f) => f.view()),
      );
    case REQUEST.moveBlobs:
      return moveBlobs(
        store,
        from.varint(),
        from.varint(),
        readMany(from, (f) => ({ id: f.view(), to: readPlace(f) })),
      );
    default:
      throw new RangeError(`unknown request ${kind}`);
  }
}

function readMany<T>(from: ByteReader, read: (from: ByteReader) => T): T[] {
  const all: T[] = [];
  for (let left = from.varint(); left > 0; left--) all.push(read(from));
  return all;
}

function readKey(from: ByteReader): Key {
  return { pk: from.text(), sk: from.text() };
}

function readOptionalText(from: ByteReader): string | undefined {
  return from.byte() === 1 ? from.text() : undefined;
}

function readOperation(from: ByteReader): Write | BlobOp {
  const how = from.byte();
  if (how === BLOB.absent) return from.value() as unknown as Write;
  const id = from.view();
  const partitions = from.view();
  return { op: "putBlob", id, partitions, content: how === BLOB.inline ? from.view() : readPlace(from) };
}

function getMany({ items }: Store, keys: readonly Key[], nowMs: number): Run {
  return (answer) => {
    for (const key of keys) writeItem(answer, items.encoded(key, nowMs));
  };
}

/** Entries, each after a 1; then 0 at the end, or 2 when there is more. */
function range({ items }: Store, from: ByteReader, nowMs: number): Run {
  const query = {
    pk: from.text(),
    from: readOptionalText(from),
    to: readOptionalText(from),
    after: readOptionalText(from),
    reverse: from.byte() === 1,
  };
  let left = from.varint();
  return (answer) => {
    const endBytes = answer.sizeBytes + PAGE_BYTES;
    for (const { sk, v } of items.range(query, nowMs)) {
      answer.byte(1);
      answer.text(sk);
      writeItem(answer, v);
      if (--left === 0) break;
      if (answer.sizeBytes >= endBytes) {
        answer.byte(2);
        return;
      }
    }
    answer.byte(0);
  };
}

/** A page of partition keys; the last one has none. */
function scan({ items }: Store, prefix: string, after: string | undefined): Run {
  return (answer) => {
    const found: string[] = [];
    // The prefix itself may be a partition key.
    if (after === undefined && items.hasPartition(prefix)) found.push(prefix);
    for (let last: string | undefined = after ?? prefix; found.length < SCAN_PAGE_KEYS; found.push(last)) {
      last = items.nextPartitionKey(last);
      if (last?.startsWith(prefix) !== true) break;
    }
    answer.value(found);
  };
}

/** For each 0 when it is not there, 1 and its place, 2 and the bytes of the slice. */
function findBlobs({ blobs }: Store, slices: readonly { id: Uint8Array; from: number; to: number }[]): Run {
  return (answer) => {
    for (const { id, from, to } of slices) {
      const found = blobs.find(id, from, to);
      answer.byte(found === undefined ? 0 : found instanceof Uint8Array ? 2 : 1);
      if (found instanceof Uint8Array) answer.bytes(found);
      else if (found !== undefined) writePlace(answer, found);
    }
  };
}

function listBlobs({ blobs }: Store, after: Uint8Array, upTo: Uint8Array): Run {
  return (answer) => {
    const rows = blobs.list(after, upTo, LIST_PAGE_BLOBS);
    answer.varint(rows.length);
    for (const { id, size, partitions } of rows) {
      answer.bytes(id);
      answer.varint(size);
      answer.raw(partitions);
    }
  };
}

function survivors({ blobs }: Store, file: number, limit: number): Run {
  return (answer) => {
    const rows = blobs.survivors(file, limit);
    answer.varint(rows.length);
    for (const { id, start, size } of rows) {
      answer.bytes(id);
      writePlace(answer, { file, offset: start, sizeBytes: size });
    }
  };
}

function write(store: Store, op: Write, nowMs: number): Run {
  return (answer) => {
    const judged = store.items.judge(op, nowMs);
    if (!judged.ok) throw judged.error;
    writeItem(answer, keep(store, op.key, judged.after));
  };
}

function keep(store: Store, key: Key, after: StoredItem | undefined): Uint8Array | undefined {
  const encoded = store.items.store(key, after);
  store.logged(encoded?.byteLength ?? 0);
  return encoded;
}

/** Stage by stage, operation by operation: its status, then the item after it, the error, or nothing when not reached. */
function inOrder(store: Store, stages: readonly (readonly (Write | BlobOp)[])[], nowMs: number): Run {
  return (answer) => {
    let reached = true;
    for (const stage of stages) {
      let all = true;
      for (const op of stage) {
        if (!reached) answer.byte(STATUS.notReached);
        else all = (op.op === "putBlob" ? putBlob(store, op, answer) : settle(store, op, nowMs, answer)) && all;
      }
      reached &&= all;
    }
  };
}

function settle(store: Store, op: Write, nowMs: number, answer: ByteWriter): boolean {
  const judged = store.items.judge(op, nowMs);
  if (judged.ok) {
    answer.byte(STATUS.ok);
    writeItem(answer, keep(store, op.key, judged.after));
  } else writeError(answer, judged.error);
  return judged.ok;
}

function putBlob(store: Store, { id, partitions, content }: BlobOp, answer: ByteWriter): boolean {
  const inline = content instanceof Uint8Array;
  const isNew = inline ? store.blobs.putInline(id, partitions, content) : store.blobs.putPlace(id, partitions, content);
  store.logged(inline ? content.byteLength : 0);
  if (isNew) {
    answer.byte(STATUS.ok);
    writeItem(answer, undefined);
  } else writeError(answer, new StorageError("condition_failed", "a blob of this id was written before"));
  return isNew;
}

function atomically(store: Store, ops: readonly (Write | Check)[], nowMs: number): Run {
  return () => {
    let sizeBytes = 0;
    const after = ops.map((op, index) => {
      const judged = store.items.judge(op, nowMs);
      if (!judged.ok) throw new StorageError(judged.error.kind, judged.error.message, { item: judged.error.item, index });
      if (judged.after !== undefined) sizeBytes += itemSizeBytes(op.key, judged.after.item, judged.after.expiresAtS);
      return judged.after;
    });
    if (sizeBytes > ATOMIC_MOST_BYTES) {
      throw new StorageError("too_large", `a transaction of ${sizeBytes} bytes; at most ${ATOMIC_MOST_BYTES}`);
    }
    for (const [i, op] of ops.entries()) if (op.op !== "check") keep(store, op.key, after[i]);
  };
}

/** Files that are dead now and forgotten, files to be moved together. */
function deleteBlobs(store: Store, active: number, ids: readonly Uint8Array[]): Run {
  return (answer) => {
    for (const id of ids) {
      store.blobs.delete(id);
      store.logged(0);
    }
    writeFiles(store, active, answer);
  };
}

function moveBlobs(store: Store, active: number, file: number, moves: readonly { id: Uint8Array; to: FilePlace }[]): Run {
  return (answer) => {
    for (const { id, to } of moves) {
      store.blobs.move(id, file, to);
      store.logged(0);
    }
    writeFiles(store, active, answer);
  };
}

function writeFiles({ blobs }: Store, active: number, answer: ByteWriter): void {
  answer.value(blobs.dropDead(active));
  answer.value(blobs.sparse(active) satisfies Encodable);
}
