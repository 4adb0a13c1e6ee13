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
 * | `x` | sparse index (see `segment-index.ts`) |
 *
 * G1  A segment wins over a run: a run whose offsets a segment covers is void, whenever it was put.
 * G2  Segments of a partition do not overlap, and the ranges that they cover follow each other without a gap.
 * G3  A range that was compacted has holes. The last batch of a segment ends at its last offset, compacted or not, so
 *     whoever reads on always finds a batch that ends after the offset wanted.
 * G4  An item is replaced only on condition that its object id is still the one that was read.
 */
import { parseUlid, ulidText } from "../../base/ulid.ts";
import type { Condition, Item, Key } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION, offsetKey } from "./format.ts";
import { partitionKey } from "./head.ts";

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

/** Holds while the segment that was read is still in the index. */
export function isSegment({ id }: Pick<Segment, "id">): Condition {
  return { path: "i", is: "=", value: id };
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
