/** Which partitions have something to roll: the marks in `WORK#`, so that an idle deployment costs nothing noticeable. */
import type { Table } from "../../ports/index.ts";
import { parsePartitionName } from "../items/head.ts";
import { WORK_SHARDS } from "../items/work.ts";

export interface WorkItem {
  readonly topicId: string;
  readonly partition: number;
}

export async function markedPartitions(table: Table): Promise<WorkItem[]> {
  const shards = await Promise.all(Array.from({ length: WORK_SHARDS }, (_, shard) => table.range(`WORK#${shard}`)));
  return shards.flat().map(({ key }) => parsePartitionName(key.sk));
}
