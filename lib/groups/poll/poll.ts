/**
 * A consumer in one call: says that it lives, commits what it was given before, takes over what the group gives it now, and
 * reads from there. Whoever calls holds the state (`cursor.ts`), so any process serves any member.
 *
 * Steps, and what a crash between them leaves:
 * 1. commit what the last poll returned, with the epoch that it was returned under; then: committed, and returned no more;
 * 2. heartbeat; where partitions have gone, once more at once, so that their next owner has them now: they are committed (1);
 * 3. where to begin in partitions that came: at the committed offset, else as `reset` says;
 * 4. read. Nothing is written: a reply that is lost is read again.
 *
 * L1  A partition that the group has taken away is committed by its old owner only under the rules of the commit (its stamp):
 *     where that refuses, the records are returned again, to the new owner.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { LogApi, ReadResult } from "../../log/types.ts";
import type { GroupClient, GroupsApi, TopicPartition, TopicPartitions } from "../types.ts";
import type { Cursor, Position, Reset } from "./cursor.ts";

export interface Seek extends TopicPartition {
  readonly offset: number | "earliest" | "latest";
}

export interface PollRequest {
  readonly group: string;
  readonly client: GroupClient;
  /** Undefined: joins. */
  readonly cursor?: Cursor | undefined;
  /** Undefined: as the cursor has them. */
  readonly topics?: readonly string[] | undefined;
  readonly regex?: string | undefined;
  readonly instanceId?: string | undefined;
  readonly reset?: Reset | undefined;
  /** Commit what the cursor says was returned. */
  readonly commit: boolean;
  readonly seek: readonly Seek[];
  readonly pause: readonly TopicPartition[];
  readonly resume: readonly TopicPartition[];
  /** 0: nothing is read. */
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Records of one partition. */
export interface PolledPartition extends Position {
  readonly result: ReadResult;
}

/** What could not be committed: those records are returned again. */
export interface NotCommitted extends TopicPartition {
  readonly error: BrokerlessError;
}

/** An offset that was not in the log any more, or not yet, and where it was set instead. */
export interface ResetOffset extends TopicPartition {
  readonly from: number;
  readonly to: number;
}

export interface PollAnswer {
  /** As it is before the records are counted as returned: see `returned`. */
  readonly cursor: Cursor;
  readonly heartbeatIntervalMs: number;
  readonly polled: readonly PolledPartition[];
  readonly committed: number;
  readonly notCommitted: readonly NotCommitted[];
  readonly resets: readonly ResetOffset[];
  /** What it has is not what it had. */
  readonly rebalanced: boolean;
}

export interface PollParts {
  readonly groups: GroupsApi;
  readonly log: LogApi;
}

/** How long a member that gives partitions up may take to poll again. */
const REBALANCE_TIMEOUT_MS = 300_000;
/** Heartbeats of one poll: the group may take and give at once. */
const HEARTBEATS_MOST = 3;
const PARTITION_BYTES = 1024 * 1024;

/** Throws what a heartbeat throws, but for members that are known no more: they join again. */
export async function pollGroup(parts: PollParts, request: PollRequest): Promise<PollAnswer> {
  const before = request.cursor;
  if (before === undefined && request.topics === undefined && request.regex === undefined) {
    throw new BrokerlessError("invalid_request", "who joins says what to read: topics or topics_regex is missing", {
      field: "topics",
    });
  }
  const commit =
    before === undefined || !request.commit
      ? { cursor: before, committed: 0, notCommitted: [] }
      : await commitDirty(parts, before);
  const { cursor, heartbeatIntervalMs } = await heartbeat(parts, request, commit.cursor);
  const rebalanced = !samePartitions(before?.positions ?? [], cursor.positions);
  const chosen = moved(cursor.positions, request);
  const resets: ResetOffset[] = [];
  const positions = await placed(parts, { ...cursor, positions: chosen }, request);
  const read =
    request.maxBytes === 0
      ? { positions, polled: [] }
      : await readAll(parts, positions, { ...request, reset: cursor.reset }, resets);
  return {
    cursor: { ...cursor, positions: read.positions },
    heartbeatIntervalMs,
    polled: read.polled,
    committed: commit.committed,
    notCommitted: commit.notCommitted,
    resets,
    rebalanced,
  };
}

/** The cursor once records up to these offsets are on their way to the consumer. */
export function returned(cursor: Cursor, next: readonly (TopicPartition & { readonly offset: number })[]): Cursor {
  const byName = new Map(next.map((one) => [nameOf(one), one.offset]));
  const positions = cursor.positions.map((position) => {
    const offset = byName.get(nameOf(position));
    return offset === undefined || offset === position.offset ? position : { ...position, offset, dirty: true };
  });
  return { ...cursor, positions };
}

export interface CommitAnswer {
  readonly cursor: Cursor;
  readonly committed: number;
  readonly notCommitted: readonly NotCommitted[];
}

