/**
 * The sweeper: deletes what nothing refers to, whoever left it behind. Often it does the topics that were deleted and the
 * large blobs (those that several partitions share wait for it); once a day, and while a topic is being swept, it looks at
 * everything: every blob, every segment object, and partitions of which no topic knows.
 */
import { decodeSweep, encodeSweep, SWEEP_KEY } from "../../items/meta.ts";
import { type JobParts, type JobReport, type JobRun, mayGoOn } from "../job.ts";
import { sweepBlobs } from "./blobs.ts";
import { sweepObjects } from "./objects.ts";
import { noteStrangers, readTopics, sweepTopics } from "./topics.ts";

export interface SweepParts extends JobParts {
  /** What is younger is left alone: whoever made it may still be about to refer to it. */
  readonly graceMs: number;
}

export interface SweepReport extends JobReport {
  readonly blobs: number;
  readonly blobBytes: number;
  readonly objects: number;
  readonly objectBytes: number;
  readonly topics: number;
}

const DEEP_EVERY_MS = 86_400_000;

export async function sweep(parts: SweepParts, run: JobRun): Promise<SweepReport> {
  const { storage, clock } = parts;
  const done = { blobs: 0, blobBytes: 0, objects: 0, objectBytes: 0, topics: 0 };
  const last = await storage.table.get(SWEEP_KEY);
  const isDue = last === undefined || clock.nowMs() - decodeSweep(last) >= DEEP_EVERY_MS;
  const topics = await sweepTopics(parts, run);
  done.topics = topics.swept;
  if (topics.left) return { ...done, left: true };
  const deep = isDue || run.byHand === true || topics.swept > 0;
  if (deep && !(await noteStrangers(parts, run))) return { ...done, left: true };
  if (deep || !storage.blobs.separate) {
    const blobs = await sweepBlobs(parts, run, deep ? "all" : "large");
    done.blobs = blobs.count;
    done.blobBytes = blobs.sizeBytes;
    if (blobs.left) return { ...done, left: true };
  }
  if (deep) {
    const objects = await sweepObjects(parts, run, await readTopics(storage.table));
    done.objects = objects.count;
    done.objectBytes = objects.sizeBytes;
    if (objects.left) return { ...done, left: true };
    if (run.dryRun !== true && mayGoOn(run, clock)) {
      await storage.table.write({ op: "put", key: SWEEP_KEY, item: encodeSweep(clock.nowMs()) });
    }
  }
  return { ...done, left: false };
}
