/** Records of a partition for a share group: those of some offsets, and the next ones from an offset on. */
import { BrokerlessError } from "../../base/errors.ts";
import { type BatchHeader, batchHeaders, type Codecs, crcMatches, forEachRecord, type RecordView } from "../../kafka/index.ts";
import { abortedAmong } from "../../log/markers/aborted.ts";
import type { Isolation, LogApi, PartitionInfo, ReadResult, Topic } from "../../log/types.ts";
import { deliverAtMs } from "./delay.ts";
import type { KeptReads, Piece, ReadRange } from "./kept-reads.ts";

const READ_BYTES = 1024 * 1024;
/** Reads for one call: what is far apart comes with the next call. */
const READS_MOST = 8;

export interface Found {
  readonly pieces: Piece[];
  /** Bytes of each record that is there. */
  readonly sizes: Map<number, number>;
  /** Records whose time has not come. */
  readonly later: Map<number, number>;
}

export interface Place {
  readonly log: LogApi;
  readonly codecs: Codecs;
  readonly topic: Topic;
  readonly partition: number;
  readonly isolation: Isolation;
  /** What was just said of the partition: reads are as of then. */
  readonly info?: PartitionInfo | undefined;
  /** With the key of the share partition and a clock: batches are kept for the next call. */
  readonly keep?: { readonly reads: KeptReads; readonly key: string; readonly nowMs: number } | undefined;
}

export function nothingFound(): Found {
  return { pieces: [], sizes: new Map(), later: new Map() };
}

/**
 * Reads what is at these rising offsets, as far as the bytes go, and as far as they may be read (`isolation` may have been changed since they were given).
 * Answers the offsets that were looked at: those that are not in `sizes` then are not in the log (any more).
 */
export async function readOffsets(place: Place, offsets: readonly number[], maxBytes: number, found: Found): Promise<number[]> {
  let sizeBytes = 0;
  let at = 0;
  for (let reads = 0; at < offsets.length && reads < READS_MOST && sizeBytes < maxBytes; reads++) {
    const from = offsets[at] as number;
    const most = Math.min(READ_BYTES, maxBytes - sizeBytes);
    const result = await readFrom(place, from, most);
    if (result === "gone") return offsets.slice(0, at + 1);
    if (result === "not yet" || result.nextOffset <= from) return offsets.slice(0, at);
    const end = result.nextOffset;
    const wanted = new Set<number>();
    for (; at < offsets.length && (offsets[at] as number) < end; at++) wanted.add(offsets[at] as number);
    const last = offsets[at - 1] as number;
    for (const piece of result.pieces) {
      if (piece.base > last) break;
      let kept = false;
      walk(place, piece, (record) => {
        if (!wanted.has(record.offset)) return record.offset < last;
        kept = true;
        found.sizes.set(record.offset, sizeOf(record));
        return record.offset < last;
      });
      if (!kept) continue;
      sizeBytes += piece.bytes.byteLength;
      found.pieces.push(piece);
    }
  }
  return offsets.slice(0, at);
}

/**
 * Reads from `offset` on until there are `most` records or the bytes are used up. Answers one after the last offset that was looked
 * at, and the offsets of the records that are there.
 */
export async function readNext(
  place: Place,
  offset: number,
  { most, maxBytes, mostLater, nowMs }: { most: number; maxBytes: number; mostLater: number; nowMs: number },
  found: Found,
): Promise<{ readonly to: number; readonly offsets: number[] }> {
  const offsets: number[] = [];
  let to = offset;
  let sizeBytes = 0;
  let full = false;
  for (let reads = 0; reads < READS_MOST && sizeBytes < maxBytes && !full; reads++) {
    const result = await readFrom(place, to, Math.min(READ_BYTES, maxBytes - sizeBytes));
    if (typeof result === "string" || result.nextOffset <= to) break;
    let end = result.nextOffset;
    for (const piece of result.pieces) {
      if (full) break;
      let kept = false;
      walk(place, piece, (record) => {
        if (record.offset < to) return true;
        if (offsets.length >= most || found.later.size >= mostLater) {
          full = true;
          end = record.offset;
          return false;
        }
        const laterMs = record.headerCount === 0 ? 0 : deliverAtMs(record);
        if (laterMs > nowMs) {
          found.later.set(record.offset, laterMs);
          return true;
        }
        offsets.push(record.offset);
        found.sizes.set(record.offset, sizeOf(record));
        kept = true;
        return true;
      });
      if (!kept) continue;
      found.pieces.push(piece);
      sizeBytes += piece.bytes.byteLength;
    }
    to = end;
  }
  return { to, offsets };
}

