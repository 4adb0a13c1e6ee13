/**
 * Share sessions (KIP-932): which partitions a member fetches from, so that it names only changes. Key `G#<group>`, `N#<member id>`: `v`
 * format version, `e` the session epoch at which the list was last changed, `p` topic ids and partitions in turn. It expires an hour
 * after it was last written.
 *
 * N1  The list alone is kept, so any process can serve the next request. An epoch at or below `e` is of a request that was overtaken.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import { storageStep } from "../../log/storage-errors.ts";
import type { Item, Key } from "../../ports/index.ts";
import { groupPk } from "../items/group.ts";
import type { GroupParts } from "../parts.ts";
import type { SharePartition, ShareSessionRequest } from "./types.ts";

const KEPT_MS = 3_600_000;
/** One that lives is written again after so long. */
const AGAIN_MS = KEPT_MS / 4;
/** An item holds that many, with room to spare. */
const PARTITIONS_MOST = 10_000;

export function openSession(
  { storage, clock }: Pick<GroupParts, "storage" | "clock">,
  { group, memberId, epoch, add, forget }: ShareSessionRequest,
  release: (partitions: readonly SharePartition[]) => Promise<void>,
): Promise<readonly SharePartition[]> {
  const key: Key = { pk: groupPk(group), sk: `N#${memberId}` };
  const { table } = storage;
  return storageStep(`share session of group "${group}"`, async () => {
    const item = epoch === 0 ? undefined : await table.get(key);
    if (epoch !== 0 && item === undefined) {
      throw new BrokerlessError("share_session_not_found", `member "${memberId}" of group "${group}" has no share session`);
    }
    const before = item === undefined ? [] : decode(item);
    if (epoch === -1) {
      await release(before);
      await table.write({ op: "delete", key });
      return before;
    }
    if (item !== undefined && epoch <= (item["e"] as number)) {
      throw new BrokerlessError(
        "invalid_share_session_epoch",
        `the share session of member "${memberId}" is past epoch ${item["e"]}; the request is of ${epoch}`,
      );
    }
    const named = new Map([...before, ...add].map((one) => [nameOf(one), one]));
    for (const one of forget) named.delete(nameOf(one));
    const after = [...named.values()];
    if (after.length > PARTITIONS_MOST) {
      const what = `the share session of member "${memberId}" would have ${after.length} partitions; at most ${PARTITIONS_MOST} are taken`;
      throw new BrokerlessError("invalid_request", what, { field: "topics" });
    }
    const nowMs = clock.nowMs();
    const old = item !== undefined && nowMs >= (item["t"] as number) + AGAIN_MS;
    if (epoch === 0 || old || after.length !== before.length || after.some((one, i) => nameOf(one) !== nameOf(before[i]))) {
      const p = after.flatMap(({ topicId, partition }) => [topicId, partition]);
      await table.write({ op: "put", key, item: { v: FORMAT_VERSION, e: epoch, t: nowMs, p }, expiresAtMs: nowMs + KEPT_MS });
    }
    return after;
  });
}

function nameOf(one: SharePartition | undefined): string {
  return one === undefined ? "" : `${one.topicId} ${one.partition}`;
}

function decode(item: Item): SharePartition[] {
  checkFormat(item, "a share session");
  const flat = item["p"] as readonly (string | number)[];
  return Array.from({ length: flat.length / 2 }, (_, i) => ({
    topicId: flat[2 * i] as string,
    partition: flat[2 * i + 1] as number,
  }));
}
