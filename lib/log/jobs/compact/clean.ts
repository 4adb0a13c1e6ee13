/** The second half of a pass: some segments that follow each other, written as one without the records that it takes out. */

import type { RecordView } from "../../../kafka/index.ts";
import {
  type BatchHeader,
  batchHeaders,
  deleteHorizonOf,
  emptyBatch,
  filterBatch,
  markerCommits,
  peekBatchHeader,
} from "../../../kafka/index.ts";
import { type Segment, segmentObject } from "../../items/segment.ts";
import { IndexBuilder } from "../../items/segment-index.ts";
import { objectId, replaceSegments } from "../swap.ts";
import type { Mapped } from "./map-keys.ts";
import type { CompactParts, Place } from "./pass.ts";
import { checkBatch, ObjectGone, readBatches } from "./read-batches.ts";

/** What of a record decides whether it stays. */
export interface CleanRules extends Mapped {
  /** Log start offset: what is below it goes. */
  readonly start: number;
  readonly nowMs: number;
  /** A tombstone that is seen for the first time goes this long after it. */
  readonly deleteRetentionMs: number;
  /** Base offsets of producers' last batches: these stay, empty where need be, for their sequence counts. */
  readonly lastBatches: ReadonlySet<number>;
  readonly isAborted: (batch: BatchHeader) => boolean;
}

export interface Cleaned {
  readonly segment: Segment;
  readonly recordsRemoved: number;
  readonly bytesRemoved: number;
}

/** Undefined when somebody else changed the segments meanwhile. */
export async function cleanGroup(
  parts: CompactParts,
  place: Place,
  sources: readonly Segment[],
  rules: CleanRules,
): Promise<Cleaned | undefined> {
  const { topic, partition } = place;
  const { bucket } = parts.storage;
  const { base } = sources[0] as Segment;
  const { last } = sources.at(-1) as Segment;
  const id = await objectId(parts, topic.id, partition);
  const object = segmentObject(topic.id, partition, { id, base });
  const written = new Written(base);
  try {
    await bucket.putStream(object, cleaned(parts, place, sources, rules, last, written));
  } catch (error) {
    if (error instanceof ObjectGone) return undefined;
    throw error;
  }
  const segment = written.segment(id, last);
  const removed = { recordsRemoved: written.recordsRemoved, bytesRemoved: sizeOf(sources) - segment.sizeBytes };
  if (!written.changed && sources.length === 1) {
    await bucket.delete([object]);
    return { segment: sources[0] as Segment, ...removed };
  }
  return (await replaceSegments(parts, topic.id, partition, sources, segment)) ? { segment, ...removed } : undefined;
}

function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** What has been written of a segment. */
class Written {
  readonly #base: number;
  readonly #index: IndexBuilder;
  #sizeBytes = 0;
  recordsRemoved = 0;
  changed = false;

  constructor(base: number) {
    this.#base = base;
    this.#index = new IndexBuilder(base);
  }

  add({ baseOffset, sizeBytes, maxTimestampMs }: BatchHeader): void {
    this.#index.add(baseOffset, this.#sizeBytes, maxTimestampMs);
    this.#sizeBytes += sizeBytes;
  }

  segment(id: Uint8Array, last: number): Segment {
    const { maxTimestampMs } = this.#index;
    return { id, base: this.#base, last, sizeBytes: this.#sizeBytes, maxTimestampMs, index: this.#index.bytes() };
  }
}

async function* cleaned(
  { storage, codecs }: CompactParts,
  { topic, partition }: Place,
  sources: readonly Segment[],
  rules: CleanRules,
  last: number,
  written: Written,
): AsyncGenerator<Uint8Array> {
  const retain = retains(rules);
  const horizonMs = rules.nowMs + rules.deleteRetentionMs;
  for (const source of sources) {
    const object = segmentObject(topic.id, partition, source);
    for await (const bytes of readBatches(storage.bucket, object, 0, source.sizeBytes)) {
      // What does not change goes on in one piece.
      let from = 0;
      for (const batch of batchHeaders(bytes)) {
        checkBatch(bytes, batch, object);
        const after = cleanBatch(bytes, batch, rules, codecs, retain(batch), horizonMs, last);
        if (after === "same") {
          written.add(batch);
          continue;
        }
        written.changed = true;
        if (from < batch.at) yield bytes.subarray(from, batch.at);
        from = batch.at + batch.sizeBytes;
        written.recordsRemoved += batch.recordCount;
        if (after === undefined) continue;
        const header = peekBatchHeader(after, 0);
        written.recordsRemoved -= header.recordCount;
        written.add(header);
        yield after;
      }
      if (from < bytes.byteLength) yield bytes.subarray(from);
    }
  }
}

/** The batch as it is kept; undefined where it goes. */
function cleanBatch(
  bytes: Uint8Array,
  batch: BatchHeader,
  rules: CleanRules,
  codecs: CompactParts["codecs"],
  retain: (record: RecordView) => boolean,
  horizonMs: number,
  last: number,
): Uint8Array | "same" | undefined {
  // What was not mapped waits for the next pass.
  if (batch.baseOffset >= rules.end) return "same";
  const stays = rules.lastBatches.has(batch.baseOffset) || batch.baseOffset + batch.lastOffsetDelta === last;
  if (batch.isControl) return stays || !isOldCommit(bytes, batch, rules) ? "same" : undefined;
  const goes = batch.recordCount === 0 || rules.isAborted(batch);
  const kept = goes ? undefined : filterBatch(bytes, batch, codecs, retain, horizonMs);
  if (kept !== undefined) return kept.buffer === bytes.buffer ? "same" : kept;
  if (!stays) return undefined;
  return batch.recordCount === 0 ? "same" : emptyBatch(bytes, batch);
}

/** Of a commit nothing but its marker is left to tell, and readers of what is here do not need it. */
function isOldCommit(bytes: Uint8Array, batch: BatchHeader, { nowMs, deleteRetentionMs }: CleanRules): boolean {
  return markerCommits(bytes, batch.at) && nowMs > batch.maxTimestampMs + deleteRetentionMs;
}

/**
 * Kafka's rule (`Cleaner.shouldRetainRecord`): the latest record of its key, and a tombstone only until the batch's delete
 * horizon. A record without a key goes.
 */
function retains({ keys, start, nowMs }: CleanRules): (batch: BatchHeader) => (record: RecordView) => boolean {
  return (batch) => {
    const horizonMs = deleteHorizonOf(batch);
    const tombstonesStay = horizonMs === undefined || nowMs < horizonMs;
    return (record) => {
      if (record.keyBytes < 0 || record.offset < start) return false;
      if (record.valueBytes < 0 && !tombstonesStay) return false;
      return keys.get(record.key() as Uint8Array) <= record.offset;
    };
  };
}
