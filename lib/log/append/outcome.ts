/**
 * What became of a commit whose answer was lost.
 *
 * O1  After the floor was raised to the blob's id, its ref either is in the log already or never will be.
 * O2  So: first the floor, then the look. In the head that comes back: applied. In a run sealed since: applied.
 *     Nowhere: not applied, and it may be written again under a new id.
 *
 * A crash in here leaves a raised floor, which makes writers mint a new id and harms nothing.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { type Clock, type Item, StorageError, type Table } from "../../ports/index.ts";
import { raiseFloor } from "../floor.ts";
import { carriedKey, decodeCarried } from "../items/carried.ts";
import { baseOffsetInTail, decodeHead } from "../items/head.ts";
import { refIsOf, refRecordCount } from "../items/ref.ts";
import { decodeRun, runRange } from "../items/run.ts";
import type { Lane } from "./lane.ts";

export type Outcome =
  | { readonly kind: "applied"; readonly baseOffset: number; readonly head: Item }
  | { readonly kind: "not_applied"; readonly head: Item }
  | { readonly kind: "gone" };

const GIVE_UP_MS = 20_000;

/**
 * Finds out what became of a commit. `fromOffset`: it got no offset below this one. Throws `outcome_unknown` when the
 * storage cannot be reached for 20 seconds.
 */
export async function settleUnknown(
  table: Table,
  clock: Clock,
  lane: Lane,
  blobId: Uint8Array,
  fromOffset: number,
): Promise<Outcome> {
  const until = clock.monotonicMs() + GIVE_UP_MS;
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
    try {
      const item = await raiseFloor(table, lane.topicId, lane.partition, blobId);
      if (item === undefined) return { kind: "gone" };
      const baseOffset =
        baseOffsetInTail(decodeHead(item), blobId) ?? (await baseOffsetBehindTail(table, lane, blobId, fromOffset));
      return baseOffset === undefined ? { kind: "not_applied", head: item } : { kind: "applied", baseOffset, head: item };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (clock.monotonicMs() >= until) {
        throw new BrokerlessError(
          "outcome_unknown",
          "the storage did not say whether the records were written, and cannot be reached",
          {
            outcome: "unknown",
            cause: error,
          },
        );
      }
      await clock.sleep(pauseMs);
    }
  }
}

/**
 * The base offset of a blob that is not in the tail: from the runs that end at or after `fromOffset`, or from the note
 * that the roller left of a keyed request; undefined when neither has it.
 */
export async function baseOffsetBehindTail(
  table: Table,
  lane: Lane,
  blobId: Uint8Array,
  fromOffset: number,
): Promise<number | undefined> {
  for (const { item } of await table.range(lane.pk, runRange(fromOffset))) {
    const run = decodeRun(item);
    let base = run.base;
    for (const ref of run.refs) {
      if (refIsOf(ref, blobId)) return base;
      base += refRecordCount(ref);
    }
  }
  // The note is written before the run goes: looked for in this order, one of them is found.
  const carried = await table.get(carriedKey(lane.topicId, lane.partition, blobId));
  return carried && decodeCarried(carried);
}
