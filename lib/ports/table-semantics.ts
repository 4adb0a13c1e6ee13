/**
 * What the operations of a table mean, as pure functions: the memory and embedded backends run them, and the contract
 * suite holds every other backend to the same.
 */
import { compareBytes, equalBytes } from "../base/bytes.ts";
import {
  type Change,
  type Check,
  type Condition,
  type Item,
  type Key,
  type Path,
  StorageError,
  type Value,
  type ValueMap,
  type Write,
} from "./table.ts";

/** DynamoDB's limits. */
export const MAX_ITEM_BYTES = 409_600;
const MAX_PK_BYTES = 2048;
const MAX_SK_BYTES = 1024;
const MAX_TRANSACTION_OPS = 100;

const encoder = new TextEncoder();

/** Do all these predicates hold for the item (undefined: absent, or past its expiry)? */
export function holds(item: Item | undefined, when: readonly Condition[] | undefined): boolean {
  if (when !== undefined) for (const condition of when) if (!holdsOne(item, condition)) return false;
  return true;
}

function holdsOne(item: Item | undefined, condition: Condition): boolean {
  if ("item" in condition) return (condition.item === "exists") === (item !== undefined);
  const value = item === undefined ? undefined : at(item, condition.path);
  switch (condition.is) {
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
    case "=":
      return value !== undefined && equalValues(value, condition.value);
    case "!=":
      return value === undefined || !equalValues(value, condition.value);
    case "contains":
      return Array.isArray(value) && value.some((one) => equalValues(one, condition.value));
    case "lacks":
      return !(Array.isArray(value) && value.some((one) => equalValues(one, condition.value)));
    default: {
      const order = value === undefined ? undefined : compareValues(value, condition.value);
      if (order === undefined) return false;
      if (condition.is === "<") return order < 0;
      if (condition.is === "<=") return order <= 0;
      return condition.is === ">" ? order > 0 : order >= 0;
    }
  }
}

function at(item: Item, path: Path): Value | undefined {
  if (typeof path === "string") return Object.hasOwn(item, path) ? item[path] : undefined;
  const map = Object.hasOwn(item, path[0]) ? item[path[0]] : undefined;
  return isMap(map) && Object.hasOwn(map, path[1]) ? map[path[1]] : undefined;
}

function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function equalValues(a: Value, b: Value): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  if (a instanceof Uint8Array || b instanceof Uint8Array)
    return a instanceof Uint8Array && b instanceof Uint8Array && equalBytes(a, b);
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => equalValues(one, b[i] as Value));
  }
  const names = Object.keys(a);
  const other = b as ValueMap;
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && equalValues((a as ValueMap)[name] as Value, other[name] as Value))
  );
}

/** Order of two values of one type (text by its UTF-8 bytes); undefined when they have none. */
function compareValues(a: Value, b: Value): number | undefined {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return undefined;
}

/** Order of two texts by their UTF-8 bytes, as DynamoDB orders sort keys. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  // Without surrogates the order of UTF-16 units is that of UTF-8 bytes.
  if (!/[\ud800-\udfff]/.test(a) && !/[\ud800-\udfff]/.test(b)) return a < b ? -1 : 1;
  return compareBytes(encoder.encode(a), encoder.encode(b));
}

/**
 * The item after a write whose condition holds; undefined after a delete. The input is untouched; what did not change
 * is shared with it. Throws `TypeError` for a change that cannot be made, e.g. an append to what is not a list.
 */
export function applyWrite(item: Item | undefined, op: Write): Item | undefined {
  if (op.op === "delete") return undefined;
  if (op.op === "put") return op.item;
  const old = item ?? {};
  const next: Record<string, Value> = { ...old };
  for (const change of op.changes) applyChange(old, next, change);
  return next;
}

function applyChange(old: Item, next: Record<string, Value>, change: Change): void {
  if ("set" in change) setAt(old, next, change.set, change.to);
  else if ("add" in change) next[change.add] = numberAt(old, change.add, 0) + change.by;
  else if ("copy" in change) setAt(old, next, change.copy, numberAt(old, change.from) + change.plus);
  else if ("append" in change) next[change.append] = [...listAt(old, change.append), ...change.values];
  else if ("dropFirst" in change) next[change.dropFirst] = listAt(old, change.dropFirst).slice(change.count);
  else if (typeof change.remove === "string") delete next[change.remove];
  else if (isMap(next[change.remove[0]])) delete ownMap(old, next, change.remove[0])[change.remove[1]];
}

