/**
 * How far a partition is compacted. Key `P#<topicId>#<p>`, `CLEAN`.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `o` | the first dirty offset: below it there is one record a key at most, save what came before by a pass that is under way |
 * | `e` | of a pass under way: where it ends; the latest of each key in [o, e) counts |
 * | `n` | of a pass under way: everything below it has been cleaned by it |
 *
 * N1  `o` moves to `e` when `n` has reached it. Each step is put on condition that the item is still the one that was read, so
 *     of two that work on the same pass one is refused.
 * N2  Losing the item costs a pass over the whole log, no more.
 */
import type { Condition, Item, Key, Put } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";
import { partitionKey } from "./head.ts";

export interface Clean {
  readonly firstDirty: number;
  readonly pass: { readonly end: number; readonly next: number } | undefined;
}

export function cleanKey(topicId: string, partition: number): Key {
  return { pk: partitionKey(topicId, partition), sk: "CLEAN" };
}

export function decodeClean(item: Item): Clean {
  checkFormat(item, "the state of a compaction");
  const end = item["e"] as number | undefined;
  return { firstDirty: item["o"] as number, pass: end === undefined ? undefined : { end, next: item["n"] as number } };
}

/** Puts it in the place of the one that was read. */
export function putClean(topicId: string, partition: number, clean: Clean, before: Clean | undefined): Put {
  const pass: Item = clean.pass === undefined ? {} : { e: clean.pass.end, n: clean.pass.next };
  return {
    op: "put",
    key: cleanKey(topicId, partition),
    item: { v: FORMAT_VERSION, o: clean.firstDirty, ...pass },
    when: before === undefined ? [{ item: "absent" }] : isClean(before),
  };
}

function isClean({ firstDirty, pass }: Clean): Condition[] {
  const same: Condition = { path: "o", is: "=", value: firstDirty };
  if (pass === undefined) return [same, { path: "e", is: "absent" }];
  return [same, { path: "e", is: "=", value: pass.end }, { path: "n", is: "=", value: pass.next }];
}
