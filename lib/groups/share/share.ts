/** Share groups behind one object, over any storage. See `types.ts` for what it promises. */
import { BrokerlessError } from "../../base/errors.ts";
import { inParallel } from "../../base/parallel.ts";
import type { Codecs } from "../../kafka/index.ts";
import { partitionName } from "../../log/items/head.ts";
import { mayGoOn } from "../../log/jobs/job.ts";
import { storageStep } from "../../log/storage-errors.ts";
import type { Topic } from "../../log/types.ts";
import { TopicDirectory } from "../consumer/topics.ts";
import { checkGroupName, groupPk } from "../items/group.ts";
import { SHARE_TOPIC_RANGE, sharePk } from "../items/share-partition.ts";
import { decodeState, type ShareGroupState, stateKey, type Target } from "../items/state.ts";
import { unknownGroup } from "../offsets/delete.ts";
import type { GroupParts } from "../parts.ts";
import { GroupStore } from "../store.ts";
import type { TopicPartitions } from "../types.ts";
import { clearShareTopic } from "./clear.ts";
import { judgementsOf } from "./judgements.ts";
import { KeptReads } from "./kept-reads.ts";
import { ShareLane } from "./lane.ts";
import { beat, checkHeartbeat, type ShareBeat, shareOr } from "./membership.ts";
import { shareGroupNames } from "./names.ts";
import { ShareOffsets } from "./offsets.ts";
import { type Known, SharePartitions } from "./partitions.ts";
import { openSession } from "./session.ts";
import type * as T from "./types.ts";

const KEPT_MS = 30_000;
const LANES_MOST = 10_000;
const MEMBERS_MOST = 1_000;
const PARTITIONS_AT_ONCE = 16;
const HOLDER_MOST = 40;

export interface ShareParts extends GroupParts {
  readonly codecs: Codecs;
}

export function createShareGroups(parts: ShareParts): T.ShareGroupsApi {
  return new ShareGroups(parts);
}

class ShareGroups implements T.ShareGroupsApi {
  readonly #parts: ShareParts;
  readonly #store: GroupStore;
  readonly #directory: TopicDirectory;
  readonly #partitions: SharePartitions;
  readonly #offsets: ShareOffsets;
  readonly #reads = new KeptReads();
  readonly #lanes = new Map<string, ShareLane>();
  /** Groups that are known to be share groups, which of all of their name, and until when that is believed. */
  readonly #known = new Map<string, { readonly born: number; readonly untilMs: number }>();
  #turn = 0;