function setAt(old: Item, next: Record<string, Value>, path: Path, value: Value): void {
  if (typeof path === "string") next[path] = value;
  else ownMap(old, next, path[0])[path[1]] = value;
}

/** The map attribute as this update's own copy. */
function ownMap(old: Item, next: Record<string, Value>, name: string): Record<string, Value> {
  const map = next[name];
  if (!isMap(map)) throw new TypeError(`attribute "${name}" is not a map`);
  if (map === old[name]) next[name] = { ...map };
  return next[name] as Record<string, Value>;
}

function numberAt(item: Item, name: string, otherwise?: number): number {
  const value = Object.hasOwn(item, name) ? item[name] : otherwise;
  if (typeof value !== "number") throw new TypeError(`attribute "${name}" is not a number`);
  return value;
}

function listAt(item: Item, name: string): readonly Value[] {
  const value = item[name];
  if (!Array.isArray(value)) throw new TypeError(`attribute "${name}" is not a list`);
  return value;
}

/** A copy that shares nothing that can be changed. */
export function cloneValue<T extends Value>(value: T): T {
  if (typeof value !== "object") return value;
  if (value instanceof Uint8Array) return value.slice() as Value as T;
  if (Array.isArray(value)) return value.map(cloneValue) as Value as T;
  const copy: Record<string, Value> = {};
  for (const name of Object.keys(value)) copy[name] = cloneValue((value as ValueMap)[name] as Value);
  return copy as T;
}

/**
 * The size of an item as DynamoDB counts it: names and text as UTF-8, numbers two digits a byte, 3 bytes for a list or
 * map and 1 for each element.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
export function itemSizeBytes(key: Key, item: Item): number {
  let size = utf8Bytes(key.pk) + utf8Bytes(key.sk) + 4;
  for (const [name, value] of Object.entries(item)) size += utf8Bytes(name) + valueBytes(value);
  return size;
}

function valueBytes(value: Value): number {
  if (typeof value === "string") return utf8Bytes(value);
  if (typeof value === "number") return Math.ceil(String(Math.abs(value)).replace(/\D/g, "").length / 2) + (value < 0 ? 2 : 1);
  if (typeof value === "boolean") return 1;
  if (value instanceof Uint8Array) return value.byteLength;
  let size = 3;
  if (Array.isArray(value)) for (const one of value) size += 1 + valueBytes(one);
  else for (const [name, one] of Object.entries(value as ValueMap)) size += 1 + utf8Bytes(name) + valueBytes(one);
  return size;
}

function utf8Bytes(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate pair is two units and four bytes.
    if (unit > 0x7f) size += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return size;
}

/** Refuses a key that no backend could store. */
export function checkKey(key: Key): void {
  for (const [name, text, most] of [
    ["partition key", key.pk, MAX_PK_BYTES],
    ["sort key", key.sk, MAX_SK_BYTES],
  ] as const) {
    const size = utf8Bytes(text);
    if (size === 0 || size > most) throw new StorageError("too_large", `a ${name} has 1 to ${most} bytes; this one has ${size}`);
  }
}

/** Refuses an item that no backend could store. */
export function checkSize(key: Key, item: Item): void {
  const size = itemSizeBytes(key, item);
  if (size > MAX_ITEM_BYTES)
    throw new StorageError("too_large", `item ${key.pk} ${key.sk} has ${size} bytes; at most ${MAX_ITEM_BYTES} are stored`);
}

/** The expiry as it is kept: whole seconds, rounded up. */
export function expirySeconds(expiresAtMs: number): number {
  return Math.ceil(expiresAtMs / 1000);
}

/** Refuses a transaction that no backend could run. */
export function checkTransaction(ops: readonly (Write | Check)[]): void {
  if (ops.length > MAX_TRANSACTION_OPS) {
    throw new StorageError("too_large", `a transaction has ${ops.length} operations; at most ${MAX_TRANSACTION_OPS} are taken`);
  }
  if (new Set(ops.map(({ key }) => `${key.pk}\n${key.sk}`)).size !== ops.length) {
    throw new StorageError("unavailable", "a transaction names each item once");
  }
}
