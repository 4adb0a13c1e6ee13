/**
 * REST consumers (Confluent's REST API v2) over a store: every call reads the consumer, does what it asks, and writes it back
 * where nobody else has meanwhile. So any process serves any call, and nothing is kept between two.
 *
 * Q1  What a read of records returns is committed by a later call of the same consumer and no earlier, where it commits by itself.
 *     So what a consumer has got and not answered for is given to others when it expires.
 * Q2  An answer is given only after the consumer is written; of two calls at once one is written, and the other is refused
 *     and gives nothing. A caller that has gone before that leaves the consumer where it was.
 * Q3  What the last answer moved is kept until a later call shows that it arrived: a caller that says which answer it has
 *     (`seen`) gets a lost one again. One that does not say counts as having got it with its next call.
 *
 * Steps of a read, and what a crash between them leaves: 1. as the poll (`poll/poll.ts`): commit, heartbeat, read: the consumer is
 * where it was; the commit is made again, of the same offsets, and a member that has joined joins again as itself, for its id
 * was stored before. 2. The consumer is written. 3. The answer is sent: lost, it is Q3.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { LogApi } from "../../log/types.ts";
import { compileRegex } from "../consumer/regex.ts";
import type { RestConsumer, StoredConsumer } from "../items/rest-consumer.ts";
import { pollAssigned } from "../poll/assigned.ts";
import type { Cursor } from "../poll/cursor.ts";
import { commitDirty, leaveGroup, pollGroup } from "../poll/poll.ts";
import { nameOf, type PollAnswer } from "../poll/types.ts";
import type { CommittedOffset, GroupClient, GroupsApi, OffsetToCommit, TopicPartition } from "../types.ts";
import {
  answered,
  asSeen,
  assigned,
  newConsumer,
  type RestSettings,
  requirePartitions,
  sought,
  subscribed,
  unsubscribed,
} from "./machine.ts";

export interface RestParts {
  readonly groups: GroupsApi;
  readonly log: LogApi;
}

export interface RestRead {
  readonly client: GroupClient;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  /** The last answer that the caller has. */
  readonly seen: number | undefined;
  readonly signal: AbortSignal;
}

/** Another call was faster than a change; it is tried again so often. */
const TRIES = 5;

/** Throws `consumer_exists`. */
export async function createConsumer({ groups }: RestParts, settings: RestSettings): Promise<void> {
  if (await groups.restConsumers.write(newConsumer(settings), undefined)) return;
  throw new BrokerlessError("consumer_exists", `group "${settings.group}" has a consumer "${settings.name}" already`, {
    field: "name",
  });
}

/** Throws `invalid_regular_expression`, `consumer_illegal_state`. */
export async function subscribe(
  parts: RestParts,
  ref: Ref,
  to: Parameters<typeof subscribed>[1],
  newMemberId: string,
): Promise<void> {
  if ("regex" in to) compileRegex(to.regex);
  await change(parts, ref, (consumer) => subscribed(consumer, to, newMemberId));
}

/** Throws `unknown_topic`, `unknown_partition`, `consumer_illegal_state`. */
export async function assign(parts: RestParts, ref: Ref, partitions: readonly TopicPartition[]): Promise<void> {
  const numbers = new Map<string, number[]>();
  for (const { topic, partition } of partitions) numbers.set(topic, [...(numbers.get(topic) ?? []), partition]);
  const ids = new Map<string, string>();
  await Promise.all(
    [...numbers].map(async ([topic, which]) => {
      await parts.log.partitions(topic, which);
      ids.set(topic, (await parts.log.topic(topic)).id);
    }),
  );
  const once = new Map(partitions.map((one) => [nameOf(one), { ...one, topicId: ids.get(one.topic) as string }]));
  await change(parts, ref, (consumer) => assigned(consumer, [...once.values()]));
}

/** Commits what is due, leaves the group, and has no partitions any more. Repeats as nothing. */
export async function unsubscribe(parts: RestParts, ref: Ref, client: GroupClient): Promise<void> {
  const { consumer } = await parts.groups.restConsumers.read(ref.group, ref.name);
  await leave(parts, consumer, client);
  await change(parts, ref, unsubscribed);
}

/** Commits what is due, leaves the group, and is no more. */
export async function remove(parts: RestParts, ref: Ref, client: GroupClient, seen: number | undefined): Promise<void> {
  const { consumer } = await parts.groups.restConsumers.read(ref.group, ref.name);
  await leave(parts, asSeen(consumer, seen), client);
  await parts.groups.restConsumers.delete(ref.group, ref.name);
}

/**
 * Reads on. `render` says how far the answer goes. Throws `consumer_illegal_state` where it has nothing to read, or another call was
 * made meanwhile; and what a poll throws.
 */
