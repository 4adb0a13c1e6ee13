/** Lag behind one object, over any storage. See `types.ts` for what it promises. */
import { BrokerlessError } from "../base/errors.ts";
import { inParallel } from "../base/parallel.ts";
import { checkGroupName, GROUPS } from "../groups/items/group.ts";
import type { GroupDescription, GroupsApi } from "../groups/types.ts";
import { storageStep } from "../log/storage-errors.ts";
import type { Topic } from "../log/types.ts";
import { evaluate, type Owners } from "./evaluate.ts";
import { windowsPk } from "./items/window.ts";
import { type LookParts, lookAt } from "./look.ts";
import type { GroupLag, LagApi, Owner } from "./types.ts";
import { isUnknown, readUnread, type UnreadParts } from "./unread.ts";

/** Groups that are looked at together: bounds the memory. */
export const GROUPS_TOGETHER = 64;
const DESCRIBED_AT_ONCE = 16;

export interface LagParts extends LookParts, UnreadParts {
  readonly groups: Pick<GroupsApi, "describe">;
}

export function createLag(parts: LagParts): LagApi {
  return new Lag(parts);
}

class Lag implements LagApi {
  readonly #parts: LagParts;

  constructor(parts: LagParts) {
    this.#parts = parts;
  }

  groups(): Promise<string[]> {
    return groupNames(this.#parts);
  }

  async groupLag(group: string, { exact = false }: { readonly exact?: boolean } = {}): Promise<GroupLag> {
    checkGroupName(group);
    const [description, topics] = await Promise.all([this.#parts.groups.describe(group), topicsById(this.#parts)]);
    const [look] = await lookAt(this.#parts, [group], topics);
    if (look === undefined) throw new Error("a look at one group answers for it");
    if (exact) {
      const unknown = look.blocks.flatMap(({ partitions }) => partitions.filter(isUnknown));
      await readUnread(this.#parts, unknown, () => true);
    }
    return evaluate(look, this.#parts.settings, ownersOf(description));
  }

  async *all({ owners = false }: { readonly owners?: boolean } = {}): AsyncGenerator<readonly GroupLag[]> {
    const [names, topics] = await Promise.all([this.groups(), topicsById(this.#parts)]);
    for (let i = 0; i < names.length; i += GROUPS_TOGETHER) {
      const some = names.slice(i, i + GROUPS_TOGETHER);
      const [looks, owned] = await Promise.all([lookAt(this.#parts, some, topics), owners ? this.#owners(some) : []]);
      yield looks
        .map((look, at) => evaluate(look, this.#parts.settings, owned[at]))
        .filter(({ partitions }) => partitions.length > 0);
    }
  }

  /** Of a group that has just gone: none. */
  #owners(groups: readonly string[]): Promise<(Owners | undefined)[]> {
    return inParallel(groups, DESCRIBED_AT_ONCE, async (group) => {
      try {
        return ownersOf(await this.#parts.groups.describe(group));
      } catch (error) {
        if (error instanceof BrokerlessError && error.code === "unknown_group") return undefined;
        throw error;
      }
    });
  }

  async forget(group: string): Promise<void> {
    checkGroupName(group);
    const { table } = this.#parts.storage;
    await storageStep(`forget the lag of group "${group}"`, async () => {
      const items = await table.range(windowsPk(group));
      await Promise.all(items.map(({ key }) => table.write({ op: "delete", key })));
    });
  }
}

export async function groupNames({ storage }: Pick<LookParts, "storage">): Promise<string[]> {
  return (await storageStep("list groups", () => storage.table.range(GROUPS))).map(({ key }) => key.sk);
}

export async function topicsById({ log }: Pick<UnreadParts, "log">): Promise<Map<string, Topic>> {
  return new Map((await log.listTopics()).map((topic) => [topic.id, topic]));
}

function ownersOf({ members }: GroupDescription): Owners {
  const owners = new Map<string, Owner>();
  for (const { memberId, instanceId, client, assigned } of members) {
    for (const { topicId, partitions } of assigned) {
      for (const partition of partitions) owners.set(`${topicId}#${partition}`, { memberId, instanceId, ...client });
    }
  }
  return (topicId, partition) => owners.get(`${topicId}#${partition}`);
}
