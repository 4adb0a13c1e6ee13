/**
 * What is done when refs leave the index: before, where keyed requests ended up is noted, for their claims may still be
 * open; after, the blobs of which no ref is left are deleted.
 */
import { compareUlids } from "../../base/ulid.ts";
import type { Clock, KeyedItem, Storage, Table } from "../../ports/index.ts";
import { carriedKey, encodeCarried } from "../items/carried.ts";
import { CLAIM_MS } from "../items/claim.ts";
import { decodeHead, headKey, partitionKey } from "../items/head.ts";
import { refIsOf } from "../items/ref.ts";
import { decodeRun, runRange } from "../items/run.ts";
import type { LocatedRef } from "../read/locate.ts";

/** Notes where keyed requests ended up. */
export async function noteClaimed(
  table: Table,
  clock: Clock,
  topicId: string,
  partition: number,
  refs: readonly LocatedRef[],
): Promise<void> {
  for (const { ref, base } of refs) {
    if (!ref.claimed) continue;
    await table.write({
      op: "put",
      key: carriedKey(topicId, partition, ref.blobId),
      item: encodeCarried(base),
      expiresAtMs: clock.nowMs() + CLAIM_MS,
    });
  }
}

/** Deletes blobs of this partition alone of which no ref is left: refs of one blob follow each other. */
export async function deleteBlobs(
  storage: Storage,
  topicId: string,
  partition: number,
  refs: readonly LocatedRef[],
): Promise<void> {
  const next = await nextRef(storage.table, topicId, partition, refs.at(-1)?.end ?? 0);
  const gone = refs
    .map(({ ref }) => ref)
    .filter(
      (ref, i) =>
        !ref.shared &&
        (next === undefined || !refIsOf(next, ref.blobId)) &&
        (i === 0 || compareUlids((refs[i - 1] as LocatedRef).ref.blobId, ref.blobId) !== 0),
    );
  if (gone.length > 0) await storage.blobs.delete(gone.map(({ blobId, place }) => ({ id: blobId, place })));
}

/** The packed ref that begins at this offset, in the head or in a run. */
async function nextRef(table: Table, topicId: string, partition: number, offset: number): Promise<Uint8Array | undefined> {
  const item = await table.get(headKey(topicId, partition));
  if (item === undefined) return undefined;
  const head = decodeHead(item);
  if (offset >= head.tailBase) return head.tail[0];
  const [run] = (await table.range(partitionKey(topicId, partition), { ...runRange(offset), limit: 1 })) as [KeyedItem?];
  return run && decodeRun(run.item).refs[0];
}
