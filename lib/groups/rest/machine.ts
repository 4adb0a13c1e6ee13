/** What calls make of a REST consumer. Pure. */
import { BrokerlessError } from "../../base/errors.ts";
import type { RestConsumer } from "../items/rest-consumer.ts";
import type { Cursor, Position, Reset } from "../poll/cursor.ts";
import { nameOf } from "../poll/types.ts";
import type { TopicPartition } from "../types.ts";

export interface RestSettings extends Pick<RestConsumer, "group" | "name" | "format" | "autoCommit" | "minBytes" | "timeoutMs"> {
  readonly reset: Reset;
}

export function newConsumer({ reset, ...settings }: RestSettings): RestConsumer {
  return { ...settings, mode: "none", cursor: blank(settings.group, reset, ""), sequence: 0, given: [] };
}

/** Reads these topics from now on, as the member of this id that it is or will be. Throws `consumer_illegal_state`. */
export function subscribed(
  consumer: RestConsumer,
  to: { readonly topics: readonly string[] } | { readonly regex: string },
  newMemberId: string,
): RestConsumer {
  if (consumer.mode === "assigned") throw exclusive(consumer, "has partitions that were assigned to it by hand");
  const byRegex = consumer.cursor.regex !== undefined && consumer.cursor.regex !== "";
  if (consumer.mode === "subscribed" && byRegex !== "regex" in to)
    throw exclusive(consumer, byRegex ? "is subscribed to a pattern" : "is subscribed to topics");
  const { cursor } = consumer;
  const memberId = cursor.memberId === "" ? newMemberId : cursor.memberId;
  const topics = "topics" in to ? to.topics : [];
  // An empty expression takes back the one before.
  const regex = "regex" in to ? to.regex : "";
  return { ...consumer, mode: "subscribed", cursor: { ...cursor, memberId, topics, regex } };
}

/** Reads exactly these partitions, as no member of the group. Those that it had go on where they were. Throws `consumer_illegal_state`. */
export function assigned(
  consumer: RestConsumer,
  partitions: readonly (TopicPartition & { readonly topicId: string })[],
): RestConsumer {
  if (consumer.mode === "subscribed") throw exclusive(consumer, "is subscribed");
  const had = new Map(consumer.cursor.positions.map((one) => [nameOf(one), one]));
  const positions = partitions.map((one): Position => {
    const known = had.get(nameOf(one));
    return known?.topicId === one.topicId ? known : { ...one, offset: -1, dirty: false, paused: false };
  });
  const given = consumer.given.filter((one) => positions.some((position) => nameOf(position) === nameOf(one)));
  return { ...consumer, mode: "assigned", cursor: { ...consumer.cursor, positions }, given };
}

/** Neither subscribed nor assigned. */
export function unsubscribed(consumer: RestConsumer): RestConsumer {
  return { ...consumer, mode: "none", cursor: blank(consumer.group, consumer.cursor.reset, ""), given: [] };
}

/**
 * The consumer as its caller knows it, who has the answers up to `seen` (undefined: does not say). Where the last one did not
 * arrive, it is as before that. Throws `consumer_illegal_state` for what was settled already or never given.
 */
export function asSeen(consumer: RestConsumer, seen: number | undefined): RestConsumer {
  const { sequence, given, cursor } = consumer;
  if (seen === undefined || seen === sequence) return consumer;
  if (seen !== sequence - 1 || given.length === 0) {
    throw new BrokerlessError(
      "consumer_illegal_state",
      `the last answer of consumer "${consumer.name}" is ${sequence}; one after ${seen} cannot be given again`,
      { field: "Kafka-Consumer-Sequence", details: { sequence } },
    );
  }
  const before = new Map(given.map((one) => [nameOf(one), one]));
  const positions = cursor.positions.map((position) => {
    const was = before.get(nameOf(position));
    return was === undefined ? position : { ...position, offset: was.from, dirty: was.wasDirty };
  });
  return { ...consumer, cursor: { ...cursor, positions }, sequence: sequence - 1, given: [] };
}

/** With an answer given: `before` is where it was when it was read, `after` where it is once the answer has arrived. */
export function answered(consumer: RestConsumer, before: Cursor, after: Cursor): RestConsumer {
  const now = new Map(after.positions.map((one) => [nameOf(one), one.offset]));
  const given = before.positions.flatMap((position) => {
    const { topic, partition, offset, dirty } = position;
    return now.get(nameOf(position)) === offset ? [] : [{ topic, partition, from: offset, wasDirty: dirty }];
  });
  return { ...consumer, cursor: after, given, sequence: consumer.sequence + (given.length > 0 ? 1 : 0) };
}

/** Reads on from these offsets. Throws `consumer_illegal_state` for a partition that it does not have. */
export function sought(consumer: RestConsumer, offsets: readonly (TopicPartition & { readonly offset: number })[]): RestConsumer {
  requirePartitions(consumer, offsets, "offsets");
  const to = new Map(offsets.map((one) => [nameOf(one), one.offset]));
  const positions = consumer.cursor.positions.map((position) => {
    const offset = to.get(nameOf(position));
    return offset === undefined ? position : { ...position, offset, dirty: true };
  });
  return { ...consumer, cursor: { ...consumer.cursor, positions }, given: [] };
}

export function requirePartitions(consumer: RestConsumer, partitions: readonly TopicPartition[], field: string): void {
  const had = new Set(consumer.cursor.positions.map(nameOf));
  for (const [i, one] of partitions.entries()) {
    if (had.has(nameOf(one))) continue;
    throw new BrokerlessError(
      "consumer_illegal_state",
      `consumer "${consumer.name}" does not have partition ${one.partition} of topic "${one.topic}"; a subscribed one gets its partitions with its first read of records`,
      { field: `${field}[${i}]` },
    );
  }
}

function blank(group: string, reset: Reset, memberId: string): Cursor {
  return { group, memberId, epoch: 0, instanceId: undefined, topics: [], regex: undefined, reset, positions: [] };
}

function exclusive({ name }: RestConsumer, what: string): BrokerlessError {
  return new BrokerlessError(
    "consumer_illegal_state",
    `consumer "${name}" ${what}; topics, a pattern and partitions exclude each other: delete its subscription first`,
  );
}
