/** What the members of a group can read, as this process sees it: names, ids and partition counts, a little old at most. */
import { BrokerlessError } from "../../base/errors.ts";
import { crc32c } from "../../kafka/index.ts";
import type { LogApi, Topic } from "../../log/types.ts";
import type { Clock } from "../../ports/index.ts";
import type { ConsumerMember, ConsumerState } from "../items/state.ts";
import { topicOr } from "../offsets/topics.ts";
import type { TopicPartitions } from "../types.ts";
import { partitionsOf, type TopicView } from "./machine.ts";
import { compileRegex } from "./regex.ts";

/** So long a list of all topics is used for regular expressions. */
const LIST_MS = 5_000;

export class TopicDirectory {
  readonly #log: LogApi;
  readonly #clock: Clock;
  #list: { readonly topics: readonly Topic[]; readonly atMs: number } | undefined;

  constructor(log: LogApi, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** The topics that these members may read. `anew`: as they are now. */
  async topics(
    members: readonly Pick<ConsumerMember, "topics" | "regex">[],
    options: { readonly anew?: boolean } = {},
  ): Promise<Map<string, Topic>> {
    const found = new Map<string, Topic>();
    if (options.anew === true) this.#list = undefined;
    if (members.some(({ regex }) => regex !== undefined)) for (const topic of await this.#all()) found.set(topic.name, topic);
    const names = new Set(members.flatMap(({ topics }) => topics).filter((name) => !found.has(name)));
    await Promise.all(
      [...names].map(async (name) => {
        const topic = await topicOr(this.#log, name, options);
        if (!(topic instanceof BrokerlessError)) found.set(name, topic);
      }),
    );
    return found;
  }

  async #all(): Promise<readonly Topic[]> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#list === undefined || nowMs - this.#list.atMs >= LIST_MS)
      this.#list = { topics: await this.#log.listTopics(), atMs: nowMs };
    return this.#list.topics;
  }
}

/** Kafka: topics of its own are in no expression's reach. */
function isInternal(name: string): boolean {
  return name.startsWith("__");
}

export function readsOf({ topics, regex }: Pick<ConsumerMember, "topics" | "regex">, known: ReadonlyMap<string, Topic>): Topic[] {
  const matches = regex === undefined ? undefined : compileRegex(regex);
  const named = new Set(topics);
  return [...known.values()].filter(
    ({ name }) => named.has(name) || (matches !== undefined && !isInternal(name) && matches(name)),
  );
}

export function viewOf(state: ConsumerState, known: ReadonlyMap<string, Topic>): TopicView {
  const read = new Map<ConsumerMember, ReadonlySet<string>>();
  const topics = new Map<string, Topic>();
  for (const member of Object.values(state.members)) {
    const mine = readsOf(member, known);
    for (const topic of mine) topics.set(topic.name, topic);
    read.set(member, new Set(mine.map(({ id }) => id)));
  }
  const sorted = [...topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    hash: hashOf(sorted),
    idsOf: (member) => read.get(member) ?? new Set(),
    partitions: new Map(sorted.map(({ id, partitions }) => [id, partitions])),
  };
}

/** The same for the same topics, ids and partitions, in order. */
export function hashOf(topics: readonly Topic[]): string {
  const text = topics.map(({ name, id, partitions }) => `${name} ${id} ${partitions}`).join("\n");
  return `${crc32c(new TextEncoder().encode(text)).toString(36)}.${text.length}`;
}

/** By name, as clients are told; topics that are gone are left out. */
export function named(owned: ConsumerMember["assigned"], known: ReadonlyMap<string, Topic>): TopicPartitions[] {
  const names = new Map([...known.values()].map(({ id, name }) => [id, name]));
  return Object.entries(partitionsOf(owned)).flatMap(([topicId, partitions]) => {
    const topic = names.get(topicId);
    return topic === undefined ? [] : [{ topic, topicId, partitions }];
  });
}
