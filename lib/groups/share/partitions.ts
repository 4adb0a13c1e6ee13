/** The partitions that share groups are asked for, and those that a group was given records of. */
import { BrokerlessError } from "../../base/errors.ts";
import { storageStep } from "../../log/storage-errors.ts";
import type { PartitionInfo, Topic } from "../../log/types.ts";
import { groupPk } from "../items/group.ts";
import { decodeShare, SHARE_TOPIC_RANGE, type ShareState, shareKey } from "../items/share-partition.ts";
import type { GroupParts } from "../parts.ts";
import type { SharePartition } from "./types.ts";

/** A list of topics is believed so long. */
const KEPT_MS = 30_000;

/** A partition that is there. */
export interface Known extends SharePartition {
  readonly topic: Topic;
}

export class SharePartitions {
  readonly #parts: Pick<GroupParts, "storage" | "log" | "clock">;
  #topics: { readonly byId: ReadonlyMap<string, Topic>; readonly atMs: number } | undefined;

  constructor(parts: Pick<GroupParts, "storage" | "log" | "clock">) {
    this.#parts = parts;
  }

  /** The topic as it is known; the error where there is none, or no such partition. */
  async topicOf({ topicId, partition }: SharePartition): Promise<Topic | BrokerlessError> {
    const { log, clock } = this.#parts;
    let known = this.#topics;
    const oldMs = known === undefined ? KEPT_MS : clock.monotonicMs() - known.atMs;
    const has = known?.byId.get(topicId);
    if (known === undefined || oldMs >= KEPT_MS || has === undefined || partition >= has.partitions) {
      known = { byId: new Map((await log.listTopics()).map((topic) => [topic.id, topic])), atMs: clock.monotonicMs() };
      this.#topics = known;
    }
    const topic = known.byId.get(topicId);
    if (topic === undefined) return new BrokerlessError("unknown_topic", `there is no topic with the id ${topicId}`);
    try {
      checkPartition(topic, partition);
    } catch (error) {
      return error as BrokerlessError;
    }
    return topic;
  }

  /** Of the topics that the group was ever given records of. */
  async ofGroup(group: string, topics: readonly string[] | undefined): Promise<Known[]> {
    const { storage, log } = this.#parts;
    const rows = await storageStep(`share group "${group}"`, () => storage.table.range(groupPk(group), SHARE_TOPIC_RANGE));
    const ids = new Set(rows.map(({ key }) => key.sk.slice(2)));
    const all = rows.length === 0 && topics === undefined ? [] : await log.listTopics();
    const mine = all.filter(({ id, name }) => (topics === undefined ? ids.has(id) : topics.includes(name)));
    return mine.flatMap((topic) =>
      Array.from({ length: topic.partitions }, (_, partition) => ({ topicId: topic.id, partition, topic })),
    );
  }

  /** What is stored of each; undefined: it has not begun. */
  async states(group: string, known: readonly SharePartition[]): Promise<(ShareState | undefined)[]> {
    const keys = known.map(({ topicId, partition }) => shareKey(group, topicId, partition));
    const items = await storageStep(`share group "${group}"`, () => this.#parts.storage.table.getMany(keys));
    return items.map((item) => item && decodeShare(item).state);
  }

  /** What the log says of each; undefined: it is not there. */
  async infos(known: readonly Known[]): Promise<(PartitionInfo | undefined)[]> {
    const byTopic = Map.groupBy(known, ({ topic }) => topic.name);
    const found = new Map<string, PartitionInfo>();
    await Promise.all(
      [...byTopic].map(async ([name, some]) => {
        const infos = await this.#parts.log.partitions(
          name,
          some.map(({ partition }) => partition),
        );
        for (const info of infos) found.set(`${name} ${info.partition}`, info);
      }),
    );
    return known.map(({ topic, partition }) => found.get(`${topic.name} ${partition}`));
  }
}

/** Throws `unknown_partition`. */
export function checkPartition(topic: Topic, partition: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < topic.partitions) return;
  throw new BrokerlessError(
    "unknown_partition",
    `topic "${topic.name}" has partitions 0 to ${topic.partitions - 1}; ${partition} was asked for`,
  );
}
