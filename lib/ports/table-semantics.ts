/**
 * What a condition and a change mean: the reference of every backend. The memory and the embedded backend run it; any
 * other says the same in its own language and passes the contract suite. Pure: items that go in are never changed, and
 * what comes out may share parts with them.
 */
import { ITEM_MOST_BYTES } from "./rules.ts";
import type { Change, Check, Condition, Item, Path, Value, Write } from "./table.ts";
import { StorageError } from "./table.ts";
import { equalValues, isList, isMap, itemSizeBytes, orderOf, setOwn, valueAt } from "./values.ts";

/** An item as a backend keeps it. */
export interface StoredItem {
  readonly item: Item;
  /** Seconds since 1970 from which on it reads as absent. */
  readonly expiresAtS: number | undefined;
}

/** Expiry is kept in whole seconds, rounded up. */
export function expirySeconds(expiresAtMs: number): number {
  return Math.ceil(expiresAtMs / 1000);
}

/** T4: an expired item is no item. */
export function isLive(expiresAtS: number | undefined, nowMs: number): boolean {
  return expiresAtS === undefined || nowMs < expiresAtS * 1000;
}

export type Evaluated =
  | { readonly ok: true; readonly after: StoredItem | undefined }
  | { readonly ok: false; readonly error: StorageError };

/**
 * Judges an operation on the item as it is (undefined: absent or expired) and says what it is after it. The operation
 * has passed `rules.ts`.
 */
export function evaluate(op: Write | Check, before: StoredItem | undefined): Evaluated {
  const failed = op.when?.find((condition) => !holds(before?.item, condition));
  if (failed !== undefined) return refused(op, describe(failed), before);
  if (op.op === "delete") return { ok: true, after: undefined };
  if (op.op === "check") return { ok: true, after: before };
  let item: Item;
  if (op.op === "put") item = op.item;
  else {
    const needs = op.changes.find((change) => !isPossible(before?.item, change));
    if (needs !== undefined) return refused(op, describeNeed(needs), before);
    item = applyChanges(before?.item, op.changes);
  }
  const kept = op.op === "update" ? before?.expiresAtS : undefined;
  const expiresAtS = op.expiresAtMs === undefined ? kept : expirySeconds(op.expiresAtMs);
  const sizeBytes = itemSizeBytes(op.key, item, expiresAtS);
  if (sizeBytes > ITEM_MOST_BYTES) {
    const message = `item ${op.key.pk} ${op.key.sk} would be ${sizeBytes} bytes; at most ${ITEM_MOST_BYTES}`;
    return { ok: false, error: new StorageError("too_large", message) };
  }
  return { ok: true, after: { item, expiresAtS } };
}

function refused(op: Write | Check, what: string, before: StoredItem | undefined): Evaluated {
  const message = `condition failed on ${op.key.pk} ${op.key.sk}: ${what}`;
  return { ok: false, error: new StorageError("condition_failed", message, { item: before?.item }) };
}

/** Does the condition hold on this item? */
export function holds(item: Item | undefined, condition: Condition): boolean {
  if ("item" in condition) return (item !== undefined) === (condition.item === "exists");
  const value = valueAt(item, condition.path);
  switch (condition.is) {
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
    case "contains":
      return contains(value, condition.value);
    case "lacks":
      return !contains(value, condition.value);
    case "!=":
      return value === undefined || !equalValues(value, condition.value);
    case "=":
      return value !== undefined && equalValues(value, condition.value);
  }
  const order = value === undefined ? undefined : orderOf(value, condition.value);
  if (order === undefined) return false;
  switch (condition.is) {
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
  }
}

function contains(list: Value | undefined, element: Value): boolean {
  return isList(list) && list.some((one) => equalValues(one, element));
}

/** Is there what the change needs: a number, a list, the map of an entry? */
function isPossible(item: Item | undefined, change: Change): boolean {
  if ("remove" in change) return true;
  if ("add" in change) return isNumber(valueAt(item, change.add), true);
  if ("append" in change) return isList(valueAt(item, change.append));
  if ("dropFirst" in change) return isList(valueAt(item, change.dropFirst));
  if ("copy" in change) return isNumber(valueAt(item, change.from), false) && hasMapOf(item, change.copy);
  return hasMapOf(item, change.set);
}

function isNumber(value: Value | undefined, orAbsent: boolean): boolean {
  return value === undefined ? orAbsent : typeof value === "number";
}

function hasMapOf(item: Item | undefined, path: Path): boolean {
  return typeof path === "string" || isMap(valueAt(item, path[0]));
}

/** The item after the changes, all of which see it as it is now. Each must be possible (see {@link evaluate}). */
export function applyChanges(before: Item | undefined, changes: readonly Change[]): Item {
  const after: Record<string, Value> = { ...before };
  const copied = new Set<string>();
  for (const change of changes) {
    if ("set" in change) write(after, copied, change.set, change.to);
    else if ("add" in change) write(after, copied, change.add, ((valueAt(before, change.add) ?? 0) as number) + change.by);
    else if ("copy" in change) write(after, copied, change.copy, (valueAt(before, change.from) as number) + change.plus);
    else if ("append" in change) setOwn(after, change.append, [...listAt(before, change.append), ...change.values]);
    else if ("dropFirst" in change) setOwn(after, change.dropFirst, listAt(before, change.dropFirst).slice(change.count));
    else if (typeof change.remove === "string") delete after[change.remove];
    else if (isMap(valueAt(before, change.remove[0]))) delete ownMap(after, copied, change.remove[0])[change.remove[1]];
  }
  return after;
}

function listAt(item: Item | undefined, name: string): readonly Value[] {
  return valueAt(item, name) as readonly Value[];
}

function write(after: Record<string, Value>, copied: Set<string>, path: Path, value: Value): void {
  if (typeof path === "string") setOwn(after, path, value);
  else setOwn(ownMap(after, copied, path[0]), path[1], value);
}

/** A map of the new item, copied from the old one the first time. */
function ownMap(after: Record<string, Value>, copied: Set<string>, name: string): Record<string, Value> {
  if (!copied.has(name)) {
    copied.add(name);
    setOwn(after, name, { ...(after[name] as Item) });
  }
  return after[name] as Record<string, Value>;
}

function describe(condition: Condition): string {
  if ("item" in condition) return `item ${condition.item}`;
  return `${pathText(condition.path)} ${condition.is}`;
}

function describeNeed(change: Change): string {
  if ("append" in change) return `${change.append} is a list`;
  if ("dropFirst" in change) return `${change.dropFirst} is a list`;
  if ("add" in change) return `${change.add} is a number`;
  if ("copy" in change) return `${change.from} is a number, and ${pathText(change.copy)} can be set`;
  if ("set" in change) return `${pathText(change.set)} is in a map`;
  return pathText(change.remove);
}

function pathText(path: Path): string {
  return typeof path === "string" ? path : `${path[0]}.${path[1]}`;
}
