/**
 * Tidying: the partitions with segments that the merger or compaction has not looked at. Key `TIDY#<shard>`,
 * `<topicId>#<p>`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `k` | a counter: every segment that the roller puts adds one |
 * | `m` | the counter at which the merger has looked |
 * | `c` | the counter at which compaction has looked |
 * | `d` | when compaction is to look again though no segment was put, milliseconds since 1970 |
 *
 * Y1  `k` grows in the transaction that puts a segment, and the item is deleted only at the counter that was read before
 *     the segments were: so a segment that was not looked at is never without its mark.
 */
import type { Item, Key, KeyedItem, Update, Write } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";
import { parsePartitionName, partitionName } from "./head.ts";
import { shardOf } from "./work.ts";

export interface Tidy {
  readonly topicId: string;
  readonly partition: number;
  readonly counter: number;
  readonly merged: number;
}

export function tidyShard(shard: number): string {
  return `TIDY#${shard}`;
}

function tidyKey(topicId: string, partition: number): Key {
  return { pk: tidyShard(shardOf(topicId, partition)), sk: partitionName(topicId, partition) };
}

export function decodeTidy({ key, item }: KeyedItem): Tidy {
  checkFormat(item, "a mark for the merger");
  return { ...parsePartitionName(key.sk), counter: number(item, "k"), merged: number(item, "m") };
}

function number(item: Item, name: string): number {
  return (item[name] as number | undefined) ?? 0;
}

export function markTidy(topicId: string, partition: number): Update {
  return {
    op: "update",
    key: tidyKey(topicId, partition),
    changes: [
      { set: "v", to: FORMAT_VERSION },
      { add: "k", by: 1 },
    ],
  };
}

/** What the merger leaves of a mark that it has seen to. */
export function mergerIsDone({ topicId, partition, counter }: Tidy): Write {
  return { op: "delete", key: tidyKey(topicId, partition), when: [{ path: "k", is: "=", value: counter }] };
}
