/**
 * Committed offsets of a group: 32 partitions of a topic share an item. Key `G#<group>`, `O#<topicId>#<block, 5 digits>`.
 * Of partition i of the block (0 to 31):
 *
 * | attribute | what |
 * |---|---|
 * | `v`, `k` | format version; counter: begins at about milliseconds since 1970, every change adds one |
 * | `s<i>` | stamp: the generation or epoch from which on it may be committed; absent: no member was ever given it |
 * | `w<i>` | guard: grows with every commit; about milliseconds since 1970 |
 * | `o<i>` | list: offset, leader epoch, committed at (milliseconds since 1970), metadata, expires at (or -1) |
 *
 * O1  A stamp only grows. It is written before any member learns that the partition is its own, so what an owner before it
 *     wrote late is refused: its epoch is below the stamp.
 * O2  A commit is written on condition that the stamp is not above its epoch and that the guard is what was read, and it sets a
 *     larger one; so does a stamp. So two commits are ordered whatever their clocks say, and one whose answer was lost is
 *     dead once anything later was applied.
 * O4  A block that was deleted and made again begins with another `k` and other guards: what was meant for the old one, by
 *     somebody late, fails.
 * O3  Admin tools and consumers without group management never write a stamp, and commit on condition that it is what
 *     it was when the group was seen without members.
 */

import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Change, Condition, Delete, Item, Key, Update, Value } from "../../ports/index.ts";
import { groupPk } from "./group.ts";

const BLOCK_PARTITIONS = 32;

export interface OffsetEntry {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly committedAtMs: number;
  readonly metadata: string;
  /** -1: by the group's retention. */
  readonly expiresAtMs: number;
}

export function blockOf(partition: number): number {
  return Math.floor(partition / BLOCK_PARTITIONS);
}

export function blockKey(group: string, topicId: string, block: number): Key {
  return { pk: groupPk(group), sk: `${topicPrefix(topicId)}${String(block).padStart(5, "0")}` };
}

function topicPrefix(topicId: string): string {
  return `O#${topicId}#`;
}

/** Every block of a group, or of one topic of it. */
export function blockRange(topicId?: string): { readonly from: string; readonly to: string } {
  return topicId === undefined ? { from: "O#", to: "O$" } : { from: topicPrefix(topicId), to: `O#${topicId}$` };
}

/** Topic and block of a sort key. */
export function parseBlockKey(sk: string): { readonly topicId: string; readonly block: number } {
  const [, topicId = "", block = ""] = sk.split("#");
  return { topicId, block: Number(block) };
}

function slot(partition: number): number {
  return partition % BLOCK_PARTITIONS;
}

export function stampOf(item: Item | undefined, partition: number): number | undefined {
  return item?.[`s${slot(partition)}`] as number | undefined;
}

export function guardOf(item: Item | undefined, partition: number): number | undefined {
  return item?.[`w${slot(partition)}`] as number | undefined;
}

export function entryOf(item: Item | undefined, partition: number): OffsetEntry | undefined {
  if (item === undefined) return undefined;
  checkFormat(item, "committed offsets");
  const entry = item[`o${slot(partition)}`] as readonly Value[] | undefined;
  if (entry === undefined) return undefined;
  const [offset, leaderEpoch, committedAtMs, metadata, expiresAtMs] = entry as [number, number, number, string, number];
  return { offset, leaderEpoch, committedAtMs, metadata, expiresAtMs };
}

/** The partitions of a block that have an offset, or only a stamp. */
export function partitionsIn(item: Item, block: number, what: "offset" | "stamp"): number[] {
  const letter = what === "offset" ? "o" : "s";
  return Array.from({ length: BLOCK_PARTITIONS }, (_, i) => i)
    .filter((i) => item[`${letter}${i}`] !== undefined)
    .map((i) => block * BLOCK_PARTITIONS + i);
}

/** The largest stamp in an item; 0 without one. */
export function largestStamp(item: Item): number {
  return Math.max(0, ...Object.keys(item).map((name) => (name.startsWith("s") ? (item[name] as number) : 0)));
}

export interface EntryWrite {
  readonly partition: number;
  readonly entry: OffsetEntry;
  /** What the commit must not be below. */
  readonly epoch: number;
  readonly guard: number;
}

/** Writes entries of one block, on the conditions of O2, by the item as it was read. */
export function writeEntries(key: Key, writes: readonly EntryWrite[], item: Item | undefined): Update {
  const changes: Change[] = changed(item, Math.max(...writes.map(({ guard }) => guard)));
  const when: Condition[] = [{ item: item === undefined ? "absent" : "exists" }];
  for (const { partition, entry, epoch, guard } of writes) {
    const i = slot(partition);
    changes.push({ set: `w${i}`, to: guard });
    changes.push({
      set: `o${i}`,
      to: [entry.offset, entry.leaderEpoch, entry.committedAtMs, entry.metadata, entry.expiresAtMs],
    });
    when.push(atMost(`s${i}`, stampOf(item, partition), "<=", epoch), still(`w${i}`, guardOf(item, partition)));
  }
  return { op: "update", key, changes, when };
}

/** Stamps partitions of one block with an epoch, on condition that each has the stamp that was read and no commit came. */
export function writeStamps(
  key: Key,
  stamps: readonly { readonly partition: number; readonly epoch: number }[],
  guard: number,
  item: Item | undefined,
): Update {
  const changes: Change[] = changed(item, guard);
  const when: Condition[] = [{ item: item === undefined ? "absent" : "exists" }];
  for (const { partition, epoch } of stamps) {
    const i = slot(partition);
    const found = guardOf(item, partition);
    changes.push({ set: `s${i}`, to: epoch }, { set: `w${i}`, to: Math.max(guard, (found ?? 0) + 1) });
    when.push(still(`s${i}`, stampOf(item, partition)), still(`w${i}`, found));
  }
  return { op: "update", key, changes, when };
}

/** Takes the offsets of partitions away and leaves their stamps, unless the block has changed since it was read. */
export function removeEntries(key: Key, partitions: readonly number[], item: Item): Update {
  const changes: Change[] = partitions.map((partition) => ({ remove: `o${slot(partition)}` }));
  return { op: "update", key, changes: [...changed(item, 0), ...changes], when: unchanged(item) };
}

/** Deletes a block, unless it has changed since it was read. */
export function deleteBlock(key: Key, item: Item): Delete {
  return { op: "delete", key, when: unchanged(item) };
}

function unchanged(item: Item): Condition[] {
  return [{ path: "k", is: "=", value: item["k"] as number }];
}

/** `first`: where the counter of a new block begins (O4). */
function changed(item: Item | undefined, first: number): Change[] {
  return [{ set: "v", to: FORMAT_VERSION }, item === undefined ? { set: "k", to: first } : { add: "k", by: 1 }];
}

function still(path: string, found: number | undefined): Condition {
  return found === undefined ? { path, is: "absent" } : { path, is: "=", value: found };
}

/** A comparison with an absent attribute never holds, so an absent one must be so still. */
function atMost(path: string, found: number | undefined, is: "<" | "<=", value: number): Condition {
  return found === undefined ? { path, is: "absent" } : { path, is, value };
}
