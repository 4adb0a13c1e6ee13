/** Items as DynamoDB has them, and back. Attributes `pk` and `sk` hold the key, `ttl` the expiry in seconds. Pure. */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { Item, Key, Value, ValueMap } from "../../ports/table.ts";
import type { StoredItem } from "../../ports/table-semantics.ts";
import { isList, setOwn } from "../../ports/values.ts";

export type Attributes = Record<string, AttributeValue>;

export function toAttribute(value: Value): AttributeValue {
  switch (typeof value) {
    case "string":
      return { S: value };
    case "number":
      return { N: String(value) };
    case "boolean":
      return { BOOL: value };
  }
  if (value instanceof Uint8Array) return { B: value };
  return isList(value) ? { L: value.map(toAttribute) } : { M: toAttributes(value) };
}

function toAttributes(map: ValueMap): Attributes {
  return Object.fromEntries(Object.keys(map).map((name) => [name, toAttribute(map[name] as Value)]));
}

/** The key of a request. */
export function toKey({ pk, sk }: Key): Attributes {
  return { pk: { S: pk }, sk: { S: sk } };
}

/** A whole item, with its key and expiry. */
export function toStored(key: Key, { item, expiresAtS }: StoredItem): Attributes {
  const out = toAttributes(item);
  out["pk"] = { S: key.pk };
  out["sk"] = { S: key.sk };
  if (expiresAtS !== undefined) out["ttl"] = { N: String(expiresAtS) };
  return out;
}

export function fromAttribute(attribute: AttributeValue): Value {
  if (attribute.B !== undefined) return attribute.B;
  if (attribute.N !== undefined) return Number(attribute.N);
  if (attribute.S !== undefined) return attribute.S;
  if (attribute.L !== undefined) return attribute.L.map(fromAttribute);
  if (attribute.M !== undefined) return fromAttributes(attribute.M);
  if (attribute.BOOL !== undefined) return attribute.BOOL;
  throw new TypeError(`an attribute of a type that this table does not use: ${Object.keys(attribute).join()}`);
}

function fromAttributes(attributes: Attributes): Item {
  const out: Record<string, Value> = {};
  for (const name of Object.keys(attributes)) setOwn(out, name, fromAttribute(attributes[name] as AttributeValue));
  return out;
}

/** An item as it came, without its key, its expiry apart. */
export function fromStored(attributes: Attributes): StoredItem {
  const { pk: _pk, sk: _sk, ttl, ...rest } = attributes;
  return { item: fromAttributes(rest), expiresAtS: ttl?.N === undefined ? undefined : Number(ttl.N) };
}

export function keyOf(attributes: Attributes): Key {
  return { pk: attributes["pk"]?.S ?? "", sk: attributes["sk"]?.S ?? "" };
}
