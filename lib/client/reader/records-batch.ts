/** One record batch as it was read: its bytes, and its records where they are wanted. */
import { type BatchHeader, type Codecs, forEachRecord, type RecordView } from "../../kafka/index.ts";
import type { ReadRecord } from "./types.ts";

export class RecordsBatch {
  readonly topic: string;
  readonly partition: number;
  /** The whole batch (magic 2) with its offsets in it; its CRC was checked. */
  readonly bytes: Uint8Array;
  readonly header: BatchHeader;
  /** Records below it are in the batch and were not asked for. */
  readonly firstOffset: number;
  /** Where to read on after this batch. Records from it on are in the batch and were not asked for, where the reading ends in it. */
  readonly nextOffset: number;
  /** As the server said when it sent this batch; -1 where it did not say. */
  readonly logEndOffset: number;
  readonly #codecs: Codecs;

  constructor(
    place: {
      readonly topic: string;
      readonly partition: number;
      readonly firstOffset: number;
      readonly endOffset: number;
      readonly logEndOffset: number;
    },
    bytes: Uint8Array,
    header: BatchHeader,
    codecs: Codecs,
  ) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.bytes = bytes;
    this.header = header;
    this.firstOffset = Math.max(place.firstOffset, header.baseOffset);
    this.nextOffset = Math.min(place.endOffset, header.baseOffset + header.lastOffsetDelta + 1);
    this.logEndOffset = place.logEndOffset;
    this.#codecs = codecs;
  }

  /**
   * Calls `fn` with each record that was asked for, without making an object of it: the view is valid during the call
   * alone. `false` stops. Throws `unsupported_compression` where the client has no codec for the batch.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most callbacks return nothing
  visit(fn: (record: RecordView) => boolean | void): void {
    if (this.header.isControl) return;
    forEachRecord(this.bytes, 0, this.#codecs, (record) => {
      if (record.offset >= this.nextOffset) return false;
      return record.offset < this.firstOffset ? undefined : fn(record);
    });
  }

  /** The records that were asked for. Keys and values are views of the batch's bytes. */
  records(): ReadRecord[] {
    const { topic, partition } = this;
    const { timestampType } = this.header;
    const records: ReadRecord[] = [];
    this.visit((record) => {
      records.push({
        topic,
        partition,
        offset: record.offset,
        timestampMs: record.timestampMs,
        timestampType,
        key: record.key(),
        value: record.value(),
        headers: record.headers(),
      });
    });
    return records;
  }
}
