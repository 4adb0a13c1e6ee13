/** Share groups behind one object, over any storage. See `types.ts` for what it promises. */
import { BrokerlessError } from "../../base/errors.ts";
import { inParallel } from "../../base/parallel.ts";
import type { Codecs } from "../../kafka/index.ts";
import { partitionName } from "../../log/items/head.ts";
import { mayGoOn } from "../../log/jobs/job.ts";
import { storageStep } from "../../log/storage-errors.ts";
import type { PartitionInfo, Topic } from "../../log/types.ts";
import { TopicDirectory } from "../consumer/topics.ts";
import { checkGroupName, groupPk } from "../items/group.ts";
import { decodeShare, SHARE_TOPIC_RANGE, type ShareState, shareKey, sharePk } from "../items/share-partition.ts";
import { decodeState, type GroupState, hasMembers, type ShareGroupState, stateKey, type Target } from "../items/state.ts";
import { unknownGroup } from "../offsets/delete.ts";
import { topicOr } from "../offsets/topics.ts";
import type { GroupParts } from "../parts.ts";
import { GroupStore } from "../store.ts";
import type { TopicPartitions } from "../types.ts";
import { clearShareTopic, resetSharePartition } from "./clear.ts";
import { beat, checkHeartbeat, emptyShareGroup, type ShareBeat } from "./membership.ts";
import { shareGroupNames } from "./names.ts";
import { ShareLane } from "./partition.ts";
import { firstTimestampMs } from "./read.ts";
import { openSession } from "./session.ts";
import type * as T from "./types.ts";
import { countOf, isDead, type Judgement, startOf, type Verdict } from "./window.ts";

const KEPT_MS = 30_000;
const LANES_MOST = 10_000;
const MEMBERS_MOST = 1_000;
const PARTITIONS_AT_ONCE = 16;
const HOLDER_MOST = 40;
const OFFSETS_MOST = 100_000;

const VERDICTS: readonly Verdict[] = ["finish", "finish", "release", "reject", "renew"];

export interface ShareParts extends GroupParts {
  readonly codecs: Codecs;
}

export function createShareGroups(parts: ShareParts): T.ShareGroupsApi {
  return new ShareGroups(parts);
}

/** A partition that is there. */
interface Known extends T.SharePartition {
  readonly topic: Topic;
}

class ShareGroups implements T.ShareGroupsApi {
  readonly #parts: ShareParts;
  readonly #store: GroupStore;
  readonly #directory: TopicDirectory;
  readonly #lanes = new Map<string, ShareLane>();
  /** Groups that are known to be share groups, and until when that is believed. */
  readonly #known = new Map<string, number>();
  #topics: { readonly byId: ReadonlyMap<string, Topic>; readonly atMs: number } | undefined;
  #turn = 0;

  constructor(parts: ShareParts) {
    this.#parts = parts;
    this.#store = new GroupStore(parts);
    this.#directory = new TopicDirectory(parts.log, parts.clock);
  }

