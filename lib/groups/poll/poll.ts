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
import type { GroupClient, GroupsApi, TopicPartition, TopicPartitions } from "../types.ts";
import type { Cursor, Position } from "./cursor.ts";
import { moved, placed, readAll } from "./read.ts";
import { type NotCommitted, nameOf, type PollAnswer, type PollParts, type PollRequest, type ResetOffset } from "./types.ts";

/** How long a member that gives partitions up may take to poll again. */
const REBALANCE_TIMEOUT_MS = 300_000;
/** Heartbeats of one poll: the group may take and give at once. */
const HEARTBEATS_MOST = 3;

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

/** Commits what was returned. A member that is known no more commits nothing; who is none, only while the group has none. */
export async function commitDirty({ groups }: Pick<PollParts, "groups">, cursor: Cursor): Promise<CommitAnswer> {
  const dirty = cursor.positions.filter((position) => position.dirty && position.offset >= 0);
  if (dirty.length === 0) return { cursor, committed: 0, notCommitted: [] };
  const { group, memberId, epoch, instanceId } = cursor;
  let refused: NotCommitted[];
  try {
    const answers = await groups.commit({
      group,
      member: memberId === "" ? undefined : { memberId, epoch, ...(instanceId === undefined ? {} : { instanceId }) },
      offsets: dirty.map(({ topic, topicId, partition, offset }) => ({ topic, topicId, partition, offset })),
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

const GONE: ReadonlySet<string> = new Set(["unknown_member", "fenced_member_epoch", "unknown_group"]);

/** The group knows the member no more. */
function isGone(error: unknown): error is BrokerlessError {
  return error instanceof BrokerlessError && GONE.has(error.code);
}

function samePartitions(a: readonly TopicPartition[], b: readonly TopicPartition[]): boolean {
  return a.length === b.length && a.every((one, i) => nameOf(one) === nameOf(b[i] as TopicPartition));
}
