/** Offsets by time (KIP-79, KIP-734), exact to the record: refs tell which bytes can hold it, records decide. */
import { BrokerlessError } from "../../base/errors.ts";
import { batchHeaders, type Codecs, forEachRecord } from "../../kafka/index.ts";
import { unknownTopic } from "../topics.ts";
import type { OffsetAnswer, Topic } from "../types.ts";
import type { LocatedRef } from "./locate.ts";
import type { Reader } from "./reader.ts";

const NONE: OffsetAnswer = { offset: -1, timestampMs: -1 };
const LOOKS = 8;

/** The first record at or after `timestampMs`; `undefined` asks for the first one with the largest timestamp of all. */
export async function offsetByTime(
  reader: Reader,
  codecs: Codecs,
  topic: Topic,
  partition: number,
  timestampMs: number | undefined,
): Promise<OffsetAnswer> {
  for (let look = 0; look < LOOKS; look++) {
    const head = await reader.head(topic.id, partition);
    if (head === undefined) throw unknownTopic(topic.name);
    if (head.start === head.next) return NONE;
    const refs = await reader.allRefs(topic, partition, head.start, head);
    if (refs === undefined) continue;
    const answer = await search(reader, codecs, refs, head.start, timestampMs);
    if (answer !== undefined) return answer;
  }
  throw new BrokerlessError("unavailable", `topic "${topic.name}" partition ${partition}: the index is being rewritten`, {
    retryAfterMs: 1000,
  });
}

/** Undefined when a blob has gone meanwhile. */
async function search(
  reader: Reader,
  codecs: Codecs,
  refs: readonly LocatedRef[],
  start: number,
  timestampMs: number | undefined,
): Promise<OffsetAnswer | undefined> {
  const live = refs.filter(({ ref, base }) => base + ref.recordCount > start);
  const candidates =
    timestampMs === undefined
      ? [...live].sort((a, b) => b.ref.maxTimestampMs - a.ref.maxTimestampMs || a.base - b.base)
      : live.filter(({ ref }) => ref.maxTimestampMs >= timestampMs);
  let best: OffsetAnswer = NONE;
  for (const one of candidates) {
    // Sorted by their largest: nothing that follows can beat what was found.
    if (timestampMs === undefined && best.offset >= 0 && one.ref.maxTimestampMs <= best.timestampMs) break;
    const bytes = await reader.bytesOf(one);
    if (bytes === undefined) return undefined;
    const found = timestampMs === undefined ? latestIn(bytes, codecs, start) : firstAtOrAfter(bytes, codecs, start, timestampMs);
    if (found === undefined) continue;
    if (timestampMs !== undefined) return found;
    if (found.timestampMs > best.timestampMs || best.offset < 0) best = found;
  }
  return best;
}

function firstAtOrAfter(bytes: Uint8Array, codecs: Codecs, start: number, timestampMs: number): OffsetAnswer | undefined {
  for (const batch of batchHeaders(bytes)) {
    if (batch.maxTimestampMs < timestampMs || batch.baseOffset + batch.lastOffsetDelta < start) continue;
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
    if (best !== undefined && batch.maxTimestampMs <= best.timestampMs) continue;
    forEachRecord(bytes, batch.at, codecs, (record) => {
      if (record.offset >= start && (best === undefined || record.timestampMs > best.timestampMs)) {
        best = { offset: record.offset, timestampMs: record.timestampMs };
      }
    });
  }
  return best;
}
