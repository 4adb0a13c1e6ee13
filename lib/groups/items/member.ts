/**
 * When a member was last heard of: an item of its own, so that heartbeats do not meet each other. Key `G#<group>`,
 * `M#<member id>`: `v` format version, `h` milliseconds since 1970. It expires by itself some time after its last write.
 *
 * M1  A hint about time alone: who is a member stands in `STATE`. A member without an item was heard of when its entry
 *     there says so.
 * M2  An item without an entry in `STATE` is of a member that was given its id and has not joined yet.
 */

import { FORMAT_VERSION } from "../../log/items/format.ts";
import type { Key, KeyedItem, Put, Update } from "../../ports/index.ts";
import { groupPk } from "./group.ts";

const PREFIX = "M#";
/** So long after its last write an item goes: longer than any session. */
const KEPT_MS = 3_600_000;

/** Member id to when it was last heard of. */
export type Heard = ReadonlyMap<string, number>;

export const MEMBER_RANGE = { from: PREFIX, to: "M$" };

export function memberKey(group: string, memberId: string): Key {
  return { pk: groupPk(group), sk: `${PREFIX}${memberId}` };
}

export function putMember(group: string, memberId: string, nowMs: number): Put {
  return { op: "put", key: memberKey(group, memberId), item: { v: FORMAT_VERSION, h: nowMs }, expiresAtMs: nowMs + KEPT_MS };
}

/** Only of a member that has an item. */
export function touchMember(group: string, memberId: string, nowMs: number): Update {
  return {
    op: "update",
    key: memberKey(group, memberId),
    changes: [{ set: "h", to: nowMs }],
    when: [{ item: "exists" }],
    expiresAtMs: nowMs + KEPT_MS,
  };
}

export function heardOf(items: readonly KeyedItem[]): Heard {
  return new Map(items.map(({ key, item }) => [key.sk.slice(PREFIX.length), item["h"] as number]));
}
