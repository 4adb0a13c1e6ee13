/**
 * Segment objects that no index names: of a roller or merger that died between object and transaction, or after the
 * transaction and before it deleted what it had replaced.
 *
 * W3  The fence of the partition is raised to the object's id before the index is read: so an object that is not found
 *     there never will be.
 *
 * Keys that are not of a segment's form are somebody else's and are never touched.
 */

import { inParallel } from "../../../base/parallel.ts";
import { compareUlids } from "../../../base/ulid.ts";
import type { KeyedItem, ObjectInfo, Table } from "../../../ports/index.ts";
import { raiseFence } from "../../items/fence.ts";
import { partitionKey } from "../../items/head.ts";
import { decodeSegment, parseSegmentObject, type SegmentObject, segmentRange } from "../../items/segment.ts";
import { type JobRun, mayGoOn } from "../job.ts";
import { idBefore } from "./blobs.ts";
import type { SweepParts } from "./index.ts";
import type { KnownTopics } from "./topics.ts";

const OBJECTS_AT_ONCE = 8;

interface Found extends SegmentObject {
  readonly key: string;
  readonly sizeBytes: number;
}

export async function sweepObjects(
  { storage, clock, graceMs }: SweepParts,
  run: JobRun,
  known: KnownTopics,
): Promise<{ readonly count: number; readonly sizeBytes: number; readonly left: boolean }> {
  const total = { count: 0, sizeBytes: 0, left: false };
  const upTo = idBefore(clock.nowMs(), graceMs);
  for await (const page of storage.bucket.list("segments/")) {
    if (!mayGoOn(run, clock)) return { ...total, left: true };
    const found = page.flatMap((info) => oldSegment(info, upTo)).filter(({ topicId }) => !known.beingSwept.has(topicId));
    const suspects = await without(storage.table, found, known);
    for (const [partition, youngest] of youngestByPartition(suspects, known)) {
      if (run.dryRun !== true) await raiseFence(storage.table, partition.topicId, partition.partition, youngest);
    }
    const dead = await without(storage.table, suspects, known);
    if (run.dryRun !== true) await storage.bucket.delete(dead.map(({ key }) => key));
    for (const { key, sizeBytes } of dead) {
      total.count++;
      total.sizeBytes += sizeBytes;
      run.say?.(`object ${key}, ${sizeBytes} bytes: no index names it`);
    }
  }
  return total;
}

function oldSegment({ key, sizeBytes }: ObjectInfo, upTo: Uint8Array): Found[] {
  const parsed = parseSegmentObject(key);
  return parsed !== undefined && compareUlids(parsed.id, upTo) <= 0 ? [{ ...parsed, key, sizeBytes }] : [];
}

/** Those that the index of their partition does not name. */
async function without(table: Table, objects: readonly Found[], known: KnownTopics): Promise<Found[]> {
  const named = await inParallel(objects, OBJECTS_AT_ONCE, async ({ topicId, partition, id, base }) => {
    if (!known.live.has(topicId)) return false;
    const [item] = (await table.range(partitionKey(topicId, partition), { ...segmentRange(base), limit: 1 })) as [KeyedItem?];
    return item !== undefined && compareUlids(decodeSegment(item.key, item.item).id, id) === 0;
  });
  return objects.filter((_, i) => named[i] === false);
}

/** Of partitions that there are: a fence of another one would be left behind, and nothing can be put into its index. */
function youngestByPartition(objects: readonly Found[], known: KnownTopics): Map<Found, Uint8Array> {
  const youngest = new Map<string, Found>();
  for (const one of objects) {
    if (!known.live.has(one.topicId)) continue;
    const name = `${one.topicId}#${one.partition}`;
    const before = youngest.get(name);
    if (before === undefined || compareUlids(one.id, before.id) > 0) youngest.set(name, one);
  }
  return new Map([...youngest.values()].map((one) => [one, one.id]));
}
