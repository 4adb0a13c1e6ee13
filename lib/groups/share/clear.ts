/**
 * Share partitions that go, or begin anew. The state goes first: whoever still works on it is refused, and can begin another one only
 * while the group and the topic are there. A crash leaves parked records without a state: they go before another begins.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { isRefusal, storageStep } from "../../log/storage-errors.ts";
import type { Topic } from "../../log/types.ts";
import { type Item, type Key, StorageError } from "../../ports/index.ts";
import {
  decodeShare,
  encodeShare,
  isNamed,
  isShareGroup,
  isStillShare,
  newShare,
  putShareTopic,
  shareKey,
  shareTopicKey,
} from "../items/share-partition.ts";
import { decodeState, stateKey } from "../items/state.ts";
import type { GroupParts } from "../parts.ts";

const AT_ONCE = 50;
const TRIES = 20;

/**
 * Takes away all that a group has of a topic; `former`: what groups of its name had that were deleted, alone. False: a share partition of it has begun meanwhile. Each delete is for the one that was
 * read: a delete that comes late finds another name, and takes nothing from a group that was made again.
 */
export function clearShareTopic(
  { storage }: Pick<GroupParts, "storage">,
  group: string,
  topicId: string,
  partitions: number,
  { former = false }: { readonly former?: boolean } = {},
): Promise<boolean> {
  const { table } = storage;
  return storageStep(`share group "${group}"`, async () => {
    const topic = await table.get(shareTopicKey(group, topicId));
    let stays = false;
    for (let partition = 0; partition < partitions; partition++) {
      const key = shareKey(group, topicId, partition);
      const item = await table.get(key);
      if (former && item !== undefined && (await bornOf(table, group)) === decodeShare(item).state.born) {
        stays = true;
        continue;
      }
      if (item !== undefined && !(await deleteNamed(table, key, item))) return false;
      await clearParked(storage, key.pk);
    }
    return stays || topic === undefined || deleteNamed(table, shareTopicKey(group, topicId), topic);
  });
}

/**
 * Takes away a share partition whose group was deleted, should it be there. False: it is of the group that is there. The group is
 * read after it: a group that is gone never comes back, so what is not of the one that is there then is of none.
 */
export function clearFormer({ storage }: Pick<GroupParts, "storage">, group: string, key: Key): Promise<boolean> {
  const { table } = storage;
  return storageStep(`share group "${group}"`, async () => {
    const item = await table.get(key);
    if (item === undefined) return true;
    if ((await bornOf(table, group)) === decodeShare(item).state.born) return false;
    await deleteNamed(table, key, item);
    return true;
  });
}

async function bornOf(table: GroupParts["storage"]["table"], group: string): Promise<number | undefined> {
  return decodeState(await table.get(stateKey(group)))?.born;
}

/** False: another has taken its place. */
async function deleteNamed(table: GroupParts["storage"]["table"], key: Key, item: Item): Promise<boolean> {
  try {
    await table.write({ op: "delete", key, when: [isNamed(item)] });
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return error.item === undefined;
  }
}

/** Takes away what a share partition that has no state has left. */
export async function clearParked({ table }: GroupParts["storage"], pk: string): Promise<void> {
  for (;;) {
    const rows = (await table.range(pk, { limit: AT_ONCE })).filter(({ key }) => key.sk !== "STATE");
    if (rows.length === 0) return;
    const state = { op: "check", key: { pk, sk: "STATE" }, when: [{ item: "absent" }] } as const;
    try {
      await table.atomically([state, ...rows.map(({ key }) => ({ op: "delete", key }) as const)]);
    } catch (error) {
      // It has begun again meanwhile: what is there is its own.
      if (isRefusal(error)) return;
      if (!(error instanceof StorageError && error.kind === "contended")) throw error;
    }
  }
}

/** The share partition begins at this offset: nothing is in flight, parked or dead. */
export function resetSharePartition(
  { storage, ids }: Pick<GroupParts, "storage" | "ids">,
  group: string,
  topic: Topic,
  partition: number,
  offset: number,
): Promise<void> {
  const { table } = storage;
  const key = shareKey(group, topic.id, partition);
  return storageStep(`share group "${group}"`, async () => {
    let epoch = 0;
    for (let tries = 0; tries < TRIES; tries++) {
      const item = await table.get(key);
      const before = item && decodeShare(item);
      epoch = Math.max(epoch, before?.state.epoch ?? 0);
      try {
        if (before !== undefined) {
          await table.write({ op: "delete", key, when: isStillShare(before) });
        }
        await clearParked(storage, key.pk);
        const born = await bornOf(table, group);
        if (born === undefined) throw new BrokerlessError("unknown_group", `there is no group "${group}"`, { field: "group" });
        const after = newShare(ids.uuid(), born, epoch + 1, offset);
        await table.atomically([
          { op: "put", key, item: encodeShare(after, 1, []), when: [{ item: "absent" }] },
          putShareTopic(group, topic.id, topic.partitions, after.name),
          isShareGroup(group, born),
        ]);
        return;
      } catch (error) {
        const again = isRefusal(error) || (error instanceof StorageError && error.kind === "contended");
        if (!again) throw error;
      }
    }
    throw new BrokerlessError("group_busy", `share group "${group}" changes all the time`, { retryAfterMs: 1000 });
  });
}
