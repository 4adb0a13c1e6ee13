/**
 * Work: the partitions that have runs to roll. Key `WORK#<shard>`, `<topicId>#<p>`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `k` | a counter: every seal adds to it, by chance so much |
 *
 * W1  Marked before a run is put, and deleted only at the counter that was read before a head with which no seal can be
 *     under way, and before the runs: so a run is never without its mark. A mark that is made anew begins at another number than the one that went, so that whoever has
 *     read that one does not take this one for it.
 */
import type { Ids, Key, Update } from "../../ports/index.ts";
import { FORMAT_VERSION } from "./format.ts";
import { partitionName } from "./head.ts";

/** Marks are spread over this many partition keys. */
export const WORK_SHARDS = 8;

/** The shard of a partition's marks. */
export function shardOf(topicId: string, partition: number): number {
  let hash = partition;
  for (let i = 0; i < topicId.length; i++) hash = (hash * 31 + topicId.charCodeAt(i)) | 0;
  return (hash >>> 0) % WORK_SHARDS;
}

export function workShard(shard: number): string {
  return `WORK#${shard}`;
}

export function workKey(topicId: string, partition: number): Key {
  return { pk: workShard(shardOf(topicId, partition)), sk: partitionName(topicId, partition) };
}

/** What a mark adds to its counter: a number that nobody guesses, and many of which fit. */
export function markStep(ids: Ids): number {
  return 1 + Math.floor(ids.random() * 2 ** 32);
}

export function markWork(topicId: string, partition: number, ids: Ids): Update {
  return {
    op: "update",
    key: workKey(topicId, partition),
    changes: [
      { set: "v", to: FORMAT_VERSION },
      { add: "k", by: markStep(ids) },
    ],
  };
}
