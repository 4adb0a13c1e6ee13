/**
 * The roller: turns runs into segments.
 *
 * Steps, and what a crash between them leaves:
 * 1. note where keyed requests ended up (their claims may still be open); then: notes that agree with the runs;
 * 2. put the object, under an id of its own; then: an object that no index names, which the sweeper takes;
 * 3. in one transaction put the segment and delete the runs, on condition that each run is still there (`swap.ts`), and mark
 *    the partition for the merger and compaction; then: blobs that no index names;
 * 4. delete the blobs that belong to this partition alone and of which no ref is left;
 * 5. delete the mark in `WORK#`, at the counter that was read before the head was, unless the tail is so long that a seal may
 *    be under way, or a run is ahead of the head, whose refs may still be dropped: a sealer that marked before may still be about to put its run, or to drop its refs. Where the tail is
 *    shorter than a run, no drop of such a sealer can be applied any more, and its run, if it was dropped, was found.
 *
 * Two rollers at once: the transaction of one of them finds its runs gone and is refused.
 */
import type { Table, Write } from "../../ports/index.ts";
import { decodeHead, headKey, partitionKey, partitionName } from "../items/head.ts";
import { runRange } from "../items/run.ts";
import { type Segment, segmentObject } from "../items/segment.ts";
import { IndexBuilder } from "../items/segment-index.ts";
import { markTidy } from "../items/tidy.ts";
import { workKey } from "../items/work.ts";
import { type LocatedRef, refsOfRun } from "../read/locate.ts";
import { isRefusal } from "../storage-errors.ts";
import { BlobGone, carried } from "./carry.ts";
import { type JobParts, type JobReport, type JobRun, mayGoOn } from "./job.ts";
import { deleteBlobs, noteClaimed } from "./leaving.ts";
import { planRoll, type RollableRun, type RollPolicy } from "./plan-roll.ts";
import { objectId, swapIn } from "./swap.ts";

interface RollParts extends JobParts {
  readonly policy: RollPolicy;
}

export interface RollReport extends JobReport {
  readonly segments: number;
  readonly records: number;
  readonly sizeBytes: number;
  /** Something was left for later: younger than the grace time, or the runs moved meanwhile. */
  readonly left: boolean;
}

/** Rolls what can be rolled in one partition, segment after segment. */
export async function rollPartition(parts: RollParts, topicId: string, partition: number, run: JobRun): Promise<RollReport> {
  const { storage, clock, policy } = parts;
  const mark = await storage.table.get(workKey(topicId, partition));
  const report = { segments: 0, records: 0, sizeBytes: 0, left: false };
  for (;;) {
    const found = await rollableRuns(storage.table, topicId, partition, run.dryRun !== true);
    if (found === undefined) break;
    const { runs, tailRefs, ahead } = found;
    if (runs.length === 0 && (tailRefs >= policy.sealRefs || ahead)) return report;
    if (runs.length === 0) break;
    const taken = planRoll(runs, clock.nowMs(), policy);
    const last = taken.at(-1)?.refs.at(-1);
    if (run.dryRun === true) {
      if (last !== undefined) {
        run.say?.(
          `${partitionName(topicId, partition)}: ${taken.length} runs, offsets ${taken[0]?.runBase} to ${last.end - 1}, would become a segment`,
        );
      }
      return report;
    }
    const segment = last === undefined || !mayGoOn(run, clock) ? undefined : await rollRuns(parts, topicId, partition, taken);
    if (segment === undefined) {
      report.left = true;
      return report;
    }
    run.say?.(
      `${partitionName(topicId, partition)}: ${taken.length} runs became segment ${segment.base} to ${segment.last}, ${segment.sizeBytes} bytes`,
    );
    report.segments++;
    report.records += segment.last - segment.base + 1;
    report.sizeBytes += segment.sizeBytes;
  }
  if (mark !== undefined) await unmark(storage.table, topicId, partition, mark["k"] as number);
  return report;
}

/**
 * The runs that are to be rolled, in order; undefined when the partition is gone. Runs that a segment covers are void and
 * are taken away on the way; so is what lies below the log start. Runs that a crashed sealer put ahead of the head stay:
 * their refs are still in the tail. Should the tail have moved on by another cut since, such a run overlaps the next one,
 * with the same refs: each ref is rolled once.
 */
async function rollableRuns(
  table: Table,
  topicId: string,
  partition: number,
  drop: boolean,
): Promise<{ readonly runs: readonly RollableRun[]; readonly tailRefs: number; readonly ahead: boolean } | undefined> {
  const pk = partitionKey(topicId, partition);
  const item = await table.get(headKey(topicId, partition));
  if (item === undefined) return undefined;
  const { tailBase, start, tail } = decodeHead(item);
  const [newest] = await table.range(pk, { from: "S#", to: "S#~", reverse: true, limit: 1 });
  let next = newest === undefined ? 0 : Number(newest.key.sk.slice(2)) + 1;
  const rollable: RollableRun[] = [];
  let ahead = false;
  for (const found of await table.range(pk, runRange(0))) {
    const last = Number(found.key.sk.slice(2));
    if (last >= tailBase) {
      ahead = true;
      break;
    }
    const all = refsOfRun(found);
    const left = all.filter((one) => one.end > next);
    const refs = left.filter((one) => one.end > start);
    if (refs.length === 0) {
      if (drop && last >= start) await table.write({ op: "delete", key: found.key });
      continue;
    }
    rollable.push({
      key: found.key,
      runBase: (all[0] as LocatedRef).base,
      passed: left.slice(0, left.length - refs.length),
      refs,
    });
    next = last + 1;
  }
  return { runs: rollable, tailRefs: tail.length, ahead };
}

/** One segment out of these runs; undefined when somebody else was there first, or a blob is gone. */
async function rollRuns(
  parts: RollParts,
  topicId: string,
  partition: number,
  runs: readonly RollableRun[],
): Promise<Segment | undefined> {
  const { storage, clock } = parts;
  const { table, bucket } = storage;
  const refs = runs.flatMap((run) => run.refs);
  const base = (refs[0] as LocatedRef).base;
  const last = (refs.at(-1) as LocatedRef).end - 1;
  const leaving = runs.flatMap((run) => [...run.passed, ...run.refs]);
  await noteClaimed(table, clock, topicId, partition, leaving);
  const id = await objectId(parts, topicId, partition);
  const index = new IndexBuilder(base);
  try {
    await bucket.putStream(segmentObject(topicId, partition, { id, base }), carried(storage.blobs, refs, index));
  } catch (error) {
    if (error instanceof BlobGone) return undefined;
    throw error;
  }
  const sizeBytes = refs.reduce((sum, { ref }) => sum + ref.sizeBytes, 0);
  const segment = { id, base, last, sizeBytes, maxTimestampMs: index.maxTimestampMs, index: index.bytes() };
  const gone = runs.map(({ key, runBase }): Write => ({ op: "delete", key, when: [{ path: "b", is: "=", value: runBase }] }));
  const others = [...gone, markTidy(topicId, partition, parts.ids)];
  if (!(await swapIn(parts, topicId, partition, { segment, when: { item: "absent" }, rolls: true, others }))) return undefined;
  await deleteBlobs(storage, topicId, partition, leaving);
  return segment;
}

async function unmark(table: Table, topicId: string, partition: number, counter: number): Promise<void> {
  try {
    await table.write({ op: "delete", key: workKey(topicId, partition), when: [{ path: "k", is: "=", value: counter }] });
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
