/**
 * Stamps: from now on these partitions may be committed only from this generation or epoch on. Written before the state that
 * gives them away, so before any member learns of it (O1).
 *
 * A crash after it, or a state that then loses its compare-and-set, leaves stamps at an epoch that the group has reached
 * already: whoever owns the partition next is given it at that epoch or a later one, so nobody is locked out. A block that is
 * not there is made only while the state is what it was (one transaction): a late one of a group that was deleted would lock
 * out the members of the next. What stands above its stamp is such a one that came late all the same (a group that was made anew in
 * between): it is set back, in one transaction with the state too, for no state at or before this one can have written it.
 */
import { isRefusal } from "../../log/storage-errors.ts";
import { type Check, type Item, type Key, type Settled, StorageError } from "../../ports/index.ts";
import { blockKey, blockOf, stampOf, writeStamps } from "../items/offsets.ts";
import type { GroupParts } from "../parts.ts";

const ATTEMPTS = 10;

export interface Stamp {
  readonly topicId: string;
  readonly partition: number;
  readonly epoch: number;
}

/**
 * True when no commit below these stamps can be applied any more; false where the state is not what it was. `isStill`: checks
 * that it is. Throws `StorageError`.
 */
export async function stampPartitions(
  { storage, clock }: Pick<GroupParts, "storage" | "clock">,
  group: string,
  stamps: readonly Stamp[],
  isStill: Check,
): Promise<boolean> {
  const blocks = new Map<string, { readonly key: Key; readonly stamps: Stamp[] }>();
  for (const stamp of stamps) {
    const key = blockKey(group, stamp.topicId, blockOf(stamp.partition));
    const block = blocks.get(key.sk) ?? { key, stamps: [] };
    blocks.set(key.sk, block);
    block.stamps.push(stamp);
  }
  let left = [...blocks.values()];
  let items: (Item | undefined)[] = await storage.table.getMany(left.map(({ key }) => key));
  for (let attempt = 0; left.length > 0; attempt++) {
    const writes = left.flatMap(({ key, stamps: wanted }, i) => {
      // What stands at its stamp is done: by somebody else, or by a write whose answer was lost.
      const due = wanted.filter(({ partition, epoch }) => stampOf(items[i], partition) !== epoch);
      if (due.length === 0) return [];
      const isBound = items[i] === undefined || due.some(({ partition, epoch }) => (stampOf(items[i], partition) ?? -1) > epoch);
      return [{ key, stamps: due, isBound, update: writeStamps(key, due, clock.nowMs(), items[i]) }];
    });
    if (writes.length === 0) return true;
    const known = writes.filter(({ isBound }) => !isBound).map(({ update }) => update);
    const [answers = []] = known.length === 0 ? [] : await storage.table.inOrder([known]);
    const settled: Settled[] = [];
    for (const { isBound, update } of writes) {
      if (!isBound) {
        settled.push(answers[settled.filter((_, i) => writes[i]?.isBound === false).length] as Settled);
        continue;
      }
      try {
        await storage.table.atomically([isStill, update]);
        settled.push({ ok: true, item: undefined });
      } catch (error) {
        // The state has changed, or somebody else has made the block: look again.
        if (isRefusal(error)) return false;
        if (!(error instanceof StorageError)) throw error;
        settled.push({ ok: false, error });
      }
    }
    left = writes.flatMap((write, i) => {
      const one = settled[i];
      if (one === undefined || one.ok) return [];
      const again = one.error.kind === "condition_failed" || one.error.kind === "contended" || one.error.kind === "unknown";
      if (!again || attempt >= ATTEMPTS) throw one.error;
      return [{ key: write.key, stamps: write.stamps }];
    });
    if (left.length > 0) items = await storage.table.getMany(left.map(({ key }) => key));
  }
  return true;
}
