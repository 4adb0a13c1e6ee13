/**
 * A run: refs that were moved out of the head, in order. Key `P#<topicId>#<p>`, `R#<last offset, 20 digits>`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `b` | base: the offset of its first record |
 * | `r` | its refs, one after the other |
 *
 * R1  The content follows from the head alone, so two sealers write the same item.
 * R2  A run at or beyond the head's tail base is void: its refs are still in the tail.
 */
import type { Item, Key } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION, offsetKey } from "./format.ts";
import { partitionKey } from "./head.ts";
import { REF_BYTES } from "./ref.ts";

export interface Run {
  readonly base: number;
  /** Packed refs. */
  readonly refs: readonly Uint8Array[];
}

/** Sort keys of runs: everything from the first run that ends at or after this offset. */
export function runRange(offset: number): { readonly from: string; readonly to: string } {
  return { from: `R#${offsetKey(offset)}`, to: "R#~" };
}

export function runKey(topicId: string, partition: number, lastOffset: number): Key {
  return { pk: partitionKey(topicId, partition), sk: `R#${offsetKey(lastOffset)}` };
}

export function encodeRun(run: Run): Item {
  const refs = new Uint8Array(run.refs.length * REF_BYTES);
  for (const [i, ref] of run.refs.entries()) refs.set(ref, i * REF_BYTES);
  return { v: FORMAT_VERSION, b: run.base, r: refs };
}

export function decodeRun(item: Item): Run {
  checkFormat(item, "a run");
  const bytes = item["r"] as Uint8Array;
  const refs: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += REF_BYTES) refs.push(bytes.subarray(at, at + REF_BYTES));
  return { base: item["b"] as number, refs };
}
