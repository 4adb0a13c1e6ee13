/** Cuts what is read from one partition into slices that are written at once, and each slice by target partition. */
import type { ReadRecord, RecordsBatch } from "../../client/index.ts";
import { murmur2 } from "../../kafka/index.ts";

export interface Slice {
  /** One after the last offset it covers. */
  readonly to: number;
  readonly records: readonly ReadRecord[];
}

export function sizeOf(record: ReadRecord): number {
  let size = 36 + (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
  for (const header of record.headers) size += 10 + header.key.length * 3 + (header.value?.byteLength ?? 0);
  return size;
}

/**
 * Slices in order, of at most `maxBytes` (encoded, not compressed) where one record alone is not larger. The first ends
 * at `firstTo` where it is given, as it did when it was sent before.
 */
export async function* slicesOf(
  batches: AsyncIterable<RecordsBatch>,
  maxBytes: number,
  firstTo: number | undefined,
): AsyncGenerator<Slice, void, void> {
  let records: ReadRecord[] = [];
  let sizeBytes = 0;
  let pinnedTo = firstTo;
  let to = 0;
  for await (const batch of batches) {
    for (const record of batch.records()) {
      const size = sizeOf(record);
      const full = pinnedTo === undefined ? sizeBytes > 0 && sizeBytes + size > maxBytes : record.offset >= pinnedTo;
      if (full) {
        yield { to: pinnedTo ?? record.offset, records };
        records = [];
        sizeBytes = 0;
        pinnedTo = undefined;
      }
      records.push(record);
      sizeBytes += size;
    }
    to = batch.nextOffset;
  }
  if (records.length > 0 || pinnedTo !== undefined) yield { to: pinnedTo ?? to, records };
}

/** Which partition of the target a record goes to. The same record always goes to the same one. */
export type Route = (record: ReadRecord) => number;

export function samePartition(record: ReadRecord): number {
  return record.partition;
}

/** As Kafka's default does it with keys; records without one in turn by offset, so that a repetition goes the same way. */
export function byKey(partitionCount: number): Route {
  return ({ key, offset }) => (key === null ? offset % partitionCount : (murmur2(key) & 0x7fffffff) % partitionCount);
}

export function groupByTarget(records: readonly ReadRecord[], route: Route): Map<number, ReadRecord[]> {
  const groups = new Map<number, ReadRecord[]>();
  for (const record of records) {
    const target = route(record);
    const group = groups.get(target);
    if (group === undefined) groups.set(target, [record]);
    else group.push(record);
  }
  return groups;
}
