/**
 * Blobs that nothing refers to: what a crash left between blob and head, blobs of a deleted topic, and those that several
 * partitions share once all of them have rolled them.
 *
 * W1  The floor of every partition that a blob names is raised to its id before its head is read, and the head before the
 *     index: so a blob that is not found in either never will be.
 * W2  Refs are looked for in the tail, then in the runs: they only move this way. A ref that a segment covers counts no
 *     more: the segment has its bytes. Any other ref counts, void runs' too.
 *
 * A crash in here leaves raised floors, which make writers mint new ids and harm nothing.
 */
import { inParallel } from "../../../base/parallel.ts";
import { compareUlids, ulidFrom, ulidText } from "../../../base/ulid.ts";
import type { BlobInfo, KeyedItem, Table } from "../../../ports/index.ts";
import { raiseFloor } from "../../floor.ts";
import { decodeHead, headKey, parsePartitionName, partitionKey } from "../../items/head.ts";
import { runRange } from "../../items/run.ts";
import { refsOfRun, refsOfTail } from "../../read/locate.ts";
import { type JobRun, mayGoOn } from "../job.ts";
import type { SweepParts } from "./index.ts";

const BLOBS_AT_ONCE = 500;
const PARTITIONS_AT_ONCE = 16;

/** The largest id that was minted so long ago. */
export function idBefore(nowMs: number, graceMs: number): Uint8Array {
  return ulidFrom(Math.max(0, nowMs - graceMs), new Uint8Array(10).fill(255));
}

export async function sweepBlobs(
  parts: SweepParts,
  run: JobRun,
  which: "all" | "large",
): Promise<{ readonly count: number; readonly sizeBytes: number; readonly left: boolean }> {
  const { storage, clock, graceMs } = parts;
  const total = { count: 0, sizeBytes: 0, left: false };
  for await (const page of storage.blobs.list(idBefore(clock.nowMs(), graceMs), which)) {
    for (let at = 0; at < page.length; at += BLOBS_AT_ONCE) {
      if (!mayGoOn(run, clock)) return { ...total, left: true };
      const dead = await unreferred(storage.table, page.slice(at, at + BLOBS_AT_ONCE), run.dryRun === true);
      if (dead.length === 0) continue;
      if (run.dryRun !== true) await storage.blobs.delete(dead);
      for (const { id, sizeBytes, partitions } of dead) {
        total.count++;
        total.sizeBytes += sizeBytes;
        run.say?.(`blob ${ulidText(id)}, ${sizeBytes} bytes of ${partitions.length} partitions: nothing refers to it`);
      }
    }
  }
  return total;
}

/** Those of the blobs that nothing refers to, and never will. */
async function unreferred(table: Table, blobs: readonly BlobInfo[], dryRun: boolean): Promise<BlobInfo[]> {
  const youngest = new Map<string, Uint8Array>();
  for (const { id, partitions } of blobs) {
    for (const name of partitions) {
      const known = youngest.get(name);
      if (known === undefined || compareUlids(id, known) > 0) youngest.set(name, id);
    }
  }
  const referred = new Map<string, ReadonlySet<string>>();
  await inParallel([...youngest], PARTITIONS_AT_ONCE, async ([name, id]) => {
    referred.set(name, await referredIn(table, name, dryRun ? undefined : id));
  });
  return blobs.filter(({ id, partitions }) => !partitions.some((name) => referred.get(name)?.has(ulidText(id)) === true));
}

/** Ids of the blobs that a partition needs. None when the partition is gone. */
async function referredIn(table: Table, name: string, floor: Uint8Array | undefined): Promise<ReadonlySet<string>> {
  const { topicId, partition } = parsePartitionName(name);
  const item =
    floor === undefined ? await table.get(headKey(topicId, partition)) : await raiseFloor(table, topicId, partition, floor);
  if (item === undefined) return new Set();
  const pk = partitionKey(topicId, partition);
  const [newest] = (await table.range(pk, { from: "S#", to: "S#~", reverse: true, limit: 1 })) as [KeyedItem?];
  const covered = newest === undefined ? 0 : Number(newest.key.sk.slice(2)) + 1;
  const runs = await table.range(pk, runRange(0));
  const refs = [...refsOfTail(decodeHead(item)), ...runs.flatMap(refsOfRun).filter(({ end }) => end > covered)];
  return new Set(refs.map(({ ref }) => ulidText(ref.blobId)));
}
