/** Offsets that are taken away: by an admin, partition by partition; with a group that is deleted; by their retention. */
import { BrokerlessError } from "../../base/errors.ts";
import { isRefusal, storageStep } from "../../log/storage-errors.ts";
import type { Storage } from "../../ports/index.ts";
import { checkGroupName, deleteGroup, groupPk } from "../items/group.ts";
import { blockKey, blockOf, deleteBlock, entryOf, removeEntries } from "../items/offsets.ts";
import { decodeState, deleteState, hasMembers, stateKey } from "../items/state.ts";
import type { GroupParts } from "../parts.ts";
import { clearShareTopic } from "../share/clear.ts";
import { subscribes } from "../subscribed.ts";
import type { PartitionAnswer, TopicPartition } from "../types.ts";
import { readPlaced } from "./topics.ts";

/** Kafka's OffsetDelete: a partition that has no offset is deleted too. */
export async function deleteOffsets(
  parts: GroupParts,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<PartitionAnswer[]> {
  checkGroupName(group);
  const { table } = parts.storage;
  return storageStep(`delete offsets of group "${group}"`, async () => {
    const { state, ids } = await readPlaced(parts.log, partitions, async (places, keys) => {
      const [item, ...proofs] = await table.getMany([stateKey(group), ...keys]);
      return { result: { state: decodeState(item)?.state, ids: places }, proofs };
    });
    if (state === undefined) throw unknownGroup(group);
    return Promise.all(
      partitions.map(async ({ topic, partition }, i) => {
        const id = ids[i] as string | BrokerlessError;
        if (id instanceof BrokerlessError) return { topic, partition, error: id };
        if (subscribes(state, topic, id)) {
          const message = `members of group "${group}" read topic "${topic}"`;
          return { topic, partition, error: new BrokerlessError("group_subscribed_to_topic", message) };
        }
        await removeEntry(parts, group, id, partition);
        parts.mirror?.stale(group);
        return { topic, partition };
      }),
    );
  });
}

async function removeEntry({ storage }: GroupParts, group: string, topicId: string, partition: number): Promise<void> {
  const key = blockKey(group, topicId, blockOf(partition));
  for (;;) {
    const item = await storage.table.get(key);
    if (item === undefined || entryOf(item, partition) === undefined) return;
    try {
      await storage.table.write(removeEntries(key, [partition], item));
      return;
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
}

/**
 * Deletes a group that has no members: its state, then what is under it, then its name. After the first step the group is
 * gone; a crash leaves a name, by which `expire` finds the rest, and so does who asks again: when it has answered, in whichever way,
 * nothing of the group is left that a process with an old look could go on with. Throws `unknown_group`, `non_empty_group`.
 */
export async function deleteWholeGroup(parts: Pick<GroupParts, "storage" | "mirror">, group: string): Promise<void> {
  const { table } = parts.storage;
  await storageStep(`delete group "${group}"`, async () => {
    for (;;) {
      const before = decodeState(await table.get(stateKey(group)));
      if (before === undefined) {
        await clearGroup(parts, group);
        throw unknownGroup(group);
      }
      if (hasMembers(before.state)) {
        throw new BrokerlessError("non_empty_group", `group "${group}" has ${Object.keys(before.state.members).length} members`);
      }
      try {
        await table.write(deleteState(group, before));
        parts.mirror?.stale(group);
        break;
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    await clearGroup(parts, group);
  });
}

/** Takes away what a group without a state has left. */
export async function clearGroup({ storage }: { readonly storage: Storage }, group: string): Promise<void> {
  const { table } = storage;
  for (let again = true; again; ) {
    const left = await table.range(groupPk(group));
    again = false;
    // Before the names of their topics, by which they are found.
    for (const { key, item } of left) {
      if (!key.sk.startsWith("Q#")) continue;
      again = !(await clearShareTopic({ storage }, group, key.sk.slice(2), item["n"] as number, { former: true })) || again;
    }
    // Somebody has made the group again: the rest is theirs.
    if (left.some(({ key }) => key.sk === "STATE")) {
      if (again) continue;
      return;
    }
    for (const { key, item } of left) {
      if (key.sk.startsWith("Q#")) continue;
      try {
        await table.write(key.sk.startsWith("O#") ? deleteBlock(key, item) : { op: "delete", key });
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // A late commit of a member that was: it goes too.
        again = true;
      }
    }
  }
  try {
    await table.atomically([deleteGroup(group), { op: "check", key: stateKey(group), when: [{ item: "absent" }] }]);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

export function unknownGroup(group: string): BrokerlessError {
  return new BrokerlessError("unknown_group", `there is no group "${group}"`, { field: "group" });
}
