/**
 * The fence of a partition: object ids at or below it may no longer be put into its index. Key `P#<topicId>#<p>`,
 * `FENCE`; `v` format version, `f` the id.
 *
 * F1  `f` only grows. Whoever wants to be sure that an object will never be referred to raises it to the object's id and
 *     then looks at the index.
 */
import { ULID_ZERO } from "../../base/ulid.ts";
import type { Check, Item, Key } from "../../ports/index.ts";
import { FORMAT_VERSION } from "./format.ts";
import { partitionKey } from "./head.ts";

export function fenceKey(topicId: string, partition: number): Key {
  return { pk: partitionKey(topicId, partition), sk: "FENCE" };
}

export function openFence(): Item {
  return { v: FORMAT_VERSION, f: ULID_ZERO };
}

/** Holds while this object may still be put into the index. */
export function belowFence(topicId: string, partition: number, objectId: Uint8Array): Check {
  return { op: "check", key: fenceKey(topicId, partition), when: [{ path: "f", is: "<", value: objectId }] };
}
