/**
 * Deleted topics: everything of theirs goes, then their tombstones. And partitions that no topic knows (of a creation that
 * died before the topic was put, or a growth that lost against a deletion) get a tombstone of their own.
 *
 * Steps for a tombstone that is older than the grace time, partition by partition; each can be done again:
 * 1. the head goes: nothing can be appended any more;
 * 2. the fence goes up to the end of all ids: nothing can be put into the index any more;
 * 3. runs with their blobs, segments with their objects, and every other item go;
 * 4. when all partitions are done twice, a grace time apart, the fences go, and the tombstone. What a write that came late
 *    left after the first time is gone with the second.
 * Blobs that were in a tail when its head went are found by the sweep of blobs: their partition has no head.
 *
 * W4  A tombstone of a topic that exists (a creation that took longer than it may) is dropped, and nothing is deleted.
 */
import { inParallel } from "../../../base/parallel.ts";
import type { KeyedItem, Storage, Table } from "../../../ports/index.ts";
import { endFence, fenceKey } from "../../items/fence.ts";
import { headKey, parsePartitionName, partitionKey } from "../../items/head.ts";
import { decodeSegment, segmentObject } from "../../items/segment.ts";
import {
  DELETED,
  decodeTombstone,
  decodeTopic,
  encodeTombstone,
  TOPICS,
  type Tombstone,
  tombstoneKey,
} from "../../items/topic.ts";
import { refsOfRun } from "../../read/locate.ts";
import { isRefusal } from "../../storage-errors.ts";
import { type JobRun, mayGoOn } from "../job.ts";
import type { SweepParts } from "./index.ts";

const PARTITIONS_AT_ONCE = 8;
const ITEMS_AT_ONCE = 100;
const PASSES = 2;

export interface KnownTopics {
  /** Ids of the topics that there are. */
  readonly live: ReadonlySet<string>;
  /** Ids of deleted topics that were not swept whole yet. */
  readonly beingSwept: ReadonlySet<string>;
}

export async function readTopics(table: Table): Promise<KnownTopics> {
  // The tombstones first: a topic that is deleted in between is in neither, and was there a moment ago.
  const beingSwept = (await table.range(DELETED)).filter(({ item }) => decodeTombstone(item).passes === 0);
  const live = (await table.range(TOPICS)).map(({ key, item }) => decodeTopic(key.sk, item).id);
  return { live: new Set(live), beingSwept: new Set(beingSwept.map(({ key }) => key.sk)) };
}

/** How many tombstones were done once more. */
export async function sweepTopics(parts: SweepParts, run: JobRun): Promise<{ readonly swept: number; readonly left: boolean }> {
  const { storage, clock, graceMs } = parts;
  const { table } = storage;
  const tombstones = await table.range(DELETED);
  const live = tombstones.length === 0 ? new Set<string>() : (await readTopics(table)).live;
  let swept = 0;
  for (const { key, item } of tombstones) {
    const tombstone = decodeTombstone(item);
    if (clock.nowMs() - tombstone.atMs < graceMs) continue;
    const what = tombstone.name === "" ? `partitions of no topic (${key.sk})` : `deleted topic "${tombstone.name}"`;
    if (run.dryRun === true) {
      run.say?.(`${what}: its ${tombstone.partitions} partitions would be swept`);
      swept++;
      continue;
    }
    if (live.has(key.sk)) {
      await table.write({ op: "delete", key });
      continue;
    }
    if (!(await sweepTopic(parts, run, key.sk, tombstone))) return { swept, left: true };
    run.say?.(`${what}: ${tombstone.partitions} partitions swept, time ${tombstone.passes + 1} of ${PASSES}`);
    swept++;
  }
  return { swept, left: false };
}