/** Commits what was returned. A member that is known no more commits nothing. */
export async function commitDirty({ groups }: Pick<PollParts, "groups">, cursor: Cursor): Promise<CommitAnswer> {
  const dirty = cursor.positions.filter((position) => position.dirty && position.offset >= 0);
  if (dirty.length === 0) return { cursor, committed: 0, notCommitted: [] };
  const { group, memberId, epoch, instanceId } = cursor;
  let refused: NotCommitted[];
  try {
    const answers = await groups.commit({
      group,
      member: { memberId, epoch, ...(instanceId === undefined ? {} : { instanceId }) },
      offsets: dirty.map(({ topic, partition, offset }) => ({ topic, partition, offset })),
    });
    refused = answers.flatMap(({ topic, partition, error }) => (error === undefined ? [] : [{ topic, partition, error }]));
  } catch (error) {
    if (!isGone(error)) throw error;
    refused = dirty.map(({ topic, partition }) => ({ topic, partition, error }));
  }
  const lost = new Set(refused.map(nameOf));
  const positions = cursor.positions.map((position) =>
    position.dirty && !lost.has(nameOf(position)) ? { ...position, dirty: false } : position,
  );
  return { cursor: { ...cursor, positions }, committed: dirty.length - refused.length, notCommitted: refused };
}

/** Commits these offsets, whatever was returned; where the consumer reads on stays. Of partitions that it does not have: none. */
export async function commitThese(
  parts: Pick<PollParts, "groups">,
  cursor: Cursor,
  offsets: readonly (TopicPartition & { readonly offset: number })[],
): Promise<CommitAnswer> {
  const chosen = new Map(offsets.map((one) => [nameOf(one), one.offset]));
  const positions = cursor.positions.flatMap((position) => {
    const offset = chosen.get(nameOf(position));
    return offset === undefined ? [] : [{ ...position, offset, dirty: true }];
  });
  const answer = await commitDirty(parts, { ...cursor, positions });
  const refused = new Set(answer.notCommitted.map(nameOf));
  const settled = cursor.positions.map((position) => {
    const name = nameOf(position);
    return chosen.get(name) === position.offset && !refused.has(name) ? { ...position, dirty: false } : position;
  });
  return { ...answer, cursor: { ...cursor, positions: settled } };
}

