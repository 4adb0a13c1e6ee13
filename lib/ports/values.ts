/** What values mean in every backend: equality, order, size, copies. Pure. */
import { compareBytes, equalBytes } from "../base/bytes.ts";
import type { Item, Key, Path, Value, ValueMap } from "./table.ts";

/** The value at a path; undefined when it, or the map that holds it, is absent. */
export function valueAt(item: Item | undefined, path: Path): Value | undefined {
  if (item === undefined) return undefined;
  if (typeof path === "string") return Object.hasOwn(item, path) ? item[path] : undefined;
  const map = valueAt(item, path[0]);
  return isMap(map) ? valueAt(map, path[1]) : undefined;
}

export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && !(value instanceof Uint8Array) && !Array.isArray(value);
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object") return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b);
  if (b instanceof Uint8Array) return false;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((one, i) => equalValues(one, b[i] as Value));
  if (isList(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equalValues(a[name] as Value, b[name] as Value))
  );
}

/** Below, at or above zero for two numbers, strings or byte arrays; undefined for anything else: those have no order. */
export function orderOf(a: Value, b: Value): number | undefined {
  if (typeof a === "number") return typeof b === "number" ? a - b : undefined;
  if (typeof a === "string") return typeof b === "string" ? compareText(a, b) : undefined;
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? compareBytes(a, b) : undefined;
  return undefined;
}

/** The order of two strings by their UTF-8 bytes, which differs from JavaScript's beyond U+FFFF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others. */
function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** A copy that shares no bytes, lists or maps with the value. -0 becomes 0. */
export function cloneValue(value: Value): Value {
  if (typeof value === "number") return value === 0 ? 0 : value;
  if (typeof value !== "object") return value;
  // Not `slice`: on a Buffer that is a view.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return isList(value) ? value.map(cloneValue) : cloneItem(value);
}

export function cloneItem(item: Item): Item {
  const copy: Record<string, Value> = {};
  for (const name of Object.keys(item)) setOwn(copy, name, cloneValue(item[name] as Value));
  return copy;
}

/** Sets a property whatever its name is, `__proto__` too. */
export function setOwn(map: Record<string, Value>, name: string, value: Value): void {
  if (name === "__proto__") {
    Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
  } else map[name] = value;
}

/** Bytes of a string in UTF-8. */
export function textBytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/**
 * Bytes of an item by DynamoDB's rules, its key and expiry (attributes `pk`, `sk` and `ttl`) included. Above 400 KB it
 * is refused, and each begun KB is one write unit.
 */
export function itemSizeBytes(key: Key, item: Item, expiresAtS: number | undefined): number {
  const expiry = expiresAtS === undefined ? 0 : 3 + numberBytes(expiresAtS);
  return 4 + textBytes(key.pk) + textBytes(key.sk) + expiry + attributesBytes(item, 0);
}

function attributesBytes(map: ValueMap, eachBytes: number): number {
  let bytes = 0;
  for (const name of Object.keys(map)) bytes += textBytes(name) + valueBytes(map[name] as Value) + eachBytes;
  return bytes;
}

function valueBytes(value: Value): number {
  if (typeof value === "string") return textBytes(value);
  if (typeof value === "number") return numberBytes(value);
  if (typeof value === "boolean") return 1;
  if (value instanceof Uint8Array) return value.byteLength;
  if (!isList(value)) return 3 + attributesBytes(value, 1);
  let bytes = 3;
  for (const one of value) bytes += valueBytes(one) + 1;
  return bytes;
}

/** A byte for two significant digits, one more, and one for a minus sign. */
function numberBytes(value: number): number {
  if (value === 0) return 1;
  const digits = Math.abs(value).toExponential().split("e")[0] as string;
  const significant = digits.length > 1 ? digits.length - 1 : 1;
  return Math.ceil(significant / 2) + 1 + (value < 0 ? 1 : 0);
}
