/** One share partition as it is stored: its state, written by compare and swap, and its parked records. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Codecs } from "../../kafka/index.ts";
import type { LogApi, Topic } from "../../log/types.ts";
import { type Clock, type Ids, type Item, type Storage, StorageError, type Write } from "../../ports/index.ts";
import type { ShareSettings } from "../config.ts";
import {
  decodeParked,
  decodeShare,
  encodeShare,
  isShareGroup,
  isStillShare,
  type Parked,
  parkedKey,
  putShareTopic,
  type StoredShare,
  shareKey,
} from "../items/share-partition.ts";
import type { KeptReads } from "./kept-reads.ts";

export interface LaneParts {
  readonly storage: Storage;
  readonly log: LogApi;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly codecs: Codecs;
  /** One for all share partitions of this process. */
  readonly reads: KeptReads;
  readonly settings: (group: string) => Promise<ShareSettings>;
  /** Something is to be given again, or at another time. */
  readonly ring: (group: string) => void;
}

/** A share partition, and what it takes to work on it. */
export interface SharePlace extends LaneParts {
  readonly group: string;
  readonly topic: Topic;
  readonly partition: number;
  readonly pk: string;
}

export async function readShare(share: SharePlace): Promise<StoredShare | undefined> {
  const { table } = share.storage;
  const item = await table.get(shareKey(share.group, share.topic.id, share.partition));
  return item && decodeShare(item);
}

export async function writeShare(
  share: SharePlace,
  before: StoredShare | undefined,
  { state, version, writes }: StoredShare,
  moves: readonly Write[],
): Promise<"made" | "unknown" | "contended" | "refused" | { readonly found: Item }> {
  const { table } = share.storage;
  const key = shareKey(share.group, share.topic.id, share.partition);
  const put: Write = {
    op: "put",
    key,
    item: encodeShare(state, version, writes),
    when: before === undefined ? [{ item: "absent" }] : isStillShare(before),
  };
  try {
    if (before !== undefined && moves.length === 0) await table.write(put);
    else {
      const begins: readonly Parameters<typeof table.atomically>[0][number][] =
        before !== undefined
          ? []
          : [
              putShareTopic(share.group, share.topic.id, share.topic.partitions, state.name),
              isShareGroup(share.group, state.born),
            ];
      await table.atomically([put, ...moves, ...begins]);
    }
    return "made";
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.kind === "unknown") return "unknown";
    if (error.kind === "contended") return "contended";
    if (error.kind !== "condition_failed") throw error;
    if (before === undefined && (error.index ?? 0) > 0) {
      throw new BrokerlessError("unknown_group", `share group "${share.group}" was deleted`, { field: "group" });
    }
    return (error.index ?? 0) === 0 && error.item !== undefined ? { found: error.item } : "refused";
  }
}

export async function readParked(share: SharePlace, offsets: readonly number[]): Promise<Map<number, Parked>> {
  if (offsets.length === 0) return new Map();
  const items = await share.storage.table.getMany(offsets.map((offset) => parkedKey(share.pk, offset)));
  return new Map(
    items.flatMap((item, i) => {
      const offset = offsets[i] as number;
      return item === undefined ? [] : [[offset, decodeParked(offset, item)] as const];
    }),
  );
}