export async function readRecords<T>(
  parts: RestParts,
  stored: StoredConsumer,
  request: RestRead,
  render: (answer: PollAnswer) => { readonly cursor: Cursor; readonly result: T },
): Promise<{ readonly result: T; readonly sequence: number; readonly answer: PollAnswer }> {
  const consumer = asSeen(stored.consumer, request.seen);
  const { mode, cursor, group, minBytes } = consumer;
  if (mode === "none") {
    throw new BrokerlessError(
      "consumer_illegal_state",
      `consumer "${consumer.name}" is not subscribed to any topics or assigned any partitions`,
    );
  }
  const { client, maxBytes, maxWaitMs, signal } = request;
  const { topics, regex } = cursor;
  const how = { group, client, cursor, commit: consumer.autoCommit, maxBytes, minBytes, maxWaitMs, signal };
  const none = { seek: [], pause: [], resume: [] };
  const answer =
    mode === "assigned"
      ? await pollAssigned(parts, { ...how, ...none, cursor })
      : await pollGroup(parts, { ...how, ...none, topics, regex });
  const { cursor: after, result } = render(answer);
  if (signal.aborted) throw new BrokerlessError("timeout", "the caller has gone; nothing was given");
  const next = answered(consumer, answer.cursor, after);
  if (!(await parts.groups.restConsumers.write(next, stored))) throw twoAtOnce(consumer);
  return { result, sequence: next.sequence, answer };
}

/** Commits these offsets, the next to be read each; without any, what was given. Throws where one is refused. */
export async function commit(
  parts: RestParts,
  ref: Ref,
  offsets: readonly OffsetToCommit[] | undefined,
): Promise<readonly OffsetToCommit[]> {
  const stored = await parts.groups.restConsumers.read(ref.group, ref.name);
  const { consumer } = stored;
  const { cursor } = consumer;
  const due = offsets ?? cursor.positions.filter(({ dirty, offset }) => dirty && offset >= 0);
  if (due.length === 0) return [];
  const done = due.map(({ topic, partition, offset, metadata = "" }: OffsetToCommit) => ({ topic, partition, offset, metadata }));
  const member =
    cursor.memberId === "" || cursor.epoch <= 0 ? {} : { member: { memberId: cursor.memberId, epoch: cursor.epoch } };
  const answers = await parts.groups.commit({ group: ref.group, ...member, offsets: done });
  const refused = answers.find(({ error }) => error !== undefined)?.error;
  if (refused !== undefined) throw refused;
  const committed = new Map(done.map((one) => [nameOf(one), one.offset]));
  const positions = cursor.positions.map((position) =>
    committed.get(nameOf(position)) === position.offset ? { ...position, dirty: false } : position,
  );
  const given = consumer.given.filter((one) => !committed.has(nameOf(one)));
  // Where another call was faster, what is dirty is committed once more.
  await parts.groups.restConsumers.write({ ...consumer, cursor: { ...cursor, positions }, given }, stored);
  return done;
}

/** What the group has committed for these partitions; for those of the consumer where none is named. */
export async function committed(
  parts: RestParts,
  ref: Ref,
  partitions: readonly TopicPartition[] | undefined,
): Promise<CommittedOffset[]> {
  const { consumer } = await parts.groups.restConsumers.read(ref.group, ref.name);
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions ?? consumer.cursor.positions)
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
  const topics = [...byTopic].map(([topic, all]) => ({ topic, partitions: all }));
  const found = topics.length === 0 ? [] : await parts.groups.fetchOffsets({ group: ref.group, topics });
  const refused = found.find(({ error }) => error !== undefined)?.error;
  if (refused !== undefined) throw refused;
  return found.filter(({ offset }) => offset >= 0);
}

/** Reads on elsewhere. Throws `consumer_illegal_state` for a partition that it does not have. */
export async function seek(
  parts: RestParts,
  ref: Ref,
  offsets: readonly (TopicPartition & { readonly offset: number })[],
): Promise<void> {
  await change(parts, ref, (consumer) => sought(consumer, offsets));
}

/** Reads on from an end of the log, as it is now. */
export async function seekToEnd(
  parts: RestParts,
  ref: Ref,
  partitions: readonly TopicPartition[],
  at: "earliest" | "latest",
): Promise<void> {
  const { consumer } = await parts.groups.restConsumers.read(ref.group, ref.name);
  requirePartitions(consumer, partitions, "partitions");
  const offsets = await Promise.all(
    partitions.map(async ({ topic, partition }) => ({
      topic,
      partition,
      offset: (await parts.log.listOffset(topic, partition, { at })).offset,
    })),
  );
  await seek(parts, ref, offsets);
}

interface Ref {
  readonly group: string;
  readonly name: string;
}

async function change(
  { groups }: RestParts,
  { group, name }: Ref,
  decide: (consumer: RestConsumer) => RestConsumer,
): Promise<void> {
  for (let i = 1; ; i++) {
    const stored = await groups.restConsumers.read(group, name);
    if (await groups.restConsumers.write(decide(stored.consumer), stored)) return;
    if (i === TRIES) throw twoAtOnce(stored.consumer);
  }
}

async function leave(parts: RestParts, consumer: RestConsumer, client: GroupClient): Promise<void> {
  if (consumer.autoCommit) await commitDirty(parts, consumer.cursor);
  if (consumer.mode === "subscribed") await leaveGroup(parts, consumer.cursor, client);
}

function twoAtOnce({ name }: RestConsumer): BrokerlessError {
  return new BrokerlessError(
    "consumer_illegal_state",
    `another call of consumer "${name}" was made meanwhile; a consumer takes one call at a time`,
    { retryAfterMs: 1000 },
  );
}