/** Calls `fn` with each record of these offsets, in their order, until it answers false. */
export function walk(
  { codecs }: Pick<Place, "codecs">,
  { bytes }: Pick<Piece, "bytes">,
  // biome-ignore lint/suspicious/noConfusingVoidType: some callbacks return nothing
  fn: (record: RecordView) => boolean | void,
): void {
  forEachRecord(bytes, 0, codecs, fn);
}

interface Seen {
  readonly pieces: readonly Piece[];
  readonly nextOffset: number;
}

/** About so many bytes of what was read, one batch at least. */
function cut({ pieces, to }: ReadRange, offset: number, maxBytes: number): Seen {
  const from = pieces.findIndex(({ last }) => last >= offset);
  if (from < 0) return { pieces: [], nextOffset: to };
  let upTo = from;
  let sizeBytes = 0;
  for (; upTo < pieces.length && (upTo === from || sizeBytes < maxBytes); upTo++)
    sizeBytes += pieces[upTo]?.bytes.byteLength ?? 0;
  return { pieces: pieces.slice(from, upTo), nextOffset: pieces[upTo]?.base ?? to };
}

/** What the log has from the offset on; below its start it has it no more, above its end not yet. */
async function readFrom(place: Place, offset: number, maxBytes: number): Promise<Seen | "gone" | "not yet"> {
  const { log, topic, partition, isolation, info, keep } = place;
  const range =
    offset >= (info?.logStartOffset ?? Number.POSITIVE_INFINITY) && keep?.reads.get(keep.key, offset, isolation, keep.nowMs);
  if (range) return cut(range, offset, maxBytes);
  try {
    const asked = { topic: topic.name, topicId: topic.id, partition, offset, maxBytes, isolation };
    const result = await log.read({ ...asked, known: info });
    const { nextOffset: to } = result;
    const pieces = [...visible(place, result)];
    const { sizeBytes } = result;
    if (to > offset) keep?.reads.keep(keep.key, { isolation, from: offset, to, pieces, sizeBytes, atMs: keep.nowMs });
    return { pieces, nextOffset: to };
  } catch (error) {
    if (!(error instanceof BrokerlessError && error.code === "offset_out_of_range")) throw error;
    return offset < Number(error.details["logStartOffset"]) ? "gone" : "not yet";
  }
}

/** The batches with records for users, whole and checked, one by one. */
function* visible({ topic, partition }: Place, { batches, aborted }: ReadResult): Generator<Piece> {
  const isAborted = abortedAmong(aborted);
  for (const bytes of batches) {
    for (const header of batchHeaders(bytes)) {
      if (header.isControl || header.recordCount === 0 || isAborted(header)) continue;
      if (!crcMatches(bytes, header.at)) throw damaged(topic, partition, header);
      const whole = bytes.subarray(header.at, header.at + header.sizeBytes);
      yield { base: header.baseOffset, last: header.baseOffset + header.lastOffsetDelta, bytes: whole };
    }
  }
}

function damaged({ name }: Topic, partition: number, { baseOffset, lastOffsetDelta }: BatchHeader): BrokerlessError {
  const nextOffset = baseOffset + lastOffsetDelta + 1;
  return new BrokerlessError(
    "corrupt_log",
    `topic "${name}" partition ${partition}: the batch of offsets ${baseOffset} to ${nextOffset - 1} does not match its CRC`,
    { details: { nextOffset } },
  );
}

function sizeOf({ keyBytes, valueBytes, headerCount }: RecordView): number {
  return Math.max(0, keyBytes) + Math.max(0, valueBytes) + headerCount * 16 + 16;
}

/** When the first record from an offset on was written; -1: there is none. */
export async function firstTimestampMs(place: Place, offset: number, logEndOffset: number): Promise<number> {
  if (offset >= logEndOffset) return -1;
  const result = await readFrom(place, offset, 1);
  if (typeof result === "string") return -1;
  let foundMs = -1;
  for (const piece of result.pieces) {
    walk(place, piece, (record) => {
      if (foundMs < 0 && record.offset >= offset) foundMs = record.timestampMs;
    });
    if (foundMs >= 0) break;
  }
  return foundMs;
}
