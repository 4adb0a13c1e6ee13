/**
 * A manifest: the segments of a partition from an offset on, as URLs that read them straight from the bucket.
 *
 * M1  The segments follow each other without a gap, and the first one holds the offset. Where none holds it, there are
 *     none: what is not rolled yet is read through the log.
 * M2  Only segments are named, never blobs: an object of blobs may hold records of other topics, and its URL all of them.
 * M3  No segment is named that reaches beyond the last stable offset: what of it was aborted is not known yet.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Clock, Storage } from "../../ports/index.ts";
import { type Head, lastStableOffset, partitionKey } from "../items/head.ts";
import { decodeSegment, type Segment, segmentObject, segmentRange } from "../items/segment.ts";
import { positionsAround } from "../items/segment-index.ts";
import { storageStep } from "../storage-errors.ts";
import type { Manifest, Topic } from "../types.ts";
import { readAborted } from "./aborted.ts";

/** How long a URL can be used. */
const URL_MS = 15 * 60_000;

export async function manifest(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  topic: Topic,
  partition: number,
  head: Head,
  offset: number,
  limit: number,
): Promise<Manifest> {
  const { bucket, table } = storage;
  const expiresAtMs = clock.nowMs() + URL_MS;
  const sign = (key: string): Promise<string> =>
    storageStep("sign the URL of a segment", async () => {
      const url = await bucket.presign(key, "GET", URL_MS);
      if (url !== undefined) return url;
      throw new BrokerlessError(
        "not_found",
        `the ${storage.kind} storage gives no URLs of its own: read the records through this API`,
      );
    });
  const items = await storageStep("read the index", () =>
    table.range(partitionKey(topic.id, partition), { ...segmentRange(offset), limit }),
  );
  const found = follow(
    items.map(({ key, item }) => decodeSegment(key, item)),
    offset,
    lastStableOffset(head),
  );
  if (found.length === 0) await sign("segments/none");
  const segments = await Promise.all(
    found.map(async (segment, i) => ({
      baseOffset: segment.base,
      nextOffset: segment.last + 1,
      url: await sign(segmentObject(topic.id, partition, segment)),
      fromByte: i === 0 ? positionsAround(segment, offset).from : 0,
      toByte: segment.sizeBytes,
    })),
  );
  const nextOffset = segments.at(-1)?.nextOffset ?? offset;
  const aborted = head.lastAbortOffset < offset ? [] : await readAborted(table, topic.id, partition, offset, nextOffset);
  return { segments, aborted, nextOffset, expiresAtMs, logStartOffset: head.start, logEndOffset: lastStableOffset(head) };
}

/** M1, M3. */
function follow(segments: readonly Segment[], offset: number, stable: number): Segment[] {
  const found: Segment[] = [];
  let next = offset;
  for (const segment of segments) {
    const follows = found.length === 0 ? segment.base <= next && next <= segment.last : segment.base === next;
    if (!follows || segment.last >= stable) break;
    found.push(segment);
    next = segment.last + 1;
  }
  return found;
}
