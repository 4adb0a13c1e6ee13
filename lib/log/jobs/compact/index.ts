/** Compaction of all topics whose policy has it: in every partition that is marked and due; by hand in all there are. */
import { isCompacted } from "../../config.ts";
import { COMPACTED, compactedKey, compactionText, decodeCompacted, encodeCompacted } from "../../items/compacted-topic.ts";
import { markTidy, type Tidy } from "../../items/tidy.ts";
import { decodeTopic, TOPICS } from "../../items/topic.ts";
import type { Topic } from "../../types.ts";
import { type JobRun, mayGoOn, unlessDamaged } from "../job.ts";
import { readMarks, settleMark } from "../marks.ts";
import { SWAPPED_MOST } from "../swap.ts";
import { type CompactParts, type CompactReport, compactPartition } from "./pass.ts";

export type { CompactParts, CompactReport };

/** Memory for the keys of one pass: 4 million of them, within the 512 MB of a Lambda. */
const MAP_BYTES = 128 * 2 ** 20;

export const COMPACT_LIMITS = { mapBytes: MAP_BYTES, groupSegments: SWAPPED_MOST } as const;

export async function compact(parts: CompactParts, run: JobRun): Promise<CompactReport> {
  const { storage, clock } = parts;
  const total = { passes: 0, recordsRemoved: 0, bytesRemoved: 0, left: false };
  const all = (await storage.table.range(TOPICS)).map(({ key, item }) => decodeTopic(key.sk, item));
  const topics = new Map(all.filter(({ configs }) => isCompacted(configs)).map((topic) => [topic.id, topic]));
  if (run.dryRun !== true) await markChanged(parts, topics);
  for (const { topic, partition, mark } of await workOf(parts, run, topics)) {
    if (!mayGoOn(run, clock)) return { ...total, left: true };
    const one = await unlessDamaged(run, `${topic.name}-${partition}`, () => compactPartition(parts, topic, partition, run));
    total.passes += one?.passes ?? 0;
    total.recordsRemoved += one?.recordsRemoved ?? 0;
    total.bytesRemoved += one?.bytesRemoved ?? 0;
    if (one === undefined || one.left) total.left = true;
    else if (mark !== undefined && run.dryRun !== true) await settleMark(storage.table, mark, "compacted", one.lookAtMs);
  }
  return total;
}

/** Marks topics that are compacted since the last run, or otherwise; forgets those that are not any more. */
async function markChanged({ storage: { table }, ids }: CompactParts, topics: ReadonlyMap<string, Topic>): Promise<void> {
  const known = new Map((await table.range(COMPACTED)).map(({ key, item }) => [key.sk, decodeCompacted(item)]));
  for (const topic of topics.values()) {
    if (known.get(topic.id) === compactionText(topic)) continue;
    for (let partition = 0; partition < topic.partitions; partition++) await table.write(markTidy(topic.id, partition, ids));
    await table.write({ op: "put", key: compactedKey(topic.id), item: encodeCompacted(topic) });
  }
  for (const id of known.keys()) if (!topics.has(id)) await table.write({ op: "delete", key: compactedKey(id) });
}

interface Work {
  readonly topic: Topic;
  readonly partition: number;
  readonly mark: Tidy | undefined;
}

async function workOf({ storage, clock }: CompactParts, run: JobRun, topics: ReadonlyMap<string, Topic>): Promise<Work[]> {
  if (topics.size === 0) return [];
  const marks = await readMarks(storage.table);
  if (run.byHand !== true) {
    return marks.flatMap((mark) => {
      const topic = topics.get(mark.topicId);
      const due = mark.compacted !== mark.counter || (mark.lookAtMs !== undefined && mark.lookAtMs <= clock.nowMs());
      return topic !== undefined && due ? [{ topic, partition: mark.partition, mark }] : [];
    });
  }
  return [...topics.values()].flatMap((topic) =>
    Array.from({ length: topic.partitions }, (_, partition) => {
      const mark = marks.find((one) => one.topicId === topic.id && one.partition === partition);
      return { topic, partition, mark };
    }),
  );
}