/** True when it was done whole. */
async function sweepTopic(parts: SweepParts, run: JobRun, topicId: string, tombstone: Tombstone): Promise<boolean> {
  const { storage, clock } = parts;
  const { table } = storage;
  const { partitions, passes } = tombstone;
  const last = passes + 1 >= PASSES;
  let next = tombstone.nextPartition;
  while (next < partitions && mayGoOn(run, clock)) {
    const some = Array.from({ length: Math.min(PARTITIONS_AT_ONCE, partitions - next) }, (_, i) => next + i);
    await inParallel(some, PARTITIONS_AT_ONCE, (partition) => sweepPartition(storage, topicId, partition, last));
    next += some.length;
  }
  const key = tombstoneKey(topicId);
  if (next < partitions) {
    await table.write({ op: "put", key, item: encodeTombstone({ ...tombstone, nextPartition: next }) });
    return false;
  }
  if (last) await table.write({ op: "delete", key });
  else {
    const again = { ...tombstone, passes: passes + 1, nextPartition: 0, atMs: clock.nowMs() };
    await table.write({ op: "put", key, item: encodeTombstone(again) });
  }
  return true;
}

async function sweepPartition(storage: Storage, topicId: string, partition: number, last: boolean): Promise<void> {
  const { table, blobs, bucket } = storage;
  const pk = partitionKey(topicId, partition);
  await table.write({ op: "delete", key: headKey(topicId, partition) });
  await table.write({ op: "put", key: fenceKey(topicId, partition), item: endFence() });
  for (let from = "!"; ; ) {
    const page = await table.range(pk, { from, limit: ITEMS_AT_ONCE });
    for (const prefix of ["R#", "S#"] as const) {
      const found = page.filter(({ key }) => key.sk.startsWith(prefix));
      if (prefix === "R#") await blobs.delete(ownBlobs(found));
      else await bucket.delete(found.map(({ key, item }) => segmentObject(topicId, partition, decodeSegment(key, item))));
    }
    const going = page.filter(({ key }) => key.sk !== "FENCE");
    if (going.length > 0) await table.inOrder([going.map(({ key }) => ({ op: "delete", key }))]).then(throwFirst);
    const end = page.at(-1);
    if (end === undefined || page.length < ITEMS_AT_ONCE) break;
    from = `${end.key.sk}\0`;
  }
  if (last) await table.write({ op: "delete", key: fenceKey(topicId, partition) });
}

/** The blobs that are of this partition alone. */
function ownBlobs(runs: readonly KeyedItem[]): { readonly id: Uint8Array; readonly place: 0 | 1 | 2 | 3 }[] {
  return runs
    .flatMap(refsOfRun)
    .filter(({ ref }) => !ref.shared)
    .map(({ ref }) => ({ id: ref.blobId, place: ref.place }));
}

function throwFirst(settled: Awaited<ReturnType<Table["inOrder"]>>): void {
  for (const one of settled.flat()) if (!one.ok) throw one.error;
}

/** Puts a tombstone for partitions that no topic knows. False when the time was over before all were seen. */
export async function noteStrangers({ storage, clock }: SweepParts, run: JobRun): Promise<boolean> {
  const { table } = storage;
  const { live } = await readTopics(table);
  const strangers = new Map<string, number>();
  for await (const page of table.scan("P#")) {
    if (!mayGoOn(run, clock)) return false;
    for (const pk of page) {
      const { topicId, partition } = parsePartitionName(pk.slice(2));
      if (!live.has(topicId)) strangers.set(topicId, Math.max(strangers.get(topicId) ?? 0, partition + 1));
    }
  }
  for (const [topicId, partitions] of strangers) {
    if (run.dryRun === true) continue;
    const key = tombstoneKey(topicId);
    const known = await table.get(key);
    const tombstone = known && decodeTombstone(known);
    if (tombstone !== undefined && tombstone.partitions >= partitions) continue;
    const item = encodeTombstone(
      tombstone === undefined
        ? { name: "", partitions, atMs: clock.nowMs(), passes: 0, nextPartition: 0 }
        : { ...tombstone, partitions, passes: 0, nextPartition: 0 },
    );
    try {
      await table.write({ op: "put", key, item, when: [known === undefined ? { item: "absent" } : { item: "exists" }] });
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
  return true;
}
