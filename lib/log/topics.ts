/**
 * Topics: made, listed, changed and deleted. The catalog of one process keeps what it read for 30 seconds; what this
 * process itself did is seen at once.
 *
 * Steps and what a crash between them leaves:
 * - create: heads of all partitions, then the topic. Between: heads that no topic names; the sweeper takes them.
 * - grow: heads of the new partitions, then the topic's count. Between: heads that the next growth finds and keeps.
 * - delete: in one transaction the topic and the head of its first partition go and a tombstone comes, then the other heads
 *   go. Between: heads that can still be appended to by a writer that has the old topic in its cache, but that nobody can
 *   read; the tombstone says that they are to go, to the sweeper and to whoever makes a topic of this name.
 *
 * T1  The head of a topic's first partition (`proofKey`) is there before anybody can see the topic, and goes in the transaction in
 *     which the topic goes; it never comes back, since an id is given once and growth puts only heads of further partitions.
 *     So whoever finds it knows that what is remembered of the topic's name and id still holds.
 */
import { BrokerlessError } from "../base/errors.ts";
import { type Clock, type Ids, type Key, type KeyedItem, type Storage, StorageError, type Write } from "../ports/index.ts";
import { changedConfigs, checkConfigs } from "./config.ts";
import { emptyHead, headKey } from "./items/head.ts";
import {
  DELETED,
  decodeTombstone,
  decodeTopic,
  encodeTombstone,
  encodeTopic,
  TOPICS,
  tombstoneKey,
  topicKey,
} from "./items/topic.ts";
import { fromStorage, isRefusal, storageStep } from "./storage-errors.ts";
import type { Topic, TopicSpec } from "./types.ts";

const MAX_PARTITIONS = 10_000;
const CACHE_MS = 30_000;
const HEADS_AT_ONCE = 100;
/** Appends to the first partition may be in the way of a deletion's transaction. */
const DELETE_ATTEMPTS = 20;

/** The key of an item that is there while the topic is (T1). */
export function proofKey(topicId: string): Key {
  return headKey(topicId, 0);
}

/** Throws `invalid_topic` unless the name is legal by Kafka's rule. */
function checkTopicName(name: string): void {
  const wrong =
    name.length === 0
      ? "is empty"
      : name === "." || name === ".."
        ? "is . or .."
        : name.length > 249
          ? `has ${name.length} characters; at most 249 are allowed`
          : /^[a-zA-Z0-9._-]+$/.test(name)
            ? undefined
            : "has a character other than a-z A-Z 0-9 . _ -";
  if (wrong !== undefined) {
    const shown = name.length > 60 ? `${name.slice(0, 60)}...` : name;
    throw new BrokerlessError("invalid_topic", `topic name "${shown}" ${wrong}`, { field: "topic_name" });
  }
}

function checkPartitions(partitions: number): void {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw new BrokerlessError("invalid_partitions", `partitions is ${partitions}; a topic takes 1 to ${MAX_PARTITIONS}`, {
      field: "partitions_count",
    });
  }
}

function checkReplicationFactor(factor: number): void {
  if (![-1, 1, 2, 3].includes(factor)) {
    throw new BrokerlessError(
      "invalid_replication_factor",
      `replication factor is ${factor}; it takes -1 or 1 to 3, and what is kept is the storage's (docs/durability.md)`,
      { field: "replication_factor" },
    );
  }
}

/** Checks a spec and fills in the defaults. */
function topicOf(spec: TopicSpec, id: string, nowMs: number): Topic {
  const partitions = spec.partitions ?? 1;
  const replicationFactor = spec.replicationFactor ?? -1;
  checkTopicName(spec.name);
  checkPartitions(partitions);
  checkReplicationFactor(replicationFactor);
  checkConfigs(spec.configs ?? {});
  return { name: spec.name, id, partitions, replicationFactor, configs: { ...spec.configs }, createdAtMs: nowMs };
}

