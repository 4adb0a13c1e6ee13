/**
 * An aborted transaction of a partition. Key `P#<topicId>#<p>`, `X#<offset of its marker, 20 digits>`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `p` | producer id |
 * | `f` | offset of its first record here |
 * | `l` | last stable offset right after the marker; -1: not known |
 *
 * X1  It is put after the marker is in the log and before the last stable offset passes the transaction, and never changed.
 * X2  A transaction whose marker comes after this one began at or after `l`.
 */
import type { Delete, Key, KeyedItem, Put } from "../../ports/index.ts";
import type { AbortedTransaction } from "../types.ts";
import { checkFormat, FORMAT_VERSION, offsetKey } from "./format.ts";
import { partitionKey } from "./head.ts";

export interface AbortedItem extends AbortedTransaction {
  readonly stableOffset: number;
}

function abortedKey(topicId: string, partition: number, markerOffset: number): Key {
  return { pk: partitionKey(topicId, partition), sk: `X#${offsetKey(markerOffset)}` };
}

/** Sort keys of those whose marker is at or after this offset. */
export function abortedFrom(offset: number): { readonly from: string; readonly to: string } {
  return { from: `X#${offsetKey(offset)}`, to: "X#~" };
}

/** Sort keys of those whose marker is below this offset; undefined when there can be none. */
export function abortedBelow(offset: number): { readonly from: string; readonly to: string } | undefined {
  return offset === 0 ? undefined : { from: "X#", to: `X#${offsetKey(offset - 1)}` };
}

export function putAborted(topicId: string, partition: number, aborted: AbortedItem): Put {
  const { producerId, firstOffset, markerOffset, stableOffset } = aborted;
  return {
    op: "put",
    key: abortedKey(topicId, partition, markerOffset),
    item: { v: FORMAT_VERSION, p: producerId, f: firstOffset, l: stableOffset },
    when: [{ item: "absent" }],
  };
}

export function decodeAborted({ key, item }: KeyedItem): AbortedItem {
  checkFormat(item, "an aborted transaction");
  const [producerId, firstOffset, stableOffset] = [item["p"], item["f"], item["l"]] as [number, number, number];
  return { producerId, firstOffset, stableOffset, markerOffset: Number(key.sk.slice(2)) };
}

export function deleteAborted({ key }: KeyedItem): Delete {
  return { op: "delete", key };
}