/** Leaves the group. Leaving what is left already succeeds. */
export async function leaveGroup({ groups }: Pick<PollParts, "groups">, cursor: Cursor, client: GroupClient): Promise<void> {
  const { group, memberId, instanceId } = cursor;
  if (memberId === "") return;
  try {
    await groups.consumerHeartbeat({ group, memberId, epoch: -1, instanceId, client });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

async function heartbeat(
  { groups }: PollParts,
  { group, client, ...request }: PollRequest,
  cursor: Cursor | undefined,
): Promise<{ readonly cursor: Cursor; readonly heartbeatIntervalMs: number }> {
  const topics = request.topics ?? cursor?.topics ?? [];
  const regex = request.regex ?? cursor?.regex;
  const instanceId = request.instanceId ?? cursor?.instanceId;
  const reset = request.reset ?? cursor?.reset ?? "latest";
  let now: Cursor = cursor ?? { group, memberId: "", epoch: 0, instanceId, topics, regex, reset, positions: [] };
  now = { ...now, topics, regex, instanceId, reset };
  let heartbeatIntervalMs = 0;
  for (let beat = 0; beat < HEARTBEATS_MOST; beat++) {
    const joins = now.epoch === 0;
    const changed = beat === 0 && (request.topics !== undefined || request.regex !== undefined);
    let answer: Awaited<ReturnType<GroupsApi["consumerHeartbeat"]>>;
    try {
      answer = await groups.consumerHeartbeat({
        group,
        memberId: now.memberId,
        epoch: now.epoch,
        instanceId,
        client,
        ...(joins ? { rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS } : {}),
        ...(joins || changed ? { topics, ...(regex === undefined ? {} : { regex }) } : {}),
        owned: joins ? [] : byTopicId(now.positions),
      });
    } catch (error) {
      if (joins || !isGone(error)) throw error;
      // Out of the group: what it had is others' by now.
      now = { ...now, epoch: 0, positions: [] };
      continue;
    }
    heartbeatIntervalMs = answer.heartbeatIntervalMs;
    const had = now.positions;
    const positions = answer.assignment === undefined ? had : takenOver(had, answer.assignment);
    now = { ...now, memberId: answer.memberId, epoch: answer.epoch, positions };
    if (had.every((one) => positions.some((other) => nameOf(other) === nameOf(one)))) break;
  }
  return { cursor: now, heartbeatIntervalMs };
}

function takenOver(had: readonly Position[], assignment: readonly TopicPartitions[]): Position[] {
  const known = new Map(had.map((position) => [`${position.topicId} ${position.partition}`, position]));
  return assignment.flatMap(({ topic, topicId, partitions }) =>
    partitions.map(
      (partition) =>
        known.get(`${topicId} ${partition}`) ?? { topic, topicId, partition, offset: -1, dirty: false, paused: false },
    ),
  );
}

function byTopicId(positions: readonly Position[]): { topicId: string; partitions: number[] }[] {
  const byId = new Map<string, number[]>();
  for (const { topicId, partition } of positions) {
    const known = byId.get(topicId);
    if (known === undefined) byId.set(topicId, [partition]);
    else known.push(partition);
  }
  return [...byId].map(([topicId, partitions]) => ({ topicId, partitions }));
}

/** What seek, pause and resume make of the positions. Throws `invalid_request` for a partition that the consumer does not have. */
function moved(positions: readonly Position[], { seek, pause, resume }: PollRequest): Position[] {
  const names = new Set(positions.map(nameOf));
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

/** Positions for partitions that have none, and for seeks to an end of the log. */
async function placed({ groups, log }: PollParts, cursor: Cursor, request: PollRequest): Promise<Position[]> {
  const ends = new Map(
    request.seek.flatMap((one) => (typeof one.offset === "string" ? [[nameOf(one), one.offset] as const] : [])),
  );
  const open = cursor.positions.filter((position) => position.offset < 0 && !ends.has(nameOf(position)));
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of open) byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
  const { group, memberId, epoch } = cursor;
  const committed =
    open.length === 0
      ? []
      : await groups.fetchOffsets({
          group,
          topics: [...byTopic].map(([topic, partitions]) => ({ topic, partitions })),
          member: { memberId, epoch },
        });
  const offsets = new Map(committed.filter(({ offset }) => offset >= 0).map((one) => [nameOf(one), one.offset]));
  return Promise.all(
    cursor.positions.map(async (position) => {
      const name = nameOf(position);
      const end = ends.get(name);
      if (end !== undefined) return { ...position, offset: await endOf(log, position, end), dirty: true };
      if (position.offset >= 0) return position;
      const offset = offsets.get(name) ?? (await firstOf(log, position, cursor.reset));
      return { ...position, offset };
    }),
  );
}

async function endOf(log: LogApi, { topic, partition }: TopicPartition, at: "earliest" | "latest"): Promise<number> {
  return (await log.listOffset(topic, partition, { at })).offset;
}

async function firstOf(log: LogApi, place: TopicPartition, reset: Reset): Promise<number> {
  if (reset !== "none") return endOf(log, place, reset);
  throw new BrokerlessError(
    "offset_out_of_range",
    `nothing is committed for partition ${place.partition} of topic "${place.topic}", and auto_offset_reset is none`,
    { field: "auto_offset_reset" },
  );
}

async function readAll(
  { log }: PollParts,
  positions: readonly Position[],
  { reset, maxBytes, maxWaitMs, signal }: PollRequest & { readonly reset: Reset },
  resets: ResetOffset[],
): Promise<{ readonly positions: readonly Position[]; readonly polled: readonly PolledPartition[] }> {
  let now = positions;
  for (let attempt = 0; ; attempt++) {
    const active = now.filter(({ paused }) => !paused);
    const results = await log.readMany({
      partitions: active.map(({ topic, topicId, partition, offset }) => ({
        topic,
        topicId,
        partition,
        offset,
        maxBytes: Math.min(maxBytes, PARTITION_BYTES),
      })),
      maxBytes,
      maxWaitMs: active.length === 0 ? 0 : maxWaitMs,
      signal,
    });
    const polled: PolledPartition[] = [];
    const fixed = new Map<string, Position>();
    for (const [i, result] of results.entries()) {
      const position = active[i] as Position;
      if (!(result instanceof BrokerlessError)) {
        if (result.sizeBytes > 0) polled.push({ ...position, result });
        continue;
      }
      // A topic that was deleted leaves the assignment with a later heartbeat.
      if (result.code === "unknown_topic" || result.code === "unknown_partition") continue;
      if (result.code !== "offset_out_of_range" || reset === "none") throw result;
      const to = await endOf(log, position, reset);
      resets.push({ topic: position.topic, partition: position.partition, from: position.offset, to });
      fixed.set(nameOf(position), { ...position, offset: to, dirty: true });
    }
    if (fixed.size > 0) now = now.map((position) => fixed.get(nameOf(position)) ?? position);
    // What was set anew is read too, where nothing else was there to return.
    if (fixed.size === 0 || polled.length > 0 || attempt > 0) return { positions: now, polled };
  }
}

const GONE: ReadonlySet<string> = new Set(["unknown_member", "fenced_member_epoch", "unknown_group"]);

/** The group knows the member no more. */
function isGone(error: unknown): error is BrokerlessError {
  return error instanceof BrokerlessError && GONE.has(error.code);
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}

function samePartitions(a: readonly TopicPartition[], b: readonly TopicPartition[]): boolean {
  return a.length === b.length && a.every((one, i) => nameOf(one) === nameOf(b[i] as TopicPartition));
}
