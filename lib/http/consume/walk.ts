/** Over the records of what was read: from the offset that was asked for, without what is not data. */
import { BrokerlessError } from "../../base/errors.ts";
import {
  type BatchHeader,
  batchHeaders,
  type Codecs,
  crcMatches,
  forEachRecord,
  type RecordView,
  type TimestampType,
} from "../../kafka/index.ts";

export type OnRecord = (record: RecordView, timestampType: TimestampType) => void;

/** Calls `fn` with each record from `from` on and below `to`. Throws `corrupt_log` at a batch that does not match its CRC. */
export function walkRecords(pieces: readonly Uint8Array[], codecs: Codecs, from: number, to: number, fn: OnRecord): void {
  for (const bytes of pieces) {
    for (const header of batchHeaders(bytes)) {
      if (header.isControl || header.baseOffset + header.lastOffsetDelta < from) continue;
      if (header.baseOffset >= to) return;
      // Whoever takes batches checks them; whoever takes JSON cannot.
      if (!crcMatches(bytes, header.at)) throw damaged(header);
      forEachRecord(bytes, header.at, codecs, (record) => {
        if (record.offset >= to) return false;
        if (record.offset >= from) fn(record, header.timestampType);
        return true;
      });
    }
  }
}

function damaged({ baseOffset, lastOffsetDelta }: BatchHeader): BrokerlessError {
  const nextOffset = baseOffset + lastOffsetDelta + 1;
  return new BrokerlessError("corrupt_log", `the batch of offsets ${baseOffset} to ${nextOffset - 1} does not match its CRC`, {
    details: { nextOffset },
  });
}

/** The batches that begin below `to`. */
export function batchesBelow(pieces: readonly Uint8Array[], to: number): Uint8Array[] {
  const kept: Uint8Array[] = [];
  for (const bytes of pieces) {
    let end = 0;
    for (const header of batchHeaders(bytes)) {
      if (header.baseOffset >= to) break;
      end = header.at + header.sizeBytes;
    }
    if (end > 0) kept.push(end === bytes.byteLength ? bytes : bytes.subarray(0, end));
    if (end < bytes.byteLength) break;
  }
  return kept;
}
