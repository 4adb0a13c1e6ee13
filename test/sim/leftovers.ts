/** What the storage keeps though nothing refers to it, once every job has been quiet. */
import { ulidText } from "../../lib/base/ulid.ts";
import { decodeHead, headKey, partitionKey } from "../../lib/log/items/head.ts";
import { decodeSegment, segmentObject } from "../../lib/log/items/segment.ts";
import { decodeTopic, TOPICS } from "../../lib/log/items/topic.ts";
import { refsOfRun, refsOfTail } from "../../lib/log/read/locate.ts";
import type { Storage } from "../../lib/ports/index.ts";

export async function leftovers({ table, blobs, bucket }: Storage): Promise<string[]> {
  const left: string[] = [];
  const partitions = new Set<string>();
  const blobsNeeded = new Set<string>();
  const objectsNeeded = new Set<string>();
  for (const { key, item } of await table.range(TOPICS)) {
    const topic = decodeTopic(key.sk, item);
    for (let p = 0; p < topic.partitions; p++) {
      const pk = partitionKey(topic.id, p);
      partitions.add(pk);
      const found = await table.get(headKey(topic.id, p));
      if (found === undefined) {
        left.push(`topic ${topic.name} has no partition ${p}`);
        continue;
      }
      const head = decodeHead(found);
      const segments = (await table.range(pk, { from: "S#", to: "S#~" })).map((one) => decodeSegment(one.key, one.item));
      for (const [i, segment] of segments.entries()) {
        objectsNeeded.add(segmentObject(topic.id, p, segment));
        const before = segments[i - 1];
        if (before !== undefined && segment.base !== before.last + 1) {
          left.push(`${topic.name}-${p}: segment ${segment.base} follows one that ends at ${before.last}`);
        }
        if (segment.last < head.start)
          left.push(`${topic.name}-${p}: a segment ends at ${segment.last}, the log starts at ${head.start}`);
      }
      const covered = (segments.at(-1)?.last ?? -1) + 1;
      const runs = (await table.range(pk, { from: "R#", to: "R#~" })).flatMap(refsOfRun).filter(({ end }) => end > covered);
      const unrolled = runs.filter(({ end }) => end <= head.tailBase && end > head.start);
      if (unrolled.length > 0) left.push(`${topic.name}-${p}: ${unrolled.length} refs in runs that nobody rolls`);
      for (const { ref } of [...refsOfTail(head), ...runs]) blobsNeeded.add(ulidText(ref.blobId));
    }
  }
  for await (const page of table.scan("P#")) {
    for (const pk of page) if (!partitions.has(pk)) left.push(`items of ${pk}, which no topic has`);
  }
  for await (const page of blobs.list(new Uint8Array(16).fill(255), "all")) {
    for (const { id } of page) if (!blobsNeeded.has(ulidText(id))) left.push(`blob ${ulidText(id)}`);
  }
  const objects = new Set<string>();
  for await (const page of bucket.list("")) {
    for (const { key } of page) {
      objects.add(key);
      if (!objectsNeeded.has(key)) left.push(`object ${key}`);
    }
  }
  for (const key of objectsNeeded) if (!objects.has(key)) left.push(`object ${key} is gone`);
  return left;
}