  constructor(parts: ShareParts) {
    this.#parts = parts;
    this.#store = new GroupStore(parts);
    this.#directory = new TopicDirectory(parts.log, parts.clock);
    this.#partitions = new SharePartitions(parts);
    this.#offsets = new ShareOffsets(parts, this.#store, this.#partitions, (pk) => this.#lanes.delete(pk));
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
    if (maxWaitMs <= 0) return { partitions: (await this.#acquireNow(request, partitions, lockMs)).partitions, lockMs };
    for (;;) {
      // Wait first, then look: what is appended or given back in between rings.
      const stop = new AbortController();
      const bells = [bellOf(group), ...partitions.map(({ topicId, partition }) => partitionName(topicId, partition))];
      let dueMs = 0;
      const wait = rung(doorbell, bells, untilMs, signal, stop);
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
      const topic = await this.#partitions.topicOf(one);
      if (topic instanceof BrokerlessError) answers.push({ ...one, topic: "", batches: [], acquired: [], error: topic });
      else known.push({ ...one, topic });
    }
    let { maxRecords, maxBytes } = request;
    let dueMs = 0;
    for (const one of known.length > 1 ? await this.#promising(group, known) : known) {
      const { topicId, partition, topic } = one;
      if (maxRecords <= 0 || maxBytes <= 0) break;
      try {
        const given = await this.#inGroup(group, (born) =>
          this.#lane(group, one).acquire({ holder, maxRecords, maxBytes, lockMs, firstFrom, born }),
        );
        if (given.dueMs > 0) dueMs = dueMs === 0 ? given.dueMs : Math.min(dueMs, given.dueMs);
        if (given.taken.length === 0) continue;
        const batches = given.pieces.map(({ bytes }) => bytes);
        for (const { firstOffset, lastOffset } of given.taken) maxRecords -= lastOffset - firstOffset + 1;
        for (const { byteLength } of batches) maxBytes -= byteLength;
        answers.push({ topicId, partition, topic: topic.name, batches, acquired: given.taken });
      } catch (error) {
        if (!(error instanceof BrokerlessError)) throw error;
        answers.push({ topicId, partition, topic: topic.name, batches: [], acquired: [], error });
      }
    }
    return { partitions: answers, dueMs };
  }

  /** Those in which there may be something: two trips for all, in place of some for each. */
  async #promising(group: string, known: readonly Known[]): Promise<Known[]> {
    const nowMs = this.#parts.clock.nowMs();
    const [states, infos] = await Promise.all([this.#partitions.states(group, known), this.#partitions.infos(known)]);
    return known.filter((_, i) => {
      const state = states[i];
      const info = infos[i];
      if (state === undefined || info === undefined) return true;
      const waits = state.window.runs.some(({ state: is, untilMs }) => is !== "acquired" || untilMs <= nowMs);
      return waits || info.logEndOffset > state.window.end || (state.parked > 0 && state.dueMs <= nowMs);
    });
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
        const topic = await this.#partitions.topicOf({ topicId, partition });
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
    const states = await this.#partitions.states(group, partitions);
    await inParallel(partitions, PARTITIONS_AT_ONCE, async (one, i) => {
      const its = (states[i]?.window.runs ?? []).filter((run) => run.state === "acquired" && run.holder === holder);
      const topic = its.length === 0 ? undefined : await this.#partitions.topicOf(one);
      if (topic === undefined || topic instanceof BrokerlessError) return;
      const lane = this.#lane(group, { ...one, topic });
      // One by one: what has run out meanwhile does not keep the others.
      const release = { verdict: "release" as const, holder, untilMs: 0, gap: false };
      await Promise.all(its.map(({ first, last }) => lane.judge([{ ...release, first, last }])));
    });
  }

  offsets(group: string, topics?: readonly string[]): Promise<T.ShareOffset[]> {
    return this.#offsets.offsets(group, topics);
  }

  names(): Promise<string[]> {
    return shareGroupNames(this.#parts.storage);
  }

  depths(group: string, topics?: readonly string[]): Promise<T.ShareDepth[]> {
    return this.#offsets.depths(group, topics);
  }

  alterOffsets(...[group, offsets]: Parameters<T.ShareGroupsApi["alterOffsets"]>): Promise<T.ShareAnswer[]> {
    return this.#offsets.alter(group, offsets);
  }

  deleteOffsets(group: string, topics: readonly string[]): ReturnType<T.ShareGroupsApi["deleteOffsets"]> {
    return this.#offsets.delete(group, topics);
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
    for (const one of await this.#partitions.ofGroup(group, undefined)) {
      if (!mayGoOn(run, clock)) return { partitions, left: true };
      await this.#lane(group, one).tend();
      partitions++;
    }
    return { partitions, left: false };
  }

  /** In the group as it is known; where it was deleted since, in the one that is made anew. */
  async #inGroup<T>(group: string, use: (born: number) => Promise<T>): Promise<T> {
    try {
      return await use(await this.#ensure(group));
    } catch (error) {
      if (!(error instanceof BrokerlessError && error.code === "unknown_group")) throw error;
      this.#known.delete(group);
      return use(await this.#ensure(group));
    }
  }

  /** Makes the group where there is none. Answers which of all groups of its name it is. */
  async #ensure(group: string): Promise<number> {
    const { clock, storage } = this.#parts;
    const known = this.#known.get(group);
    if (known !== undefined && known.untilMs > clock.monotonicMs()) return known.born;
    const seen = await this.#store.change(group, ({ state, born, firstEpoch, nowMs }) => ({
      state: shareOr(state, group, firstEpoch, nowMs),
      result: born,
    }));
    const read = () => storageStep(`group "${group}"`, () => storage.table.get(stateKey(group)));
    const born = seen ?? decodeState(await read())?.born;
    if (born === undefined) throw unknownGroup(group);
    if (this.#known.size >= LANES_MOST) this.#known.clear();
    this.#known.set(group, { born, untilMs: clock.monotonicMs() + KEPT_MS });
    return born;
  }

  #lane(group: string, { topicId, partition, topic }: Known): ShareLane {
    const pk = sharePk(group, topicId, partition);
    let lane = this.#lanes.get(pk);
    if (lane === undefined) {
      if (this.#lanes.size >= LANES_MOST) for (const oldest of [...this.#lanes.keys()].slice(0, 1)) this.#lanes.delete(oldest);
      const settings = (of: string) => this.#store.configs.share(of);
      const ring = (of: string): void => this.#parts.doorbell.ring(bellOf(of));
      lane = new ShareLane({ ...this.#parts, reads: this.#reads, settings, ring }, group, topic, partition);
      this.#lanes.set(pk, lane);
    }
    return lane;
  }
}

function checkHolder(holder: string): void {
  if (holder.length > 0 && holder.length <= HOLDER_MOST) return;
  throw new BrokerlessError("invalid_request", `a member id has ${holder.length} characters; it takes 1 to ${HOLDER_MOST}`, {
    field: "member_id",
  });
}

function notHeld(group: string, { name }: Topic, partition: number): BrokerlessError {
  return new BrokerlessError(
    "invalid_record_state",
    `share group "${group}": not all of these records of topic "${name}" partition ${partition} are held by who acknowledges them: the lock ran out, or they were acknowledged otherwise`,
  );
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
