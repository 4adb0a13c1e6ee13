/**
 * Partitions by name to the ids that keys hold.
 *
 * N1  What is read or written by name is that of the topic which has the name now, whatever this process remembers of it: who
 *     reads by remembered ids reads with them, in the same trip, the proof that each topic is still there (`proofKey` of the log);
 *     where one is gone, its name is looked up anew and everything is read again. A partition or id that the remembered
 *     topic does not have has the name looked up anew too, before it is refused.
 *
 * A topic that goes after that look leaves an answer as of the moment of the look, and a write as if it had come before the
 * deletion: to the offsets of the old id, which nobody asks for again.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { proofKey, unknownPartition, unknownTopic } from "../../log/topics.ts";
import type { LogApi, Topic } from "../../log/types.ts";
import type { Item, Key } from "../../ports/index.ts";
import type { GroupParts } from "../parts.ts";
import type { TopicPartition } from "../types.ts";

/** As somebody names it. With an id: of the topic with this id, or of none. */
export interface Named extends TopicPartition {
  readonly topicId?: string | undefined;
}

/** The id of the topic that a partition is of, or why there is none. */
export type Place = string | BrokerlessError;

/**
 * Places partitions, in the order given, and reads by their places (N1). `read` is given the keys of the proofs, answers what is
 * there under them with its own result, and is called again where a topic was another one. Throws where a partition is named twice.
 */
export async function readPlaced<T>(
  log: LogApi,
  partitions: readonly Named[],
  read: (
    places: readonly Place[],
    proofs: readonly Key[],
  ) => Promise<{ readonly result: T; readonly proofs: readonly (Item | undefined)[] }>,
): Promise<T> {
  checkTwice(partitions);
  const gone = new Set<string>();
  for (;;) {
    const places = await placesOf(log, partitions, gone);
    const ids = [...new Set(places.filter((place) => typeof place === "string"))];
    const { result, proofs } = await read(places, ids.map(proofKey));
    const lost = ids.filter((_, i) => proofs[i] === undefined);
    if (lost.length === 0) return result;
    for (const id of lost) gone.add(id);
  }
}

/** The ids of the topics that have these names now; names that are no topic's are left out. Throws `StorageError`. */
export async function idsByName(
  { log, storage }: Pick<GroupParts, "log" | "storage">,
  names: readonly string[],
): Promise<Map<string, string>> {
  const firsts = names.map((topic) => ({ topic, partition: 0 }));
  const places = await readPlaced(log, firsts, async (result, proofs) => ({
    result,
    proofs: await storage.table.getMany(proofs),
  }));
  return new Map(names.flatMap((name, i) => (typeof places[i] === "string" ? [[name, places[i]]] : [])));
}

function checkTwice(partitions: readonly Named[]): void {
  const seen = new Set<string>();
  for (const { topic, topicId = "", partition } of partitions) {
    const name = `${topic}/${topicId}/${partition}`;
    if (seen.has(name)) {
      throw new BrokerlessError("invalid_request", `${topic}-${partition} is named twice`, { field: "partitions" });
    }
    seen.add(name);
  }
}

/** `gone`: ids of topics that are there no more. */
async function placesOf(log: LogApi, partitions: readonly Named[], gone: ReadonlySet<string>): Promise<Place[]> {
  const byName = Map.groupBy(partitions, ({ topic }) => topic);
  const topics = new Map<string, Topic | BrokerlessError>();
  await Promise.all(
    [...byName].map(async ([name, some]) => {
      const known = await topicOr(log, name);
      const holds = known instanceof BrokerlessError || (!gone.has(known.id) && some.every((one) => isOf(known, one)));
      topics.set(name, holds ? known : await topicOr(log, name, { anew: true }));
    }),
  );
  return partitions.map((one) => {
    const topic = topics.get(one.topic) as Topic | BrokerlessError;
    if (topic instanceof BrokerlessError) return topic;
    if (gone.has(topic.id)) return unknownTopic(one.topic);
    if (isOf(topic, one)) return topic.id;
    return one.topicId === undefined || one.topicId === topic.id
      ? unknownPartition(topic, one.partition)
      : anotherTopic(one.topic, one.topicId);
  });
}

function isOf(topic: Topic, { partition, topicId }: Named): boolean {
  return (
    (topicId === undefined || topicId === topic.id) &&
    Number.isInteger(partition) &&
    partition >= 0 &&
    partition < topic.partitions
  );
}

function anotherTopic(name: string, topicId: string): BrokerlessError {
  return new BrokerlessError(
    "unknown_topic",
    `the topic "${name}" with id ${topicId} was deleted; its name is another topic's now`,
  );
}

/** The topic, or the error that says why not; what the storage says is thrown. */
export async function topicOr(
  log: LogApi,
  name: string,
  options?: { readonly anew?: boolean },
): Promise<Topic | BrokerlessError> {
  try {
    return await log.topic(name, options);
  } catch (error) {
    if (error instanceof BrokerlessError && (error.code === "unknown_topic" || error.code === "invalid_topic")) return error;
    throw error;
  }
}
