/**
 * Retention of all topics: those that are due, partition by partition, some at once. A topic that was looked at whole gets
 * its next due time; one that was not goes on where it ended.
 */

import { decodeRetention, policyText, putRetention, RETENTION, type RetentionDue, retentionKey } from "../items/retention.ts";
import { decodeTopic, TOPICS } from "../items/topic.ts";
import { isRefusal } from "../storage-errors.ts";
import type { Topic } from "../types.ts";
import { type JobReport, type JobRun, mayGoOn } from "./job.ts";
import { type PartitionRetention, type RetainParts, retainPartition } from "./retain.ts";

const PARTITIONS_AT_ONCE = 16;
/** In a table's items a time is a finite number. */
const FAR_MS = 21_600_000;

export async function retain(parts: RetainParts, run: JobRun): Promise<JobReport> {
  const { storage, clock } = parts;
  const total = { records: 0, segmentsDeleted: 0, left: false };
  const topics = (await storage.table.range(TOPICS)).map(({ key, item }) => decodeTopic(key.sk, item));
  const dues = new Map((await storage.table.range(RETENTION)).map(({ key, item }) => [key.sk, decodeRetention(item)]));
  for (const topic of topics) {
    const due = dues.get(topic.id);
    dues.delete(topic.id);
    const isDue = run.byHand === true || due === undefined || due.policy !== policyText(topic) || due.atMs <= clock.nowMs();
    if (!isDue) continue;
    if (!mayGoOn(run, clock)) return { ...total, left: true };
    const one = await retainTopic(parts, run, topic, due);
    total.records += one.records;
    total.segmentsDeleted += one.segmentsDeleted;
    total.left ||= one.left;
  }
  // Of topics that are gone. One that came after the topics were read is looked at again: D1.
  if (run.dryRun !== true) for (const id of dues.keys()) await storage.table.write({ op: "delete", key: retentionKey(id) });
  return total;
}

async function retainTopic(parts: RetainParts, run: JobRun, topic: Topic, before: RetentionDue | undefined) {
  const { storage, clock } = parts;
  const policy = policyText(topic);
  const total = { records: 0, segmentsDeleted: 0, emptied: 0, left: false };
  let atMs = Number.POSITIVE_INFINITY;
  let next = before?.policy === policy && before.nextPartition < topic.partitions ? before.nextPartition : 0;
  while (next < topic.partitions && mayGoOn(run, clock)) {
    const some = Array.from({ length: Math.min(PARTITIONS_AT_ONCE, topic.partitions - next) }, (_, i) => next + i);
    const done = await Promise.all(some.map((partition) => retainPartition(parts, topic, partition, run.dryRun === true)));
    for (const [i, one] of done.entries()) {
      total.records += one.records;
      total.segmentsDeleted += one.segmentsDeleted;
      total.emptied += one.emptied ? 1 : 0;
      atMs = Math.min(atMs, one.dueMs);
      tell(run, topic, some[i] as number, one);
    }
    next += some.length;
  }
  if (total.emptied > 0) {
    const how = run.dryRun === true ? "would leave" : "leaves";
    run.warn?.(`topic "${topic.name}": its retention ${how} no record in ${total.emptied} of ${topic.partitions} partitions`);
  }
  total.left = next < topic.partitions;
  if (run.dryRun === true) return total;
  const due = total.left
    ? { atMs: 0, policy, nextPartition: next }
    : { atMs: Math.floor(Math.min(atMs, clock.nowMs() + FAR_MS)), policy, nextPartition: 0 };
  try {
    await storage.table.write(putRetention(topic.id, due, before));
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  return total;
}

function tell(run: JobRun, topic: Topic, partition: number, { records, segmentsDeleted }: PartitionRetention): void {
  if (records === 0 && segmentsDeleted === 0) return;
  const what = run.dryRun === true ? "would be given up" : `given up, ${segmentsDeleted} segments deleted`;
  run.say?.(`${topic.name}-${partition}: ${records} records ${what} by ${policyWords(topic)}`);
}

function policyWords({ configs }: Topic): string {
  const names = ["cleanup.policy", "retention.ms", "retention.bytes"].filter((name) => configs[name] !== undefined);
  return names.length === 0 ? "the default policy" : names.map((name) => `${name}=${configs[name]}`).join(", ");
}
