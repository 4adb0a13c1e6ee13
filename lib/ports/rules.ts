/**
 * What a backend may be asked. Each calls these at its door, before it does anything, so that all refuse the same. A
 * broken rule is a bug of the caller ({@link InvariantViolated}), save for a key that is too long: `too_large`.
 */
import { invariant } from "../base/assert.ts";
import type { Change, Check, Condition, Key, Path, PutBlob, Update, Value, Write } from "./table.ts";
import { StorageError } from "./table.ts";
import { isList, textBytes } from "./values.ts";

export const ITEM_MOST_BYTES = 400 * 1024;
const PARTITION_KEY_MOST_BYTES = 2048;
const SORT_KEY_MOST_BYTES = 1024;
const ATOMIC_MOST_ITEMS = 100;
/** All items of one `atomically` together. */
export const ATOMIC_MOST_BYTES = 4 * 2 ** 20;
const OBJECT_KEY_MOST_BYTES = 1024;
/** What a file name can be, with room for a suffix. */
const OBJECT_KEY_PART_MOST_BYTES = 240;
const DROP_MOST = 100;
const BLOB_ID_BYTES = 16;
/** The attributes that hold key and expiry in a table. */
const RESERVED: ReadonlySet<string> = new Set(["pk", "sk", "ttl"]);

/** Throws `too_large`; and {@link InvariantViolated} for an empty part or text that is not Unicode. */
export function checkKey({ pk, sk }: Key): void {
  checkKeyPart("partition key", pk, PARTITION_KEY_MOST_BYTES);
  checkKeyPart("sort key", sk, SORT_KEY_MOST_BYTES);
}

function checkKeyPart(name: string, text: string, mostBytes: number): void {
  invariant(text.length > 0, `the ${name} is empty`);
  invariant(text.isWellFormed(), `the ${name} is not Unicode`);
  // No character takes more than three bytes for each of its UTF-16 units.
  if (text.length * 3 <= mostBytes) return;
  const sizeBytes = textBytes(text);
  if (sizeBytes > mostBytes) throw new StorageError("too_large", `the ${name} is ${sizeBytes} bytes; at most ${mostBytes}`);
}

/** The rules of one operation that do not depend on what is stored. */
export function checkOperation(op: Write | Check | PutBlob): void {
  if (op.op === "putBlob") {
    invariant(op.id.byteLength === BLOB_ID_BYTES, `a blob id is ${op.id.byteLength} bytes, not ${BLOB_ID_BYTES}`);
    return;
  }
  checkKey(op.key);
  for (const condition of op.when ?? []) checkCondition(condition);
  if (op.op === "put") {
    for (const name of Object.keys(op.item)) {
      checkName(name);
      checkValue(op.item[name] as Value);
    }
  } else if (op.op === "update") checkChanges(op);
}

/** Operations of one call, or of one stage of it: each by itself, and that they name different items. */
export function checkOperations(ops: readonly (Write | Check | PutBlob)[]): void {
  for (const op of ops) checkOperation(op);
  if (ops.length < 2) return;
  const seen = new Set<string>();
  for (const op of ops) {
    const name = op.op === "putBlob" ? `blob ${op.id}` : `${op.key.pk}\0${op.key.sk}`;
    invariant(!seen.has(name), `${op.op === "putBlob" ? "a blob" : `item ${op.key.pk} ${op.key.sk}`} is named twice`);
    seen.add(name);
  }
}

function checkName(name: string): void {
  invariant(name.length > 0 && name.length <= 255 && !RESERVED.has(name), `"${name}" cannot be an attribute's name`);
}

function checkPath(path: Path): void {
  checkName(typeof path === "string" ? path : path[0]);
  if (typeof path !== "string") invariant(path[1].length > 0, `an entry of ${path[0]} has an empty name`);
}

function checkCondition(condition: Condition): void {
  if ("item" in condition) return;
  checkPath(condition.path);
  if ("value" in condition) checkValue(condition.value);
}

function checkChanges({ changes }: Update): void {
  // An attribute that is touched: as a whole (undefined), or these entries of it.
  const touched = new Map<string, Set<string> | undefined>();
  for (const change of changes) {
    checkChange(change);
    const path = changedPath(change);
    const [name, entry] = typeof path === "string" ? [path, undefined] : path;
    const entries = touched.get(name);
    const clash = touched.has(name) && (entry === undefined || entries === undefined || entries.has(entry));
    invariant(!clash, `two changes of one update touch ${name}`);
    if (entry === undefined) touched.set(name, undefined);
    else if (entries === undefined) touched.set(name, new Set([entry]));
    else entries.add(entry);
  }
}

/** What a change writes. */
export function changedPath(change: Change): Path {
  if ("set" in change) return change.set;
  if ("add" in change) return change.add;
  if ("copy" in change) return change.copy;
  if ("append" in change) return change.append;
  if ("dropFirst" in change) return change.dropFirst;
  return change.remove;
}

function checkChange(change: Change): void {
  checkPath(changedPath(change));
  if ("set" in change) checkValue(change.to);
  else if ("add" in change) checkNumber(change.by);
  else if ("copy" in change) {
    checkName(change.from);
    checkNumber(change.plus);
  } else if ("append" in change) for (const value of change.values) checkValue(value);
  else if ("dropFirst" in change)
    invariant(
      Number.isInteger(change.count) && change.count > 0 && change.count <= DROP_MOST,
      `dropFirst of ${change.count}; 1 to ${DROP_MOST}`,
    );
}

function checkValue(value: Value): void {
  if (typeof value === "number") checkNumber(value);
  else if (typeof value === "string") invariant(value.isWellFormed(), "a string is not Unicode");
  else if (typeof value !== "object" || value instanceof Uint8Array) return;
  else if (isList(value)) for (const one of value) checkValue(one);
  else {
    for (const name of Object.keys(value)) {
      invariant(name.length > 0, "an entry of a map has an empty name");
      checkValue(value[name] as Value);
    }
  }
}

function checkNumber(value: number): void {
  const size = Math.abs(value);
  // What a DynamoDB number can hold.
  invariant(value === 0 || (size >= 1e-130 && size < 1e126), `${value} cannot be stored as a number`);
}

const OBJECT_KEY = /^[A-Za-z0-9._/-]+$/;

/** The rules of `atomically`. */
export function checkAtomic(ops: readonly (Write | Check)[]): void {
  invariant(ops.length <= ATOMIC_MOST_ITEMS, `${ops.length} items in one transaction; at most ${ATOMIC_MOST_ITEMS}`);
  checkOperations(ops);
}

/** Throws {@link InvariantViolated} for a key that `bucket.ts` does not allow. */
export function checkObjectKey(key: string): void {
  invariant(key.length > 0 && key.length <= OBJECT_KEY_MOST_BYTES, `an object key of ${key.length} bytes; 1 to 1024`);
  invariant(OBJECT_KEY.test(key), `object key "${key}" has a character outside letters, digits and / . _ -`);
  for (const part of key.split("/")) {
    invariant(part !== "" && part !== "." && part !== "..", `object key "${key}" has a part that is empty, "." or ".."`);
    invariant(
      part.length <= OBJECT_KEY_PART_MOST_BYTES,
      `a part of object key "${key}" is over ${OBJECT_KEY_PART_MOST_BYTES} bytes`,
    );
  }
}