export class Topics {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #cache = new Map<string, { readonly topic: Topic; readonly readAtMs: number }>();

  constructor(storage: Storage, clock: Clock, ids: Ids) {
    this.#storage = storage;
    this.#clock = clock;
    this.#ids = ids;
  }

  /** From the cache if that is young enough; throws `unknown_topic`. */
  get(name: string): Topic | Promise<Topic> {
    const cached = this.#cache.get(name);
    if (cached !== undefined && this.#clock.monotonicMs() - cached.readAtMs < CACHE_MS) return cached.topic;
    return this.refresh(name);
  }

  /** As it is now; throws `unknown_topic`. */
  async refresh(name: string): Promise<Topic> {
    checkTopicName(name);
    const item = await storageStep(`read topic "${name}"`, () => this.#storage.table.get(topicKey(name)));
    if (item === undefined) {
      this.#cache.delete(name);
      throw unknownTopic(name);
    }
    return this.#keep(decodeTopic(name, item));
  }

  async list(): Promise<Topic[]> {
    const found = await storageStep("list topics", () => this.#storage.table.range(TOPICS));
    return found.map(({ key, item }: KeyedItem) => this.#keep(decodeTopic(key.sk, item)));
  }

  async create(spec: TopicSpec, validateOnly: boolean): Promise<Topic> {
    const topic = topicOf(spec, this.#ids.topicId(), this.#clock.nowMs());
    const { table } = this.#storage;
    await storageStep(`create topic "${topic.name}"`, async () => {
      if ((await table.get(topicKey(topic.name))) !== undefined) throw topicExists(topic.name);
      if (validateOnly) return;
      await this.#finishDeletions(topic.name);
      await this.#putHeads(topic, 0);
      try {
        await table.write({ op: "put", key: topicKey(topic.name), item: encodeTopic(topic), when: [{ item: "absent" }] });
      } catch (error) {
        if (!isRefusal(error)) throw error;
        await this.#deleteHeads(topic);
        throw topicExists(topic.name);
      }
    });
    return validateOnly ? topic : this.#keep(topic);
  }

  async alterConfigs(name: string, changes: Readonly<Record<string, string | null>>, validateOnly: boolean): Promise<Topic> {
    for (;;) {
      const topic = await this.refresh(name);
      const configs = changedConfigs(topic.configs, changes);
      if (validateOnly) return { ...topic, configs };
      const done = await this.#replace(topic, { ...topic, configs });
      if (done !== undefined) return done;
    }
  }

  async grow(name: string, total: number, validateOnly: boolean): Promise<Topic> {
    checkPartitions(total);
    for (;;) {
      const topic = await this.refresh(name);
      if (total <= topic.partitions) {
        throw new BrokerlessError(
          "invalid_partitions",
          `topic "${name}" has ${topic.partitions} partitions; ${total} asked for: partitions can only grow`,
          { field: "partitions_count" },
        );
      }
      const grown = { ...topic, partitions: total };
      if (validateOnly) return grown;
      await storageStep(`grow topic "${name}"`, () => this.#putHeads(grown, topic.partitions));
      const done = await this.#replace(topic, grown);
      if (done !== undefined) return done;
    }
  }

  /** `id`: only where the topic of the name has it. */
  async delete(name: string, id?: string): Promise<void> {
    const topic = await this.refresh(name);
    if (id !== undefined && topic.id !== id) throw unknownTopic(name);
    await storageStep(`delete topic "${name}"`, async () => {
      await this.#bury(topic);
      this.#cache.delete(name);
      await this.#deleteHeads(topic);
    });
  }

  /** The transaction of a deletion (T1). */
  async #bury(topic: Topic): Promise<void> {
    const ops: Write[] = [
      { op: "delete", key: topicKey(topic.name), when: [{ path: "i", is: "=", value: topic.id }] },
      { op: "delete", key: proofKey(topic.id) },
      {
        op: "put",
        key: tombstoneKey(topic.id),
        item: encodeTombstone({ ...topic, atMs: this.#clock.nowMs(), passes: 0, nextPartition: 0 }),
      },
    ];
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#storage.table.atomically(ops);
        return;
      } catch (error) {
        if (isRefusal(error)) throw unknownTopic(topic.name);
        const again = error instanceof StorageError && error.kind === "contended" && attempt < DELETE_ATTEMPTS;
        if (!again) throw error;
      }
      await this.#clock.sleep(Math.ceil(2 ** Math.min(attempt, 8) * this.#ids.random()));
    }
  }

  /** What is known of this name is old. */
  forget(name: string): void {
    this.#cache.delete(name);
  }

  #keep(topic: Topic): Topic {
    this.#cache.set(topic.name, { topic, readAtMs: this.#clock.monotonicMs() });
    return topic;
  }

  /** Changes a topic that is still as it was read; undefined when it is not. */
  async #replace(before: Topic, after: Topic): Promise<Topic | undefined> {
    const { p, c } = encodeTopic(before);
    try {
      await this.#storage.table.write({
        op: "put",
        key: topicKey(before.name),
        item: encodeTopic(after),
        when: [
          { path: "i", is: "=", value: before.id },
          { path: "p", is: "=", value: p as number },
          { path: "c", is: "=", value: c as Record<string, string> },
        ],
      });
    } catch (error) {
      if (isRefusal(error)) return undefined;
      throw fromStorage(error, `change topic "${before.name}"`);
    }
    return this.#keep(after);
  }

  /** Heads of the partitions from `first` on; those that are there already are kept. */
  async #putHeads(topic: Topic, first: number): Promise<void> {
    for (let from = first; from < topic.partitions; from += HEADS_AT_ONCE) {
      const ops: Write[] = [];
      for (let p = from; p < Math.min(from + HEADS_AT_ONCE, topic.partitions); p++) {
        ops.push({ op: "put", key: headKey(topic.id, p), item: emptyHead(), when: [{ item: "absent" }] });
      }
      await this.#allOf(ops);
    }
  }

