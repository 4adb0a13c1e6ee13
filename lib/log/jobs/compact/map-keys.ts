/** The first half of a pass: the latest offset of each key in the dirty part, or in as much of it as there is room for. */
import { invariant } from "../../../base/assert.ts";
import { type BatchHeader, batchHeaders, forEachRecord } from "../../../kafka/index.ts";
import { type Segment, segmentObject } from "../../items/segment.ts";
import { positionsAround } from "../../items/segment-index.ts";
import { KeyMap } from "./key-map.ts";
import type { CompactParts, Place } from "./pass.ts";
import { checkBatch, readBatches } from "./read-batches.ts";

export interface Mapped {
  readonly keys: KeyMap;
  /** Every record of [from, end) is in it; a batch begins here, or the part ends. */
  readonly end: number;
}

/**
 * Maps [from, to), which the segments cover, batch by batch until the map is full or `goOn` says no; at least one batch.
 * Throws as `readBatches` and `forEachRecord`.
 */
export async function mapKeys(
  { storage, codecs, digest, mapBytes }: CompactParts,
  { topic, partition }: Place,
  segments: readonly Segment[],
  from: number,
  to: number,
  isAborted: (batch: BatchHeader) => boolean,
  goOn: () => boolean,
): Promise<Mapped> {
  const keys = new KeyMap(mapBytes, to - from, digest);
  let end = from;
  for (const segment of segments) {
    if (segment.last < from || segment.base >= to) continue;
    const position = positionsAround(segment, from).from;
    const object = segmentObject(topic.id, partition, segment);
    for await (const bytes of readBatches(storage.bucket, object, position, segment.sizeBytes)) {
      for (const batch of batchHeaders(bytes)) {
        const next = batch.baseOffset + batch.lastOffsetDelta + 1;
        if (next <= from) continue;
        if (batch.baseOffset >= to) return { keys, end: to };
        checkBatch(bytes, batch, object);
        if (keys.room < batch.recordCount) {
          invariant(end > from, "the map has room for one batch");
          return { keys, end };
        }
        end = next;
        if (batch.isControl || isAborted(batch)) continue;
        forEachRecord(bytes, batch.at, codecs, (record) => {
          const key = record.offset >= from ? record.key() : null;
          if (key !== null) keys.set(key, record.offset);
        });
      }
      if (!goOn()) return { keys, end };
    }
    end = Math.max(end, Math.min(to, segment.last + 1));
  }
  return { keys, end };
}
