/** The jobs behind the writers: each can die at any point, be run again, and run twice at once. */
import { decodeTopic, TOPICS } from "../items/topic.ts";
import { type RetainParts, type RetainReport, retainPartition } from "./retain.ts";
import { type RollParts, type RollReport, rollPartition } from "./roll.ts";
import { markedPartitions } from "./work.ts";

export { ROLL_POLICY } from "./plan-roll.ts";
export type { RollParts, RollReport };

/** Rolls every partition that is marked, until the time is over (on the clock's `monotonicMs`) or `signal` aborts. */
export async function roll(parts: RollParts, untilMs: number, signal?: AbortSignal): Promise<RollReport> {
  const total = { segments: 0, records: 0, sizeBytes: 0, left: false };
  for (const { topicId, partition } of await markedPartitions(parts.storage.table)) {
    if (signal?.aborted === true) break;
    const one = await rollPartition(parts, topicId, partition, untilMs);
    total.segments += one.segments;
    total.records += one.records;
    total.sizeBytes += one.sizeBytes;
    total.left ||= one.left;
  }
  return total;
}

/** Applies the retention of every topic, until the time is over (on the clock's `monotonicMs`) or `signal` aborts. */
export async function retain(parts: RetainParts, untilMs: number, signal?: AbortSignal): Promise<RetainReport> {
  const total = { records: 0, segmentsDeleted: 0 };
  const topics = await parts.storage.table.range(TOPICS);
  for (const { key, item } of topics) {
    const topic = decodeTopic(key.sk, item);
    for (let partition = 0; partition < topic.partitions; partition++) {
      if (signal?.aborted === true || parts.clock.monotonicMs() >= untilMs) return total;
      const one = await retainPartition(parts, topic, partition);
      total.records += one.records;
      total.segmentsDeleted += one.segmentsDeleted;
    }
  }
  return total;
}
