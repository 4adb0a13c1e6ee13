/** Which records go to which partition. */
import type { Partitioner } from "../../kafka/index.ts";
import type { Topic } from "../../log/types.ts";
import type { ParsedRecord } from "../json/records.ts";
import { recordSizeBytes } from "./encode.ts";

export interface Group {
  readonly partition: number;
  readonly records: ParsedRecord[];
  /** Of each record in the request. */
  readonly indexes: number[];
}

/**
 * Groups records by partition, in the order of the request: the partition they name, else by key, else the one that
 * keyless records of this request all go to. A named partition is set in the record by the caller and not checked here.
 */
export function groupByPartition(records: readonly ParsedRecord[], topic: Topic, partitioner: Partitioner): Group[] {
  if (records.length === 1) {
    const record = records[0] as ParsedRecord;
    return [{ partition: choose(record, recordSizeBytes(record), topic, partitioner), records: [record], indexes: [0] }];
  }
  const groups = new Map<number, Group>();
  let sticky = -1;
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as ParsedRecord;
    let { partition } = record;
    if (partition < 0) {
      if (record.key !== null) partition = choose(record, 0, topic, partitioner);
      else {
        if (sticky < 0) sticky = choose(record, keylessBytes(records), topic, partitioner);
        partition = sticky;
      }
    }
    const group = groups.get(partition);
    if (group === undefined) groups.set(partition, { partition, records: [record], indexes: [i] });
    else {
      group.records.push(record);
      group.indexes.push(i);
    }
  }
  return [...groups.values()];
}

function choose(record: ParsedRecord, sizeBytes: number, topic: Topic, partitioner: Partitioner): number {
  if (record.partition >= 0) return record.partition;
  if (topic.partitions === 1) return 0;
  return partitioner(
    { topic: topic.name, key: record.key, value: record.value },
    { partitionCount: topic.partitions, sizeBytes },
  );
}

function keylessBytes(records: readonly ParsedRecord[]): number {
  let sizeBytes = 0;
  for (const record of records) if (record.key === null && record.partition < 0) sizeBytes += recordSizeBytes(record);
  return sizeBytes;
}
