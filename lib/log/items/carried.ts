/**
 * Where the records of a keyed request ended up, noted by the roller before their refs go, so that a claim that was never
 * finished can still be resolved. Key `P#<topicId>#<p>`, `C#<blob id>`; `v` format version, `o` base offset. Expires with
 * the claim.
 */
import { ulidText } from "../../base/ulid.ts";
import type { Item, Key } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";
import { partitionKey } from "./head.ts";

export function carriedKey(topicId: string, partition: number, blobId: Uint8Array): Key {
  return { pk: partitionKey(topicId, partition), sk: `C#${ulidText(blobId)}` };
}

export function encodeCarried(baseOffset: number): Item {
  return { v: FORMAT_VERSION, o: baseOffset };
}

export function decodeCarried(item: Item): number {
  checkFormat(item, "a carried request");
  return item["o"] as number;
}
