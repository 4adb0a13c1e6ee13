/** Bytes of a blob as a reader gets them: offsets written in, batches below the offset left out, cut at a size. */
import { BrokerlessError } from "../../base/errors.ts";
import { ulidText } from "../../base/ulid.ts";
import { batchHeaders, stampOffset } from "../../kafka/index.ts";
import type { LocatedRef } from "./locate.ts";

/** Batches carry this as their leader epoch: there is one leader, the head. */
export const LEADER_EPOCH = 0;

export interface Assembled {
  /** Whole batches; empty when all of them are below the offset. */
  readonly bytes: Uint8Array;
  /** One after the last record in it. */
  readonly nextOffset: number;
}

/**
 * Writes the offsets into the batches of a ref (in place) and answers those that end after `offset`, the first one
 * whatever its size and then as many as stay within `maxBytes`. Throws `corrupt_log` when the bytes do not hold
 * what the ref says.
 */
export function assemble(bytes: Uint8Array, located: LocatedRef, offset: number, maxBytes: number): Assembled {
  try {
    return stamped(bytes, located, offset, maxBytes);
  } catch (error) {
    if (!(error instanceof BrokerlessError) || error.code === "corrupt_log") throw error;
    throw damagedBlob(located, `are damaged: ${error.message}`, error);
  }
}

function stamped(bytes: Uint8Array, located: LocatedRef, offset: number, maxBytes: number): Assembled {
  const { ref, base } = located;
  let next = base;
  let from = -1;
  let to = 0;
  let nextOffset = offset;
  for (const batch of batchHeaders(bytes)) {
    const batchBase = next;
    next += batch.lastOffsetDelta + 1;
    if (next <= offset) continue;
    const end = batch.at + batch.sizeBytes;
    if (from >= 0 && end - from > maxBytes) return { bytes: bytes.subarray(from, to), nextOffset };
    if (from < 0) from = batch.at;
    stampOffset(bytes, batch.at, batchBase, LEADER_EPOCH);
    to = end;
    nextOffset = next;
  }
  if (next !== base + ref.recordCount) {
    throw damagedBlob(located, `hold ${next - base} records; ${ref.recordCount} were written`);
  }
  return { bytes: from < 0 ? bytes.subarray(0, 0) : bytes.subarray(from, to), nextOffset };
}

/** Names the blob and what it covers, so that a reader can go on behind it. */
export function damagedBlob({ ref, base, end }: LocatedRef, what: string, cause?: unknown): BrokerlessError {
  const blob = ulidText(ref.blobId);
  return new BrokerlessError("corrupt_log", `the stored bytes of offsets ${base} to ${end - 1} (blob ${blob}) ${what}`, {
    details: { blob, nextOffset: end },
    cause,
  });
}
