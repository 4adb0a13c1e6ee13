/** Merging in every partition that is marked; by hand in all there are. */
import { isCompacted } from "../config.ts";
import { isSettled, type Tidy } from "../items/tidy.ts";
import { decodeTopic, TOPICS } from "../items/topic.ts";
import { type JobParts, type JobRun, mayGoOn, unlessDamaged } from "./job.ts";
import { readMarks, settleMark } from "./marks.ts";
import { type MergeReport, mergePartition } from "./merge.ts";

/** Merges segments of all topics. */
export async function merge(parts: JobParts, run: JobRun): Promise<MergeReport> {
  const { storage, clock } = parts;
  const total = { merged: 0, sources: 0, sizeBytes: 0, left: false };
  const marks = await readMarks(storage.table);
  if (marks.length === 0 && run.byHand !== true) return total;
  const topics = (await storage.table.range(TOPICS)).map(({ key, item }) => decodeTopic(key.sk, item));
  const byPartition = new Map(marks.map((mark) => [`${mark.topicId}#${mark.partition}`, mark]));
  const work =
    run.byHand === true
      ? topics.flatMap((topic) =>
          Array.from({ length: topic.partitions }, (_, partition) => ({
            topic,
            partition,
            mark: byPartition.get(`${topic.id}#${partition}`),
          })),
        )
      : marks
          .filter(isDue)
          .map((mark) => ({ topic: topics.find(({ id }) => id === mark.topicId), partition: mark.partition, mark }));
  for (const { topic, partition, mark } of work) {
    if (!mayGoOn(run, clock)) return { ...total, left: true };
    if (topic !== undefined) {
      const one = await unlessDamaged(run, `${topic.name}-${partition}`, () => mergePartition(parts, topic, partition, run));
      total.merged += one?.merged ?? 0;
      total.sources += one?.sources ?? 0;
      total.sizeBytes += one?.sizeBytes ?? 0;
      if (one === undefined || one.left) {
        total.left = true;
        continue;
      }
    }
    if (mark === undefined || run.dryRun === true) continue;
    await settleMark(storage.table, mark, topic !== undefined && isCompacted(topic.configs) ? "merged" : "all");
  }
  return total;
}

/** A mark that both have seen is taken away by a look of the merger. */
function isDue(mark: Tidy): boolean {
  return mark.merged !== mark.counter || isSettled(mark);
}
