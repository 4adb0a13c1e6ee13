/**
 * Tidying: the partitions with segments that the merger or compaction has not looked at. Key `TIDY#<shard>`,
 * `<topicId>#<p>`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `k` | a counter: every segment that the roller puts adds to it (W1 in `work.ts`) |
 * | `m` | the counter at which the merger has looked |
 * | `c` | the counter at which compaction has looked |
 * | `d` | when compaction is to look again though no segment was put, milliseconds since 1970 |
 *
 * Y1  `k` grows in the transaction that puts a segment, and the item is deleted only at the counter that was read before
 *     the segments were: so a segment that was not looked at is never without its mark.
 */
import type { Change, Condition, Ids, Item, Key, KeyedItem, Update, Write } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";
import { parsePartitionName, partitionName } from "./head.ts";
import { markStep, shardOf } from "./work.ts";

export interface Tidy {
  readonly topicId: string;
  readonly partition: number;
  readonly counter: number;
  readonly merged: number;
  readonly compacted: number;
  /** When compaction is to look again whatever the counter. */
  readonly lookAtMs: number | undefined;
}

/** Who has looked: `all` where nobody else will. */
export type TidyBy = "merged" | "compacted" | "all";

export function tidyShard(shard: number): string {
  return `TIDY#${shard}`;
}

function tidyKey(topicId: string, partition: number): Key {
  return { pk: tidyShard(shardOf(topicId, partition)), sk: partitionName(topicId, partition) };
}

export function decodeTidy({ key, item }: KeyedItem): Tidy {
  checkFormat(item, "a mark for the merger");
  return {
    ...parsePartitionName(key.sk),
    counter: number(item, "k"),
    merged: number(item, "m"),
    compacted: number(item, "c"),
    lookAtMs: item["d"] as number | undefined,
  };
}

function number(item: Item, name: string): number {
  return (item[name] as number | undefined) ?? 0;
}

export function markTidy(topicId: string, partition: number, ids: Ids): Update {
  return {
    op: "update",
    key: tidyKey(topicId, partition),
    changes: [
      { set: "v", to: FORMAT_VERSION },
      { add: "k", by: markStep(ids) },
    ],
  };
}

/** What is left of a mark after somebody has looked at the partition. */
export function seen(mark: Tidy, by: TidyBy, lookAtMs: number | undefined): Write {
  const { topicId, partition, counter } = mark;
  const key = tidyKey(topicId, partition);
  const merged = by !== "compacted" || mark.merged === counter;
  const compacted = by !== "merged" || (mark.compacted === counter && mark.lookAtMs === undefined);
  const same: Condition = { path: "k", is: "=", value: counter };
  if (merged && compacted && lookAtMs === undefined) return { op: "delete", key, when: [same] };
  const looked: Change = by === "merged" ? { set: "m", to: counter } : { set: "c", to: counter };
  const again: Change[] =
    by === "merged" ? [] : [lookAtMs === undefined ? { remove: "d" } : { set: "d", to: Math.ceil(lookAtMs) }];
  return { op: "update", key, changes: [looked, ...again], when: [same] };
}

/** Both have looked, at the same time: nobody has taken the mark away. */
export function isSettled({ counter, merged, compacted, lookAtMs }: Tidy): boolean {
  return merged === counter && compacted === counter && lookAtMs === undefined;
}
