/** Which partitions have something to roll: the marks in `WORK#`, so that an idle deployment costs nothing noticeable. */
import type { KeyedItem, Table } from "../../ports/index.ts";
import { parsePartitionName } from "../items/head.ts";
import { WORK_SHARDS, workShard } from "../items/work.ts";

export interface WorkItem {
  readonly topicId: string;
  readonly partition: number;
}

export async function markedPartitions(table: Table): Promise<WorkItem[]> {
  return (await allShards(table, workShard)).map(({ key }) => parsePartitionName(key.sk));
}

/** All marks of a kind: they are spread over partition keys. */
export async function allShards(table: Table, keyOf: (shard: number) => string): Promise<KeyedItem[]> {
  return (await Promise.all(Array.from({ length: WORK_SHARDS }, (_, shard) => table.range(keyOf(shard))))).flat();
}
