/**
 * That all partitions of a compacted topic have been marked for compaction (`TIDY#`), under the configs that it had. Key
 * `COMPACT`, the topic id; `v` format version, `c` the configs that count.
 *
 * Z1  A compacted topic without an item, or with other configs than its item's, has all its partitions marked, and then the item
 *     is put. So a policy that is changed on a live topic takes effect without anything being appended.
 */
import type { Item, Key } from "../../ports/index.ts";
import { configOf } from "../config.ts";
import type { Topic } from "../types.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";

export const COMPACTED = "COMPACT";

const NAMES = ["cleanup.policy", "min.cleanable.dirty.ratio", "min.compaction.lag.ms", "max.compaction.lag.ms"];

export function compactedKey(topicId: string): Key {
  return { pk: COMPACTED, sk: topicId };
}

/** Everything that makes a partition due, as text. */
export function compactionText({ configs, partitions }: Topic): string {
  return [...NAMES.map((name) => configOf(configs, name)), partitions].join(" ");
}

export function encodeCompacted(topic: Topic): Item {
  return { v: FORMAT_VERSION, c: compactionText(topic) };
}

export function decodeCompacted(item: Item): string {
  checkFormat(item, "a compacted topic");
  return item["c"] as string;
}
