/**
 * The merger: makes one segment of small ones that follow each other, up to the topic's `segment.bytes`.
 *
 * Steps, and what a crash between them leaves:
 * 1. join the objects, under an id of its own (on the storage's side, where it can); then: an object that no index names,
 *    which the sweeper takes;
 * 2. in one transaction put the item of the whole in the place of the last one's and delete the others, on condition that
 *    each is still the one that was read (`swap.ts`); then: objects that no index names any more;
 * 3. delete the objects that it was made of.
 *
 * A reader that holds an item from before finds its object gone and reads the index again: the item that covers the offset is
 * then the whole one, for its key is its last offset. Retention may delete the item of the last one below the log start
 * meanwhile: all of the whole is below it then too. Two mergers at once: one of them is refused.
 */
import type { Bucket } from "../../ports/index.ts";
import { configNumber, configOf, isCompacted } from "../config.ts";
import { cleanKey, decodeClean } from "../items/clean.ts";
import { decodeHead, headKey, partitionKey } from "../items/head.ts";
import { decodeSegment, type Segment, segmentObject } from "../items/segment.ts";
import { IndexBuilder } from "../items/segment-index.ts";
import { isRefusal } from "../storage-errors.ts";
import type { Topic } from "../types.ts";
import { type JobParts, type JobReport, type JobRun, mayGoOn } from "./job.ts";
import { type MergePolicy, planMerge } from "./plan-merge.ts";
import { objectId, replaceSegments, SWAPPED_MOST } from "./swap.ts";

/** The newest segments are looked at: older ones were when they were new. By hand all are. */
const NEWEST = 64;
/** Retention gives up whole segments: an eighth of what is kept is as coarse as they become. */
const KEPT_PARTS = 8;
const SMALL_BYTES = 2 ** 20;

export interface MergeReport extends JobReport {
  /** Segments that were made. */
  readonly merged: number;
  /** Segments that are in them. */
  readonly sources: number;
  readonly sizeBytes: number;
}

/** What a topic's configs make of it. `apartAt`: see `MergePolicy`. */
export function mergePolicy({ configs }: Topic, apartAt: number): MergePolicy {
  const deletes = configOf(configs, "cleanup.policy").includes("delete");
  const keptMs = deletes ? configNumber(configs, "retention.ms") : -1;
  const keptBytes = deletes ? configNumber(configs, "retention.bytes") : -1;
  const segmentBytes = configNumber(configs, "segment.bytes");
  const segmentMs = configNumber(configs, "segment.ms");
  return {
    segmentBytes: keptBytes < 0 ? segmentBytes : Math.min(segmentBytes, Math.max(SMALL_BYTES, keptBytes / KEPT_PARTS)),
    spanMs: keptMs < 0 ? segmentMs : Math.min(segmentMs, keptMs / KEPT_PARTS),
    apartAt,
  };
}

/** Merges what there is to merge in one partition. */
export async function mergePartition(parts: JobParts, topic: Topic, partition: number, run: JobRun): Promise<MergeReport> {
  const { storage, clock } = parts;
  const report = { merged: 0, sources: 0, sizeBytes: 0, left: false };
  const item = await storage.table.get(headKey(topic.id, partition));
  if (item === undefined) return report;
  const { start } = decodeHead(item);
  const newest = run.byHand === true ? {} : { limit: NEWEST };
  const found = await storage.table.range(partitionKey(topic.id, partition), { from: "S#", to: "S#~", reverse: true, ...newest });
  const segments = found
    .map(({ key, item: one }) => decodeSegment(key, one))
    .reverse()
    .filter(({ last }) => last >= start);
  const clean = isCompacted(topic.configs) ? await storage.table.get(cleanKey(topic.id, partition)) : undefined;
  const policy = mergePolicy(topic, clean === undefined ? 0 : decodeClean(clean).firstDirty);
  for (;;) {
    const plan = planMerge(segments, policy, SWAPPED_MOST);
    if (plan === undefined) return report;
    if (!mayGoOn(run, clock)) return { ...report, left: true };
    const sources = segments.slice(plan.from, plan.to);
    const dry = run.dryRun === true;
    const whole = dry ? joined(sources, (sources[0] as Segment).id) : await mergeOne(parts, topic, partition, sources, run);
    if (whole === undefined) return { ...report, left: true };
    segments.splice(plan.from, sources.length, whole);
    run.say?.(
      `${topic.name}-${partition}: ${sources.length} segments ${dry ? "would become" : "became"} one of ${whole.sizeBytes} bytes, offsets ${whole.base} to ${whole.last}`,
    );
    if (dry) continue;
    report.merged++;
    report.sources += sources.length;
    report.sizeBytes += whole.sizeBytes;
  }
}

/** One segment out of these; undefined when somebody else changed them meanwhile. */
async function mergeOne(
  parts: JobParts,
  topic: Topic,
  partition: number,
  sources: readonly Segment[],
  run: JobRun,
): Promise<Segment | undefined> {
  const { bucket } = parts.storage;
  const whole = joined(sources, await objectId(parts, topic.id, partition));
  const objects = sources.map((source) => segmentObject(topic.id, partition, source));
  const object = segmentObject(topic.id, partition, whole);
  try {
    await bucket.concat(objects, object);
  } catch (error) {
    // One of them has gone: it was merged, compacted or given up meanwhile.
    if (isRefusal(error)) return undefined;
    throw error;
  }
  if (!(await hasSize(bucket, object, whole.sizeBytes))) {
    await bucket.delete([object]);
    run.warn?.(
      `${topic.name}-${partition}: segments from offset ${whole.base} to ${whole.last} are not as large as their items say: not merged`,
    );
    return undefined;
  }
  return (await replaceSegments(parts, topic.id, partition, sources, whole)) ? whole : undefined;
}

/** The segment that these make, one after the other. */
function joined(sources: readonly Segment[], id: Uint8Array): Segment {
  const { base } = sources[0] as Segment;
  const index = new IndexBuilder(base);
  let sizeBytes = 0;
  for (const source of sources) {
    index.join(source, sizeBytes);
    sizeBytes += source.sizeBytes;
  }
  return {
    id,
    base,
    last: (sources.at(-1) as Segment).last,
    sizeBytes,
    maxTimestampMs: index.maxTimestampMs,
    index: index.bytes(),
  };
}

/** An object that was damaged or replaced by hand would shift everything behind it. */
async function hasSize(bucket: Bucket, object: string, sizeBytes: number): Promise<boolean> {
  return (await bucket.get(object, { from: sizeBytes - 1, to: sizeBytes + 1 }))?.byteLength === 1;
}
