/** Groups behind one object, over any storage. See `types.ts` for what it promises. */
import type { BrokerlessError } from "../base/errors.ts";
import { inParallel } from "../base/parallel.ts";
import { storageStep } from "../log/storage-errors.ts";
import type { Companion, ConfigEntry } from "../log/types.ts";
import { ClassicGroups, type ClassicSettings } from "./classic/classic.ts";
import { ConsumerGroups } from "./consumer/consumer.ts";
import { describeGroup, listingOf } from "./describe.ts";
import { checkGroupName, GROUPS } from "./items/group.ts";
import { decodeState, type GroupState, hasMembers, stateKey } from "./items/state.ts";
import { commitCompanion, commitOffsets } from "./offsets/commit.ts";
import { deleteOffsets, deleteWholeGroup, unknownGroup } from "./offsets/delete.ts";
import { fetchOffsets } from "./offsets/fetch.ts";
import { finishOffsets, noteOffsets } from "./offsets/pending.ts";
import type { GroupParts } from "./parts.ts";
import { RestConsumerStore } from "./rest/store.ts";
import { GroupStore } from "./store.ts";
import type * as T from "./types.ts";

/** Kafka's defaults: `group.initial.rebalance.delay.ms`; and a size that the state of a group can have. */
const DEFAULTS: ClassicSettings = { initialDelayMs: 3_000, maxSize: 1_000 };
const GROUPS_AT_ONCE = 16;

export function createGroups(parts: GroupParts, settings: Partial<ClassicSettings> = {}): T.GroupsApi {
  return new Groups(parts, { ...DEFAULTS, ...settings });
}

class Groups implements T.GroupsApi {
  readonly #parts: GroupParts;
  readonly #store: GroupStore;
  readonly #classic: ClassicGroups;
  readonly #consumer: ConsumerGroups;
  readonly restConsumers: RestConsumerStore;

  constructor(parts: GroupParts, settings: ClassicSettings) {
    this.#parts = parts;
    this.#store = new GroupStore(parts);
    this.#classic = new ClassicGroups(parts, this.#store, settings);
    this.restConsumers = new RestConsumerStore(parts);
    this.#consumer = new ConsumerGroups(parts, this.#store, settings.maxSize);
  }

  commit(request: T.CommitRequest): Promise<T.PartitionAnswer[]> {
    return commitOffsets(this.#parts, request);
  }

  commitWith(request: T.CommitRequest): Companion {
    return commitCompanion(this.#parts, request);
  }

  noteOffsets(request: T.CommitRequest, transaction: T.TransactionRef): Promise<T.PartitionAnswer[]> {
    return noteOffsets(this.#parts, request, transaction);
  }

  finishOffsets(group: string, transaction: T.TransactionRef, commit: boolean): Promise<void> {
    return finishOffsets(this.#parts, group, transaction, commit);
  }

  fetchOffsets(request: T.FetchOffsetsRequest): Promise<T.CommittedOffset[]> {
    return fetchOffsets(this.#parts, request);
  }

  deleteOffsets(group: string, partitions: readonly T.TopicPartition[]): Promise<T.PartitionAnswer[]> {
    return deleteOffsets(this.#parts, group, partitions);
  }

  join(request: T.JoinRequest): Promise<T.JoinAnswer> {
    return this.#classic.join(request);
  }

  sync(request: T.SyncRequest): Promise<T.SyncAnswer> {
    return this.#classic.sync(request);
  }

  heartbeat(group: string, member: T.MemberRef): Promise<void> {
    return this.#classic.heartbeat(group, member);
  }

  leave(group: string, members: readonly T.Leaving[]): Promise<(T.Leaving & { readonly error?: BrokerlessError })[]> {
    return this.#classic.leave(group, members);
  }

  consumerHeartbeat(request: T.ConsumerHeartbeatRequest): Promise<T.ConsumerHeartbeatAnswer> {
    return this.#consumer.consumerHeartbeat(request);
  }

  async list(filter: Parameters<T.GroupsApi["list"]>[0] = {}): Promise<T.GroupListing[]> {
    const { table } = this.#parts.storage;
    const names = (await storageStep("list groups", () => table.range(GROUPS))).map(({ key }) => key.sk);
    const items = await storageStep("list groups", () => table.getMany(names.map(stateKey)));
    const states = await inParallel(items, GROUPS_AT_ONCE, (item, i) =>
      this.#settled(names[i] as string, decodeState(item)?.state),
    );
    const listed = states.flatMap((state, i) => (state === undefined ? [] : [listingOf(names[i] as string, state)]));
    const wanted = (words: readonly string[] | undefined, word: string): boolean =>
      words === undefined || words.length === 0 || words.some((one) => one.toLowerCase() === word.toLowerCase());
    return listed.filter(({ phase, type }) => wanted(filter.phases, phase) && wanted(filter.types, type));
  }

  async describe(group: string): Promise<T.GroupDescription> {
    checkGroupName(group);
    const state = await this.#store.settle(group);
    if (state === undefined) throw unknownGroup(group);
    const topics = hasMembers(state) ? await this.#parts.log.listTopics() : [];
    return describeGroup(group, state, {
      idOf: new Map(topics.map(({ name, id }) => [name, id])),
      nameOf: new Map(topics.map(({ name, id }) => [id, name])),
      byName: new Map(topics.map((topic) => [topic.name, topic])),
    });
  }

  async delete(group: string): Promise<void> {
    checkGroupName(group);
    await this.#store.settle(group);
    await deleteWholeGroup(this.#parts, group);
  }

  configs(group: string): Promise<ConfigEntry[]> {
    return this.#store.configs.describe(group);
  }

  alterConfigs(
    group: string,
    changes: Readonly<Record<string, string | null>>,
    { validateOnly = false }: { readonly validateOnly?: boolean } = {},
  ): Promise<void> {
    return this.#store.configs.alter(group, changes, validateOnly);
  }

  configured(): Promise<string[]> {
    return this.#store.configs.list();
  }

  /** Members that are silent are out, whoever looks. */
  async #settled(group: string, state: GroupState | undefined): Promise<GroupState | undefined> {
    return state !== undefined && hasMembers(state) ? this.#store.settle(group) : state;
  }
}
