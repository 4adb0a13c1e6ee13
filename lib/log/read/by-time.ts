/** Offsets by time (KIP-79, KIP-734), exact to the record: refs tell which bytes can hold it, records decide. */
import { BrokerlessError } from "../../base/errors.ts";
import { batchHeaders, type Codecs, forEachRecord } from "../../kafka/index.ts";
import { offsetOfTime } from "../items/segment-index.ts";
import { unknownTopic } from "../topics.ts";
import type { Isolation, OffsetAnswer, Topic } from "../types.ts";
import type { Located } from "./locate.ts";
import { type Reader, readableEnd } from "./reader.ts";

const NONE: OffsetAnswer = { offset: -1, timestampMs: -1 };
const LOOKS = 8;
/** Bytes looked through at once. */
const CHUNK_BYTES = 4 * 2 ** 20;

/** The first record at or after `timestampMs`; `undefined` asks for the first one with the largest timestamp of all. */
export async function offsetByTime(
  reader: Reader,
  codecs: Codecs,
  topic: Topic,
  partition: number,
  timestampMs: number | undefined,
  isolation?: Isolation,
): Promise<OffsetAnswer> {
  for (let look = 0; look < LOOKS; look++) {
    const head = await reader.head(topic.id, partition);
    if (head === undefined) throw unknownTopic(topic.name);
    if (head.start === head.next) return NONE;
    const pieces = await reader.allPieces(topic, partition, head.start, head);
    const answer = pieces && (await search({ reader, codecs, topic, partition, start: head.start }, pieces, timestampMs));
    // What is found beyond the end may have something before it that is not the latest, which Kafka does not look for either.
    if (answer !== undefined) return answer.offset < readableEnd(head, isolation) ? answer : NONE;
  }
  throw new BrokerlessError("unavailable", `topic "${topic.name}" partition ${partition}: the index is being rewritten`, {
    retryAfterMs: 1000,
  });
}

interface Place {
  readonly reader: Reader;
  readonly codecs: Codecs;
  readonly topic: Topic;
  readonly partition: number;
  /** Log start offset: records below it do not count. */
  readonly start: number;
}

/** Undefined when bytes have gone meanwhile. */
async function search(
  place: Place,
  pieces: readonly Located[],
  timestampMs: number | undefined,
): Promise<OffsetAnswer | undefined> {
  const live = pieces.filter(({ end }) => end > place.start);
  const candidates =
    timestampMs === undefined
      ? live.toSorted((a, b) => b.maxTimestampMs - a.maxTimestampMs || a.base - b.base)
      : live.filter(({ maxTimestampMs }) => maxTimestampMs >= timestampMs);
  let best: OffsetAnswer = NONE;
  for (const piece of candidates) {
    // Sorted by their largest: nothing that follows can beat what was found.
    if (timestampMs === undefined && best.offset >= 0 && piece.maxTimestampMs <= best.timestampMs) break;
    const found = await searchPiece(place, piece, timestampMs);
    if (found === "gone") return undefined;
    if (found === undefined) continue;
    if (timestampMs !== undefined) return found;
    if (best.offset < 0 || found.timestampMs > best.timestampMs) best = found;
  }
  return best;
}

async function searchPiece(
  place: Place,
  piece: Located,
  timestampMs: number | undefined,
): Promise<OffsetAnswer | undefined | "gone"> {
  const { reader, codecs, topic, partition, start } = place;
  const skipped = piece.kind === "segment" && timestampMs !== undefined ? offsetOfTime(piece.segment, timestampMs) : piece.base;
  let best: OffsetAnswer | undefined;
  for (let offset = Math.max(start, skipped); offset < piece.end; ) {
    const part = await reader.batchesOf(topic, partition, piece, offset, CHUNK_BYTES);
    if (part === undefined) return "gone";
    if (part.nextOffset <= offset) break;
    const found =
      timestampMs === undefined ? latestIn(part.bytes, codecs, start) : firstAtOrAfter(part.bytes, codecs, start, timestampMs);
    if (found !== undefined && timestampMs !== undefined) return found;
    if (found !== undefined && (best === undefined || found.timestampMs > best.timestampMs)) best = found;
    if (best !== undefined && best.timestampMs >= piece.maxTimestampMs) break;
    offset = part.nextOffset;
  }
  return best;
}

function firstAtOrAfter(bytes: Uint8Array, codecs: Codecs, start: number, timestampMs: number): OffsetAnswer | undefined {
  for (const batch of batchHeaders(bytes)) {
    if (batch.isControl || batch.maxTimestampMs < timestampMs || batch.baseOffset + batch.lastOffsetDelta < start) continue;
    let found: OffsetAnswer | undefined;
    forEachRecord(bytes, batch.at, codecs, (record) => {
      if (found === undefined && record.offset >= start && record.timestampMs >= timestampMs) {
        found = { offset: record.offset, timestampMs: record.timestampMs };
      }
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

function latestIn(bytes: Uint8Array, codecs: Codecs, start: number): OffsetAnswer | undefined {
  let best: OffsetAnswer | undefined;
  for (const batch of batchHeaders(bytes)) {
    if (batch.isControl || (best !== undefined && batch.maxTimestampMs <= best.timestampMs)) continue;
    forEachRecord(bytes, batch.at, codecs, (record) => {
      if (record.offset >= start && (best === undefined || record.timestampMs > best.timestampMs)) {
        best = { offset: record.offset, timestampMs: record.timestampMs };
      }
    });
  }
  return best;
}
