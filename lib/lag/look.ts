/**
 * A look at groups from outside: what they have committed, where their partitions end, and their windows after that.
 *
 * K1  Commits are read before heads. So an offset above the log end is one that was committed so, never a late look.
 * K2  Nothing is written here.
 */
import { inParallel } from "../base/parallel.ts";
import { groupPk } from "../groups/items/group.ts";
import { blockRange, entryOf, type OffsetEntry, parseBlockKey, partitionsIn } from "../groups/items/offsets.ts";
import { decodeHead, type Head, headKey, partitionName } from "../log/items/head.ts";
import { storageStep } from "../log/storage-errors.ts";
import type { Topic } from "../log/types.ts";
import type { Clock, Item, Key, Storage } from "../ports/index.ts";
import { decodeWindows, type Windows, windowsKey } from "./items/window.ts";
import { placeOf } from "./position.ts";
import type { LagSettings } from "./settings.ts";
import { NO_WINDOW, observe, type Window } from "./window.ts";

const QUERIES_AT_ONCE = 16;

export interface LookParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly settings: LagSettings;
}

export interface PartitionLook {
  readonly topic: Topic;
  readonly partition: number;
  /** What is committed; its offset is a place in the log. */
  readonly entry: OffsetEntry;
  /** Undefined: the partition is not there, though its topic is. */
  readonly head: Head | undefined;
  /** After this look. */
  window: Window;
}

/** The partitions of one windows item. */
export interface BlockLook {
  readonly key: Key;
  readonly partitions: PartitionLook[];
  /** As it is stored. */
  readonly stored: Windows;
}

export interface GroupLook {
  readonly group: string;
  readonly blocks: readonly BlockLook[];
  readonly nowMs: number;
}

interface Block {
  readonly topic: Topic;
  readonly block: number;
  readonly item: Item;
}

/** Looks at some groups together. Offsets of topics that are not there any more do not count. */
export async function lookAt(
  { storage, clock, settings }: LookParts,
  groups: readonly string[],
  topics: ReadonlyMap<string, Topic>,
): Promise<GroupLook[]> {
  const { table } = storage;
  return storageStep("look at the lag of groups", async () => {
    const committed = await inParallel(groups, QUERIES_AT_ONCE, async (group) =>
      (await table.range(groupPk(group), blockRange())).flatMap(({ key, item }): Block[] => {
        const { topicId, block } = parseBlockKey(key.sk);
        const topic = topics.get(topicId);
        return topic === undefined || partitionsIn(item, block, "offset").length === 0 ? [] : [{ topic, block, item }];
      }),
    );
    const windowKeys = committed.flatMap((blocks, i) =>
      blocks.map(({ topic, block }) => windowsKey(groups[i] as string, topic.id, block)),
    );
    const heads = new Map<string, Key>();
    for (const { topic, block, item } of committed.flat()) {
      for (const partition of partitionsIn(item, block, "offset")) {
        heads.set(partitionName(topic.id, partition), headKey(topic.id, partition));
      }
    }
    const [headItems, windowItems] = await Promise.all([table.getMany([...heads.values()]), table.getMany(windowKeys)]);
    const nowMs = clock.nowMs();
    const decoded = new Map([...heads.keys()].map((name, i) => [name, headItems[i] && decodeHead(headItems[i])]));
    let next = 0;
    return groups.map((group, i) => ({
      group,
      nowMs,
      blocks: (committed[i] as Block[]).map((block) => {
        const at = next++;
        const stored = decodeWindows(windowItems[at], block.block);
        return lookAtBlock(windowKeys[at] as Key, block, stored, decoded, settings, nowMs);
      }),
    }));
  });
}

function lookAtBlock(
  key: Key,
  { topic, block, item }: Block,
  stored: Windows,
  heads: ReadonlyMap<string, Head | undefined>,
  settings: LagSettings,
  nowMs: number,
): BlockLook {
  const partitions = partitionsIn(item, block, "offset").map((partition): PartitionLook => {
    const head = heads.get(partitionName(topic.id, partition));
    const committed = entryOf(item, partition) as OffsetEntry;
    const entry = { ...committed, offset: placeOf(committed.offset, head) };
    const seen = { ...entry, logEndOffset: head?.next ?? 0 };
    return { topic, partition, entry, head, window: observe(stored.get(partition) ?? NO_WINDOW, seen, settings, nowMs) };
  });
  return { key, partitions, stored };
}

/** Must the item be written? */
export function hasChanged({ partitions, stored }: BlockLook): boolean {
  return partitions.length !== stored.size || partitions.some(({ partition, window }) => stored.get(partition) !== window);
}
