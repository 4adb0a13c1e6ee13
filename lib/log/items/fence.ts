/**
 * The fence of a partition: object ids at or below it may no longer be put into its index. Key `P#<topicId>#<p>`,
 * `FENCE`; `v` format version, `f` the id, `r` one after the last offset that was ever rolled.
 *
 * F1  `f` only grows. Whoever wants to be sure that an object will never be referred to raises it to the object's id and
 *     then looks at the index.
 * F2  `r` only grows, and what is rolled begins at or above it: an offset is rolled once. A run that a slow sealer puts once
 *     more after its segment was merged into another (so that the key of that segment is free) is not rolled again, by a
 *     roller that has looked at the segments before, nor by a transaction that is applied late.
 */
import { ULID_LAST, ULID_ZERO } from "../../base/ulid.ts";
import type { Check, Condition, Item, Key, Table, Update } from "../../ports/index.ts";
import { isRefusal } from "../storage-errors.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";
import { partitionKey } from "./head.ts";

export function fenceKey(topicId: string, partition: number): Key {
  return { pk: partitionKey(topicId, partition), sk: "FENCE" };
}

export function openFence(): Item {
  return { v: FORMAT_VERSION, f: ULID_ZERO, r: 0 };
}

/** Of a partition that is gone: nothing can be put into its index. */
export function endFence(): Item {
  return { v: FORMAT_VERSION, f: ULID_LAST, r: Number.MAX_SAFE_INTEGER };
}

/** Raises it to this id, unless it is there already. */
export async function raiseFence(table: Table, topicId: string, partition: number, objectId: Uint8Array): Promise<void> {
  const key = fenceKey(topicId, partition);
  const raise = {
    op: "update",
    key,
    changes: [{ set: "f", to: objectId }],
    when: [{ path: "f", is: "<", value: objectId }],
  } as const;
  try {
    await table.write(raise);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (error.item !== undefined) return;
    // There is none yet: it is made, and raised then.
    await readFence(table, topicId, partition);
    await raiseFence(table, topicId, partition, objectId);
  }
}

/** The id; where there is no fence yet it is made, open. Whoever makes it at the same time makes the same. */
export async function readFence(table: Table, topicId: string, partition: number): Promise<Uint8Array> {
  const key = fenceKey(topicId, partition);
  const item = await table.get(key);
  if (item !== undefined) return decodeFence(item);
  try {
    await table.write({ op: "put", key, item: openFence(), when: [{ item: "absent" }] });
  } catch (error) {
    if (!isRefusal(error) || error.item === undefined) throw error;
    return decodeFence(error.item);
  }
  return decodeFence(openFence());
}

export function decodeFence(item: Item): Uint8Array {
  checkFormat(item, "a fence");
  return item["f"] as Uint8Array;
}

/** Holds while this object may still be put into the index. */
export function belowFence(topicId: string, partition: number, objectId: Uint8Array): Check {
  return { op: "check", key: fenceKey(topicId, partition), when: [isBelow(objectId)] };
}

/** The same of an object that is rolled; notes that offsets up to `last` are (F2). */
export function rollPastFence(topicId: string, partition: number, objectId: Uint8Array, base: number, last: number): Update {
  return {
    op: "update",
    key: fenceKey(topicId, partition),
    changes: [{ set: "r", to: last + 1 }],
    when: [isBelow(objectId), { path: "r", is: "<=", value: base }],
  };
}

function isBelow(objectId: Uint8Array): Condition {
  return { path: "f", is: "<", value: objectId };
}
