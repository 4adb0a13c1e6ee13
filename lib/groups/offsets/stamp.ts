/**
 * Stamps: from now on these partitions may be committed only from this generation or epoch on. Written before the state that
 * gives them away, so before any member learns of it (O1).
 *
 * A crash after it, or a state that then loses its compare-and-set, leaves stamps at an epoch that the group has reached
 * already: whoever owns the partition next is given it at that epoch or a later one, so nobody is locked out.
 */
import type { Item, Key } from "../../ports/index.ts";
import { blockKey, blockOf, stampOf, writeStamps } from "../items/offsets.ts";
import type { GroupParts } from "../parts.ts";

const ATTEMPTS = 10;

export interface Stamp {
  readonly topicId: string;
  readonly partition: number;
  readonly epoch: number;
}

/** Resolves when no commit below these stamps can be applied any more. Throws `StorageError`. */
export async function stampPartitions(
  { storage, clock }: Pick<GroupParts, "storage" | "clock">,
  group: string,
  stamps: readonly Stamp[],
): Promise<void> {
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
      // What stands at or above its stamp is done: by somebody else, or by a write whose answer was lost.
      const below = wanted.filter(({ partition, epoch }) => (stampOf(items[i], partition) ?? -1) < epoch);
      return below.length === 0 ? [] : [{ key, stamps: below, update: writeStamps(key, below, clock.nowMs(), items[i]) }];
    });
    if (writes.length === 0) return;
    const [settled = []] = await storage.table.inOrder([writes.map(({ update }) => update)]);
    left = writes.flatMap((write, i) => {
      const one = settled[i];
      if (one === undefined || one.ok) return [];
      const again = one.error.kind === "condition_failed" || one.error.kind === "contended" || one.error.kind === "unknown";
      if (!again || attempt >= ATTEMPTS) throw one.error;
      return [{ key: write.key, stamps: write.stamps }];
    });
    if (left.length > 0) items = await storage.table.getMany(left.map(({ key }) => key));
  }
}
