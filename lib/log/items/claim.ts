/**
 * A claim: a request with an `Idempotency-Key`. Key `IDEM#<key>`, `.`; expires 24 hours after it was made.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `h` | hash of the request: another request with the same key is refused |
 * | `b` | id of the blob that carries it, or will; of several, the first |
 * | `i` | for each partition it goes to, the id of the blob with its bytes |
 * | `p` | these partitions: `<topicId>#<p>` |
 * | `n` | for each of them, the offset below which it cannot have got one |
 * | `a` | when this blob was claimed, milliseconds since 1970 |
 * | `r` | the results, once it is done: for each partition base offset and append time (-1: none) |
 *
 * I1  The records of a claim are in the log at most once: whoever claims a new blob has raised the floor to the old
 *     one's id and has not found it.
 * I2  Only the holder (`b` is its blob) claims another blob or finishes.
 */
import type { Item, Key, Value } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";

export const CLAIM_MS = 86_400_000;

export interface ClaimItem {
  readonly requestHash: string;
  /** For each partition; the first one stands for the claim. */
  readonly blobIds: readonly Uint8Array[];
  readonly partitions: readonly string[];
  readonly fromOffsets: readonly number[];
  readonly claimedAtMs: number;
  readonly results: readonly (readonly [baseOffset: number, logAppendTimeMs: number])[] | undefined;
}

export function claimKey(idempotencyKey: string): Key {
  return { pk: `IDEM#${idempotencyKey}`, sk: "." };
}

export function encodeClaim(claim: ClaimItem): Item {
  return {
    v: FORMAT_VERSION,
    h: claim.requestHash,
    b: claim.blobIds[0] as Uint8Array,
    i: claim.blobIds,
    p: claim.partitions,
    n: claim.fromOffsets,
    a: claim.claimedAtMs,
    ...(claim.results === undefined ? {} : { r: claim.results }),
  };
}

export function decodeClaim(item: Item): ClaimItem {
  checkFormat(item, "the claim of an Idempotency-Key");
  return {
    requestHash: item["h"] as string,
    blobIds: item["i"] as readonly Value[] as readonly Uint8Array[],
    partitions: item["p"] as readonly string[],
    fromOffsets: item["n"] as readonly number[],
    claimedAtMs: item["a"] as number,
    results: item["r"] as ClaimItem["results"],
  };
}
