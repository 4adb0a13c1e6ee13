/**
 * A segment: a bucket object that is byte for byte a Kafka `.log` file, and its item in the index. Key
 * `P#<topicId>#<p>`, `S#<last offset, 20 digits>`; object `segments/<topicId>/<p>/<ulid>/<base offset, 20 digits>.log`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `i` | id of the object (ULID): every writing of a segment has its own |
 * | `b` | base: the offset of its first record (of the range that it covers) |
 * | `z` | size of the object in bytes |
 * | `m` | largest timestamp in it |
 * | `x` | sparse index: entries of 14 bytes, see below |
 *
 * An entry of the sparse index: offset less the base (4 bytes) and position (4 bytes) of a batch, and the largest
 * timestamp of everything before that batch in the segment (6 bytes, signed).
 *
 * G1  A segment wins over a run: a run whose offsets a segment covers is void, whenever it was put.
 * G2  Segments of a partition do not overlap, and follow each other without a gap.
 */
import { parseUlid, ulidText } from "../../base/ulid.ts";
import type { Item, Key } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION, offsetKey } from "./format.ts";
import { partitionKey } from "./head.ts";

const INDEX_ENTRY_BYTES = 14;

export interface Segment {
  /** ULID, 16 bytes. */
  readonly id: Uint8Array;
  readonly base: number;
  readonly last: number;
  readonly sizeBytes: number;
  readonly maxTimestampMs: number;
  readonly index: Uint8Array;
}

/** Sort keys of segments: everything from the first one that ends at or after this offset. */
export function segmentRange(offset: number): { readonly from: string; readonly to: string } {
  return { from: `S#${offsetKey(offset)}`, to: "S#~" };
}

export function segmentKey(topicId: string, partition: number, lastOffset: number): Key {
  return { pk: partitionKey(topicId, partition), sk: `S#${offsetKey(lastOffset)}` };
}

export function segmentObject(topicId: string, partition: number, segment: Pick<Segment, "id" | "base">): string {
  return `segments/${topicId}/${partition}/${ulidText(segment.id)}/${offsetKey(segment.base)}.log`;
}

export interface SegmentObject {
  readonly topicId: string;
  readonly partition: number;
  readonly id: Uint8Array;
  readonly base: number;
}

const OBJECT_KEY = /^segments\/([A-Za-z0-9_-]{22})\/(\d{1,5})\/([0-9A-Z]{26})\/(\d{20})\.log$/;

/** What the key of a segment's object says; undefined when it is none. */
export function parseSegmentObject(key: string): SegmentObject | undefined {
  const [, topicId = "", partition = "", ulid = "", base = ""] = OBJECT_KEY.exec(key) ?? [];
  const id = parseUlid(ulid);
  return id && { topicId, partition: Number(partition), id, base: Number(base) };
}

export function encodeSegment(segment: Segment): Item {
  return { v: FORMAT_VERSION, i: segment.id, b: segment.base, z: segment.sizeBytes, m: segment.maxTimestampMs, x: segment.index };
}

export function decodeSegment(key: Key, item: Item): Segment {
  checkFormat(item, "a segment");
  return {
    id: item["i"] as Uint8Array,
    base: item["b"] as number,
    last: Number(key.sk.slice(2)),
    sizeBytes: item["z"] as number,
    maxTimestampMs: item["m"] as number,
    index: item["x"] as Uint8Array,
  };
}

/** Writes the sparse index of a segment, batch by batch. */
export class IndexBuilder {
  readonly #base: number;
  readonly #intervalBytes: number;
  readonly #entries: number[][] = [];
  #maxTimestampMs = Number.NEGATIVE_INFINITY;
  #lastPosition = Number.NEGATIVE_INFINITY;

  constructor(base: number, intervalBytes: number) {
    this.#base = base;
    this.#intervalBytes = intervalBytes;
  }

  add(offset: number, positionBytes: number, maxTimestampMs: number): void {
    if (positionBytes - this.#lastPosition >= this.#intervalBytes) {
      this.#entries.push([offset - this.#base, positionBytes, this.#maxTimestampMs]);
      this.#lastPosition = positionBytes;
    }
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, maxTimestampMs);
  }

  get maxTimestampMs(): number {
    return this.#maxTimestampMs;
  }

  bytes(): Uint8Array {
    const out = new Uint8Array(this.#entries.length * INDEX_ENTRY_BYTES);
    const view = new DataView(out.buffer);
    for (const [i, [offset = 0, position = 0, timestamp = 0]] of this.#entries.entries()) {
      const at = i * INDEX_ENTRY_BYTES;
      const known = timestamp === Number.NEGATIVE_INFINITY ? -(2 ** 47) : timestamp;
      view.setUint32(at, offset);
      view.setUint32(at + 4, position);
      view.setInt16(at + 8, Math.floor(known / 2 ** 32));
      view.setUint32(at + 10, known >>> 0);
    }
    return out;
  }
}

/** The position of the batch from which to read for an offset: at or below it. */
export function positionOf(segment: Segment, offset: number): number {
  const view = new DataView(segment.index.buffer, segment.index.byteOffset, segment.index.byteLength);
  let position = 0;
  // Entries ascend: halve the range.
  let low = 0;
  let high = segment.index.byteLength / INDEX_ENTRY_BYTES - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (segment.base + view.getUint32(middle * INDEX_ENTRY_BYTES) <= offset) {
      position = view.getUint32(middle * INDEX_ENTRY_BYTES + 4);
      low = middle + 1;
    } else high = middle - 1;
  }
  return position;
}

/** No record before this offset of the segment is at or after the time: where a search by time may begin. */
export function offsetOfTime(segment: Segment, timestampMs: number): number {
  const view = new DataView(segment.index.buffer, segment.index.byteOffset, segment.index.byteLength);
  let offset = segment.base;
  for (let at = 0; at < segment.index.byteLength; at += INDEX_ENTRY_BYTES) {
    const maxBefore = view.getInt16(at + 8) * 2 ** 32 + view.getUint32(at + 10);
    if (maxBefore >= timestampMs) break;
    offset = segment.base + view.getUint32(at);
  }
  return offset;
}
