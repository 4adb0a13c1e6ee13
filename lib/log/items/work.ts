/**
 * Work: the partitions that have runs to roll. Key `WORK#<shard>`, `<topicId>#<p>`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `k` | a counter: every seal adds one |
 *
 * W1  Marked before a run is put, and deleted only at the counter that was read before the runs were: so a run is
 *     never without its mark.
 */
import type { Key, Update } from "../../ports/index.ts";
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

export function workKey(topicId: string, partition: number): Key {
  return { pk: `WORK#${shardOf(topicId, partition)}`, sk: partitionName(topicId, partition) };
}

export function markWork(topicId: string, partition: number): Update {
  return {
    op: "update",
    key: workKey(topicId, partition),
    changes: [
      { set: "v", to: FORMAT_VERSION },
      { add: "k", by: 1 },
    ],
  };
}
