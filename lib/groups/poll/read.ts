/** Where a consumer reads on in the partitions that it has, and what is there. */
import { BrokerlessError } from "../../base/errors.ts";
import { shown } from "../../log/read/shown.ts";
import type { Isolation, LogApi } from "../../log/types.ts";
import type { TopicPartition } from "../types.ts";
import type { Cursor, Position, Reset } from "./cursor.ts";
import { nameOf, type PolledPartition, type PollParts, type PollRequest, type ResetOffset } from "./types.ts";

const PARTITION_BYTES = 1024 * 1024;

/**
 * What seek, pause and resume make of the positions. Throws `invalid_request` for a partition that the consumer does not have;
 * one that it had before this poll, and has lost by now, is left out: the consumer could not know.
 */
export function moved(positions: readonly Position[], { cursor, seek, pause, resume }: PollRequest): Position[] {
  const names = new Set([...positions, ...(cursor?.positions ?? [])].map(nameOf));
  for (const [field, all] of Object.entries({ seek, pause, resume })) {
    for (const [i, one] of all.entries()) {
      if (names.has(nameOf(one))) continue;
      throw new BrokerlessError(
        "invalid_request",
        `the consumer does not have partition ${one.partition} of topic "${one.topic}"`,
        {
          field: `${field}[${i}]`,
        },
      );
    }
  }
  const paused = new Set(pause.map(nameOf));
  const resumed = new Set(resume.map(nameOf));
  const sought = new Map(seek.map((one) => [nameOf(one), one.offset]));
  return positions.map((position) => {
    const name = nameOf(position);
    const to = sought.get(name);
    return {
      ...position,
      paused: paused.has(name) || (position.paused && !resumed.has(name)),
      ...(typeof to === "number" ? { offset: to, dirty: true } : {}),
    };
  });
}

/**
 * Positions for partitions that have none, and for seeks to an end of the log. One whose topic is gone, or is not known here
 * yet, stays without: where another topic of that name was committed says nothing about it.
 */
export async function placed({ groups, log }: PollParts, cursor: Cursor, request: PollRequest): Promise<Position[]> {
  const isolation = request.isolation ?? "read_committed";
  const ends = new Map(
    request.seek.flatMap((one) => (typeof one.offset === "string" ? [[nameOf(one), one.offset] as const] : [])),
  );
  const open = cursor.positions.filter((position) => position.offset < 0 && !ends.has(nameOf(position)));
  const { group, memberId, epoch } = cursor;
  const committed =
    open.length === 0
      ? []
      : await groups.fetchOffsets({
          group,
          topics: byTopic(open),
          member: memberId === "" ? undefined : { memberId, epoch },
        });
  const unknown = new Set(committed.filter(({ error }) => error !== undefined).map(nameOf));
  const offsets = new Map(committed.filter(({ offset }) => offset >= 0).map((one) => [nameOf(one), one.offset]));
  return Promise.all(
    cursor.positions.map(async (position) => {
      const name = nameOf(position);
      const end = ends.get(name);
      if (end !== undefined) return { ...position, offset: await endOf(log, position, end, isolation), dirty: true };
      if (position.offset >= 0 || unknown.has(name)) return position;
      const offset = offsets.get(name) ?? (await firstOf(log, position, cursor.reset, isolation));
      return { ...position, offset };
    }),
  );
}

function byTopic(positions: readonly Position[]) {
  const topics = new Map<string, { topic: string; topicId: string; partitions: number[] }>();
  for (const { topic, topicId, partition } of positions) {
    const known = topics.get(topic);
    if (known === undefined) topics.set(topic, { topic, topicId, partitions: [partition] });
    else known.partitions.push(partition);
  }
  return [...topics.values()];
}

async function endOf(
  log: LogApi,
  { topic, partition }: TopicPartition,
  at: "earliest" | "latest",
  isolation: Isolation,
): Promise<number> {
  return (await log.listOffset(topic, partition, { at }, isolation)).offset;
}

async function firstOf(log: LogApi, place: TopicPartition, reset: Reset, isolation: Isolation): Promise<number> {
  if (reset !== "none") return endOf(log, place, reset, isolation);
  throw new BrokerlessError(
    "offset_out_of_range",
    `nothing is committed for partition ${place.partition} of topic "${place.topic}", and auto_offset_reset is none`,
    { field: "auto_offset_reset" },
  );
}

export async function readAll(
  { log }: PollParts,
  positions: readonly Position[],
  { reset, maxBytes, minBytes = 1, maxWaitMs, isolation = "read_committed", signal }: PollRequest & { readonly reset: Reset },
  resets: ResetOffset[],
): Promise<{ readonly positions: readonly Position[]; readonly polled: readonly PolledPartition[] }> {
  let now = positions;
  for (let attempt = 0; ; attempt++) {
    const active = now.filter(({ paused, offset }) => !paused && offset >= 0);
    const results = await log.readMany({
      partitions: active.map(({ topic, topicId, partition, offset }) => ({
        topic,
        topicId,
        partition,
        offset,
        maxBytes: Math.min(maxBytes, PARTITION_BYTES),
      })),
      maxBytes,
      minBytes,
      maxWaitMs: active.length === 0 ? 0 : maxWaitMs,
      isolation,
      signal,
    });
    const polled: PolledPartition[] = [];
    const fixed = new Map<string, Position>();
    for (const [i, result] of results.entries()) {
      const position = active[i] as Position;
      if (!(result instanceof BrokerlessError)) {
        if (result.sizeBytes > 0) polled.push({ ...position, result: shown(result, isolation) });
        continue;
      }
      // A topic that was deleted leaves the assignment with a later heartbeat.
      if (result.code === "unknown_topic" || result.code === "unknown_partition") continue;
      if (result.code !== "offset_out_of_range" || reset === "none") throw result;
      const to = await endOf(log, position, reset, isolation);
      resets.push({ topic: position.topic, partition: position.partition, from: position.offset, to });
      fixed.set(nameOf(position), { ...position, offset: to, dirty: true });
    }
    if (fixed.size > 0) now = now.map((position) => fixed.get(nameOf(position)) ?? position);
    // What was set anew is read too, where nothing else was there to return.
    if (fixed.size === 0 || polled.length > 0 || attempt > 0) return { positions: now, polled };
  }
}