  /** A deletion that died leaves heads, to which whoever remembers the old topic could append instead of to the new one. */
  async #finishDeletions(name: string): Promise<void> {
    for (const { key, item } of await this.#storage.table.range(DELETED)) {
      const tombstone = decodeTombstone(item);
      if (tombstone.name === name && tombstone.passes === 0) {
        await this.#deleteHeads({ id: key.sk, partitions: tombstone.partitions });
      }
    }
  }

  async #deleteHeads(topic: Pick<Topic, "id" | "partitions">): Promise<void> {
    for (let from = 0; from < topic.partitions; from += HEADS_AT_ONCE) {
      const ops: Write[] = [];
      for (let p = from; p < Math.min(from + HEADS_AT_ONCE, topic.partitions); p++)
        ops.push({ op: "delete", key: headKey(topic.id, p) });
      await this.#allOf(ops);
    }
  }

  async #allOf(ops: readonly Write[]): Promise<void> {
    const [settled] = await this.#storage.table.inOrder([ops]);
    for (const one of settled ?? []) if (!one.ok && !isRefusal(one.error)) throw one.error;
  }
}

export function unknownTopic(name: string): BrokerlessError {
  return new BrokerlessError("unknown_topic", `topic "${name}" does not exist`, { field: "topic_name" });
}

export function unknownPartition(topic: Topic, partition: number): BrokerlessError {
  return new BrokerlessError(
    "unknown_partition",
    `topic "${topic.name}" has partitions 0 to ${topic.partitions - 1}; ${partition} asked for`,
    {
      field: "partition",
    },
  );
}

function topicExists(name: string): BrokerlessError {
  return new BrokerlessError("topic_exists", `topic "${name}" exists already`, { field: "topic_name" });
}