  async heartbeat(request: T.ShareHeartbeatRequest): Promise<T.ShareHeartbeatAnswer> {
    const { group, memberId } = request;
    checkGroupName(group);
    checkHeartbeat(request);
    const { clock } = this.#parts;
    const found = await this.#store.beat(group, memberId);
    const members = found?.type === "share" ? Object.values(found.members) : [];
    const known = await this.#directory.topics([...members, { topics: request.topics ?? [] }]);
    const decide = (state: ShareGroupState, nowMs: number): ShareBeat => beat(state, request, known, MEMBERS_MOST, nowMs);
    let done = found?.type === "share" && request.epoch > 0 ? decide(found, clock.nowMs()) : undefined;
    if (done === undefined || done.state !== found) {
      done = await this.#store.change(group, ({ state, firstEpoch, nowMs }) => {
        const one = decide(shareOr(state, group, firstEpoch, nowMs), nowMs);
        return { state: one.state, result: one };
      });
      await storageStep(`group "${group}"`, () =>
        request.epoch === -1 ? this.#store.forget(group, [memberId]) : this.#store.heard(group, memberId),
      );
    }
    const { heartbeatMs: heartbeatIntervalMs } = await this.#store.configs.share(group);
    const names = new Map([...known.values()].map(({ id, name }) => [id, name]));
    const assignment = done.assignment && named(done.assignment, names);
    return { memberId, epoch: done.epoch, heartbeatIntervalMs, assignment };
  }

  session(request: T.ShareSessionRequest): Promise<readonly T.SharePartition[]> {
    checkGroupName(request.group);
    checkHolder(request.memberId);
    return openSession(this.#parts, request, (partitions) => this.releaseAll(request.group, request.memberId, partitions));
  }

  async lockMs(group: string): Promise<number> {
    return (await this.#store.configs.share(group)).lockMs;
  }

  async acquire(request: T.AcquireRequest): Promise<T.AcquireAnswer> {
    const { group, maxWaitMs, signal, order = "turn" } = request;
    const { clock, doorbell } = this.#parts;
    checkGroupName(group);
    checkHolder(request.holder);
    await this.#ensure(group);
    const { lockMs: defaultMs } = await this.#store.configs.share(group);
    const lockMs = request.lockMs ?? defaultMs;
    const untilMs = clock.monotonicMs() + maxWaitMs;
    const first = order === "turn" ? this.#turn++ % Math.max(1, request.partitions.length) : 0;
    const partitions = [...request.partitions.slice(first), ...request.partitions.slice(0, first)];
    for (let look = 0; ; look++) {
      // Wait first, then look: what is appended or given back in between rings.
      const stop = new AbortController();
      const bells = [bellOf(group), ...partitions.map(({ topicId, partition }) => partitionName(topicId, partition))];
      let dueMs = 0;
      const wait = look === 0 && maxWaitMs <= 0 ? undefined : rung(doorbell, bells, untilMs, signal, stop);
      try {
        const tried = await this.#acquireNow(request, partitions, lockMs);
        const left = untilMs - clock.monotonicMs();
        if (tried.partitions.length > 0 || left <= 0 || signal?.aborted === true) return { partitions: tried.partitions, lockMs };
        dueMs = tried.dueMs;
        const patienceMs = dueMs === 0 ? left : Math.min(left, Math.max(1, dueMs - clock.nowMs()));
        await Promise.race([wait, clock.sleep(patienceMs, stop.signal).catch(() => {})]);
      } finally {
        stop.abort();
      }
    }
  }

  async #acquireNow(
    request: T.AcquireRequest,
    partitions: readonly T.SharePartition[],
    lockMs: number,
  ): Promise<{ readonly partitions: T.AcquiredPartition[]; readonly dueMs: number }> {
    const { group, holder, firstFrom = "latest" } = request;
    const answers: T.AcquiredPartition[] = [];
    const known: Known[] = [];
    for (const one of partitions) {
      const topic = await this.#topicOf(one);
      if (topic instanceof BrokerlessError) answers.push({ ...one, topic: "", batches: [], acquired: [], error: topic });
      else known.push({ ...one, topic });
    }
    let { maxRecords, maxBytes } = request;
    let dueMs = 0;
    for (const one of known.length > 1 ? await this.#promising(group, known) : known) {
      const { topicId, partition, topic } = one;
      if (maxRecords <= 0 || maxBytes <= 0) break;
      try {
        const given = await this.#lane(group, one).acquire({ holder, maxRecords, maxBytes, lockMs, firstFrom });
        if (given.dueMs > 0) dueMs = dueMs === 0 ? given.dueMs : Math.min(dueMs, given.dueMs);
        if (given.taken.length === 0) continue;
        const batches = given.pieces.map(({ bytes }) => bytes);
        for (const { firstOffset, lastOffset } of given.taken) maxRecords -= lastOffset - firstOffset + 1;
        for (const { byteLength } of batches) maxBytes -= byteLength;
        answers.push({ topicId, partition, topic: topic.name, batches, acquired: given.taken });
      } catch (error) {
        if (!(error instanceof BrokerlessError)) throw error;
        if (error.code === "unknown_group") this.#known.delete(group);
        answers.push({ topicId, partition, topic: topic.name, batches: [], acquired: [], error });
      }
    }
    return { partitions: answers, dueMs };
  }

  /** Those in which there may be something: two trips for all, in place of some for each. */
  async #promising(group: string, known: readonly Known[]): Promise<Known[]> {
    const nowMs = this.#parts.clock.nowMs();
    const [states, infos] = await Promise.all([this.#states(group, known), this.#infos(known)]);
    return known.filter((_, i) => {
      const state = states[i];
      const info = infos[i];
      if (state === undefined || info === undefined) return true;
      const waits = state.window.runs.some(({ state: is, untilMs }) => is !== "acquired" || untilMs <= nowMs);
      return waits || info.logEndOffset > state.window.end || (state.parked > 0 && state.dueMs <= nowMs);
    });
  }

  async #states(group: string, known: readonly T.SharePartition[]): Promise<(ShareState | undefined)[]> {
    const keys = known.map(({ topicId, partition }) => shareKey(group, topicId, partition));
    const items = await storageStep(`share group "${group}"`, () => this.#parts.storage.table.getMany(keys));
    return items.map((item) => item && decodeShare(item).state);
  }

  async #infos(known: readonly Known[]): Promise<(PartitionInfo | undefined)[]> {
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

  async acknowledge({ group, holder, partitions }: T.AcknowledgeRequest): Promise<T.ShareAnswer[]> {
    checkGroupName(group);
    checkHolder(holder);
    const { clock } = this.#parts;
    const { lockMs } = await this.#store.configs.share(group);
    return inParallel(partitions, PARTITIONS_AT_ONCE, async ({ topicId, partition, batches }) => {
      try {
        const untilMs = clock.nowMs() + lockMs;
        const judgements = batches.flatMap((batch) =>
          judgementsOf(batch, holder, batch.lockMs === undefined ? untilMs : clock.nowMs() + batch.lockMs),
        );
        const topic = await this.#topicOf({ topicId, partition });
        if (topic instanceof BrokerlessError) throw topic;
        if (!(await this.#lane(group, { topicId, partition, topic }).judge(judgements))) throw notHeld(group, topic, partition);
        return { topicId, partition };
      } catch (error) {
        if (error instanceof BrokerlessError) return { topicId, partition, error };
        throw error;
      }
    });
  }

  async releaseAll(group: string, holder: string, partitions: readonly T.SharePartition[]): Promise<void> {
    const states = await this.#states(group, partitions);
    await inParallel(partitions, PARTITIONS_AT_ONCE, async (one, i) => {
      const its = (states[i]?.window.runs ?? []).filter((run) => run.state === "acquired" && run.holder === holder);
      const topic = its.length === 0 ? undefined : await this.#topicOf(one);
      if (topic === undefined || topic instanceof BrokerlessError) return;
      const lane = this.#lane(group, { ...one, topic });
      // One by one: what has run out meanwhile does not keep the others.
      const release = { verdict: "release" as const, holder, untilMs: 0, gap: false };
      await Promise.all(its.map(({ first, last }) => lane.judge([{ ...release, first, last }])));
    });
  }

  async offsets(group: string, topics?: readonly string[]): Promise<T.ShareOffset[]> {
    await this.#existing(group);
    const known = await this.#partitionsOf(group, topics);
    const states = await this.#states(group, known);
    return known.map(({ topicId, partition, topic }, i) => ({
      topicId,
      partition,
      topic: topic.name,
      startOffset: states[i] === undefined ? -1 : startOf((states[i] as ShareState).window),
      stateEpoch: states[i]?.epoch ?? 0,
    }));
  }

  names(): Promise<string[]> {
    return shareGroupNames(this.#parts.storage);
  }

  async depths(group: string, topics?: readonly string[]): Promise<T.ShareDepth[]> {
    await this.#existing(group);
    const known = await this.#partitionsOf(group, topics);
    const nowMs = this.#parts.clock.nowMs();
    const [states, infos, { deadLetterTopic }] = await Promise.all([
      this.#states(group, known),
      this.#infos(known),
      this.#store.configs.share(group),
    ]);
    return inParallel(known, PARTITIONS_AT_ONCE, async ({ topicId, partition, topic }, i) => {
      const state = states[i];
      const { logStartOffset = 0, logEndOffset = 0 } = infos[i] ?? {};
      const place = { ...this.#parts, topic, partition, isolation: "read_uncommitted" as const };
      const isDeadLetters = topic.name === deadLetterTopic;
      const base = { topicId, partition, topic: topic.name, logEndOffset, stateEpoch: state?.epoch ?? 0, isDeadLetters };
      if (state === undefined) {
        const none = {
          startOffset: -1,
          endOffset: -1,
          depth: 0,
          inFlight: 0,
          parked: 0,
          dying: 0,
          deadLetters: 0,
          oldestAtMs: -1,
        };
        return { ...base, ...none };
      }
      const { window, parked, deadLetters } = state;
      const isHeld = (run: { state: string; untilMs: number }): boolean => run.state === "acquired" && run.untilMs > nowMs;
      const inFlight = countOf(window, isHeld);
      const dying = countOf(window, isDead);
      const startOffset = startOf(window);
      const oldest = parked === 0 ? startOffset : Math.min(startOffset, await this.#oldestParked(group, topicId, partition));
      const depth = countOf(window, (run) => !isHeld(run) && !isDead(run)) + Math.max(0, logEndOffset - window.end) + parked;
      const oldestAtMs = await firstTimestampMs(place, Math.max(oldest, logStartOffset), logEndOffset);
      return { ...base, startOffset, endOffset: window.end, depth, inFlight, parked, dying, deadLetters, oldestAtMs };
    });
  }

  async #oldestParked(group: string, topicId: string, partition: number): Promise<number> {
    const { table } = this.#parts.storage;
    const [first] = await storageStep(`share group "${group}"`, () =>
      table.range(sharePk(group, topicId, partition), { from: "D#", to: "D$", limit: 1 }),
    );
    return first === undefined ? Number.POSITIVE_INFINITY : Number(first.key.sk.slice(2));
  }

  async tend(
    group: string,
    run: Parameters<T.ShareGroupsApi["tend"]>[1],
  ): Promise<{ readonly partitions: number; readonly left: boolean }> {
    const { storage, clock, log } = this.#parts;
    const topics = await storageStep(`share group "${group}"`, () => storage.table.range(groupPk(group), SHARE_TOPIC_RANGE));
    const live = new Set((await log.listTopics()).map(({ id }) => id));
    let partitions = 0;
    for (const { key, item } of topics) {
      const topicId = key.sk.slice(2);
      if (!live.has(topicId)) await clearShareTopic(this.#parts, group, topicId, item["n"] as number);
    }
    for (const one of await this.#partitionsOf(group, undefined)) {
      if (!mayGoOn(run, clock)) return { partitions, left: true };
      await this.#lane(group, one).tend();
      partitions++;
    }
    return { partitions, left: false };
  }

  async alterOffsets(group: string, offsets: Parameters<T.ShareGroupsApi["alterOffsets"]>[1]): Promise<T.ShareAnswer[]> {
    await this.#withoutMembers(group);
    return inParallel(offsets, PARTITIONS_AT_ONCE, async ({ topic: name, partition, offset }) => {
      const topic = await topicOr(this.#parts.log, name);
      if (topic instanceof BrokerlessError) return { topicId: "", partition, error: topic };
      const place = { topicId: topic.id, partition };
      try {
        if (!Number.isSafeInteger(offset) || offset < 0)
          throw new BrokerlessError(
            "invalid_request",
            `offset ${offset} of ${name}-${partition}; it takes a whole number from 0`,
          );
        checkPartition(topic, partition);
        this.#lanes.delete(sharePk(group, topic.id, partition));
        await resetSharePartition(this.#parts, group, topic, partition, offset);
        return place;
      } catch (error) {
        if (error instanceof BrokerlessError) return { ...place, error };
        throw error;
      }
    });
  }

  async deleteOffsets(
    group: string,
    topics: readonly string[],
  ): Promise<{ readonly topic: string; readonly error?: BrokerlessError }[]> {
    await this.#withoutMembers(group);
    return Promise.all(
      topics.map(async (name) => {
        const topic = await topicOr(this.#parts.log, name);
        if (topic instanceof BrokerlessError) return { topic: name, error: topic };
        for (let p = 0; p < topic.partitions; p++) this.#lanes.delete(sharePk(group, topic.id, p));
        await clearShareTopic(this.#parts, group, topic.id, topic.partitions);
        return { topic: name };
      }),
    );
  }

  async #withoutMembers(group: string): Promise<void> {
    await this.#existing(group);
    const state = await this.#store.settle(group);
    if (state !== undefined && hasMembers(state)) {
      const count = Object.keys(state.members).length;
      throw new BrokerlessError("non_empty_group", `group "${group}" has ${count} members`);
    }
  }

  /** Throws `unknown_group` unless it is a share group. */
  async #existing(group: string): Promise<void> {
    checkGroupName(group);
    const item = await storageStep(`group "${group}"`, () => this.#parts.storage.table.get(stateKey(group)));
    const state = decodeState(item)?.state;
    if (state === undefined) throw unknownGroup(group);
    shareOr(state, group, 0, 0);
  }

  /** Makes the group where there is none. */
  async #ensure(group: string): Promise<void> {
    const { clock } = this.#parts;
    if ((this.#known.get(group) ?? 0) > clock.monotonicMs()) return;
    await this.#store.change(group, ({ state, firstEpoch, nowMs }) => ({
      state: shareOr(state, group, firstEpoch, nowMs),
      result: undefined,
    }));
    if (this.#known.size >= LANES_MOST) this.#known.clear();
    this.#known.set(group, clock.monotonicMs() + KEPT_MS);
  }

  /** Of the topics that the group was ever given records of. */
  async #partitionsOf(group: string, topics: readonly string[] | undefined): Promise<Known[]> {
    const { storage, log } = this.#parts;
    const rows = await storageStep(`share group "${group}"`, () => storage.table.range(groupPk(group), SHARE_TOPIC_RANGE));
    const ids = new Set(rows.map(({ key }) => key.sk.slice(2)));
    const all = rows.length === 0 && topics === undefined ? [] : await log.listTopics();
    const mine = all.filter(({ id, name }) => (topics === undefined ? ids.has(id) : topics.includes(name)));
    return mine.flatMap((topic) =>
      Array.from({ length: topic.partitions }, (_, partition) => ({ topicId: topic.id, partition, topic })),
    );
  }

  #lane(group: string, { topicId, partition, topic }: Known): ShareLane {
    const pk = sharePk(group, topicId, partition);
    let lane = this.#lanes.get(pk);
    if (lane === undefined) {
      if (this.#lanes.size >= LANES_MOST) for (const oldest of [...this.#lanes.keys()].slice(0, 1)) this.#lanes.delete(oldest);
      const settings = (of: string) => this.#store.configs.share(of);
      const ring = (of: string): void => this.#parts.doorbell.ring(bellOf(of));
      lane = new ShareLane({ ...this.#parts, settings, ring }, group, topic, partition);
      this.#lanes.set(pk, lane);
    }
    return lane;
  }

  async #topicOf({ topicId, partition }: T.SharePartition): Promise<Topic | BrokerlessError> {
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
}

function checkPartition(topic: Topic, partition: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < topic.partitions) return;
  throw new BrokerlessError(
    "unknown_partition",
    `topic "${topic.name}" has partitions 0 to ${topic.partitions - 1}; ${partition} was asked for`,
  );
}

function checkHolder(holder: string): void {
  if (holder.length > 0 && holder.length <= HOLDER_MOST) return;
  throw new BrokerlessError("invalid_request", `a member id has ${holder.length} characters; it takes 1 to ${HOLDER_MOST}`, {
    field: "member_id",
  });
}

function judgementsOf({ firstOffset, lastOffset, types }: T.AcknowledgeBatch, holder: string, untilMs: number): Judgement[] {
  const count = lastOffset - firstOffset + 1;
  const fits = Number.isSafeInteger(firstOffset) && Number.isSafeInteger(lastOffset) && firstOffset >= 0 && count >= 1;
  if (!fits || count > OFFSETS_MOST || (types.length !== 1 && types.length !== count)) {
    const what = `offsets ${firstOffset} to ${lastOffset} with ${types.length} acknowledgement types; it takes one type, or one for each offset`;
    throw new BrokerlessError("invalid_request", what, { field: "acknowledge_types" });
  }
  const judgements: Judgement[] = [];
  for (const [i, type] of types.entries()) {
    const verdict = VERDICTS[type];
    if (verdict === undefined) {
      throw new BrokerlessError("invalid_request", `acknowledgement type ${type}; 0 to 4 are known`, {
        field: "acknowledge_types",
      });
    }
    const [first, last] = types.length === 1 ? [firstOffset, lastOffset] : [firstOffset + i, firstOffset + i];
    const before = judgements.at(-1);
    if (before !== undefined && before.verdict === verdict && before.gap === (type === 0)) {
      judgements[judgements.length - 1] = { ...before, last };
    } else judgements.push({ first, last, verdict, holder, untilMs, gap: type === 0 });
  }
  return judgements;
}

function notHeld(group: string, { name }: Topic, partition: number): BrokerlessError {
  return new BrokerlessError(
    "invalid_record_state",
    `share group "${group}": not all of these records of topic "${name}" partition ${partition} are held by who acknowledges them: the lock ran out, or they were acknowledged otherwise`,
  );
}

/** A group that is a share group, or can become one: an empty one of another type can not. */
function shareOr(state: GroupState | undefined, group: string, firstEpoch: number, nowMs: number): ShareGroupState {
  if (state === undefined) return emptyShareGroup(firstEpoch, nowMs);
  if (state.type === "share") return state;
  throw new BrokerlessError("unknown_group", `group "${group}" is a ${state.type} group, not a share group`, { field: "group" });
}

function named(target: Target, names: ReadonlyMap<string, string>): TopicPartitions[] {
  return Object.entries(target).flatMap(([topicId, partitions]) => {
    const topic = names.get(topicId);
    return topic === undefined ? [] : [{ topic, topicId, partitions }];
  });
}

function bellOf(group: string): string {
  return `Q#${group}`;
}

function rung(
  doorbell: GroupParts["doorbell"],
  bells: readonly string[],
  untilMs: number,
  signal: AbortSignal | undefined,
  stop: AbortController,
): Promise<void> {
  return doorbell.wait(bells, untilMs, signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]));
}
