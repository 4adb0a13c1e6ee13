/**
 * The head: the one item that orders a partition. Key `P#<topicId>#<p>`, `HEAD`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `n` | next: the offset that the next record gets |
 * | `s` | start: the log start offset |
 * | `b` | tail base: the offset of the first record in the tail |
 * | `t` | tail: packed refs |
 * | `f` | floor: blob ids at or below it can never enter |
 * | `q` | producer id to epoch and last sequence |
 * | `o` | producer id to the base offset of its last batch |
 * | `e` | evictions: how often a producer was moved out of `q` and `o` |
 * | `x` | open transactions: producer id to the first offset |
 * | `y` | markers of aborts that are not in the index yet: producer id to the marker's offset |
 * | `k` | how often a transaction was marked or closed here |
 * | `a` | offset of the last abort's marker that is in the index; -1: none |
 *
 * H1  `n` only grows; every offset below it was given out exactly once.
 * H2  The refs of `t` cover [b, n) without a gap.
 * H3  The item stays under 1 KB (one write unit) with fewer than 16 refs and 8 producers.
 * H4  `s` only grows, and `s <= n`.
 * H5  `f` only grows, and no ref enters whose blob id is at or below it.
 * H6  `q` and `o` have the same entries; `q[p]` grows with every batch of p.
 * H7  A producer in `x` is in `q`. What is in `y` is in `x`. No record at or after the least of `x` is stable (decision 005).
 */
import { ULID_ZERO } from "../../base/ulid.ts";
import type { Item, Key, Value, ValueMap } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";
import { refIsOf, refRecordCount } from "./ref.ts";

export interface Head {
  readonly next: number;
  readonly start: number;
  readonly tailBase: number;
  /** Packed refs. */
  readonly tail: readonly Uint8Array[];
  readonly floor: Uint8Array;
  readonly producers: ValueMap;
  readonly producerBases: ValueMap;
  readonly evictions: number;
  /** Producer id to the first offset of its open transaction. */
  readonly openTransactions: ValueMap;
  /** Producer id to the offset of a marker that aborts its transaction, while that is not in the index. */
  readonly abortMarkers: ValueMap;
  readonly transactionChanges: number;
  /** -1: none. */
  readonly lastAbortOffset: number;
}

/** Name of a partition, in keys, doorbells and blobs. */
export function partitionName(topicId: string, partition: number): string {
  return `${topicId}#${partition}`;
}

/** The topic id and partition of a partition's name. */
export function parsePartitionName(name: string): { readonly topicId: string; readonly partition: number } {
  const at = name.lastIndexOf("#");
  return { topicId: name.slice(0, at), partition: Number(name.slice(at + 1)) };
}

/** Partition key of all items of a partition. */
export function partitionKey(topicId: string, partition: number): string {
  return `P#${topicId}#${partition}`;
}

export function headKey(topicId: string, partition: number): Key {
  return { pk: partitionKey(topicId, partition), sk: "HEAD" };
}

export function emptyHead(): Item {
  return { v: FORMAT_VERSION, n: 0, s: 0, b: 0, t: [], f: ULID_ZERO, q: {}, o: {}, e: 0, x: {}, y: {}, k: 0, a: -1 };
}

export function decodeHead(item: Item): Head {
  checkFormat(item, "a partition's head");
  return {
    next: item["n"] as number,
    start: item["s"] as number,
    tailBase: item["b"] as number,
    tail: item["t"] as readonly Value[] as readonly Uint8Array[],
    floor: item["f"] as Uint8Array,
    producers: item["q"] as ValueMap,
    producerBases: item["o"] as ValueMap,
    evictions: item["e"] as number,
    openTransactions: (item["x"] ?? {}) as ValueMap,
    abortMarkers: (item["y"] ?? {}) as ValueMap,
    transactionChanges: (item["k"] ?? 0) as number,
    lastAbortOffset: (item["a"] ?? -1) as number,
  };
}

/** The last stable offset: below it nothing is part of a transaction that is open (005, T2). Never below the log start. */
export function lastStableOffset({ next, start, openTransactions }: Head): number {
  let stable = next;
  for (const first of Object.values(openTransactions)) if ((first as number) < stable) stable = first as number;
  return Math.max(stable, start);
}

/** Where a producer's open transaction begins; undefined without one. */
export function openTransactionOf(head: Head, producerId: number): number | undefined {
  return head.openTransactions[String(producerId)] as number | undefined;
}

/** The offset of the first record that this blob brought into the tail; undefined when the tail has no ref of it. */
export function baseOffsetInTail(head: Head, blobId: Uint8Array): number | undefined {
  let base = head.tailBase;
  for (const ref of head.tail) {
    if (refIsOf(ref, blobId)) return base;
    base += refRecordCount(ref);
  }
  return undefined;
}
