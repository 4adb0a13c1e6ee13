/** Offsets of share groups, as an administrator sees and sets them, and how much there is to do. */
import { BrokerlessError } from "../../base/errors.ts";
import { inParallel } from "../../base/parallel.ts";
import { storageStep } from "../../log/storage-errors.ts";
import { checkGroupName } from "../items/group.ts";
import { type ShareState, sharePk } from "../items/share-partition.ts";
import { decodeState, hasMembers, stateKey } from "../items/state.ts";
import { unknownGroup } from "../offsets/delete.ts";
import { topicOr } from "../offsets/topics.ts";
import type { GroupStore } from "../store.ts";
import { clearShareTopic, resetSharePartition } from "./clear.ts";
import { shareOr } from "./membership.ts";
import { checkPartition, type SharePartitions } from "./partitions.ts";
import { firstTimestampMs } from "./read.ts";
import type { ShareParts } from "./share.ts";
import type * as T from "./types.ts";
import { countOf, isDead, startOf } from "./window.ts";

const PARTITIONS_AT_ONCE = 16;

export class ShareOffsets {
  readonly #parts: ShareParts;
  readonly #store: GroupStore;
  readonly #partitions: SharePartitions;
  /** The share partition with this key begins anew: what is remembered of it is over. */
  readonly #forget: (pk: string) => void;

  constructor(parts: ShareParts, store: GroupStore, partitions: SharePartitions, forget: (pk: string) => void) {
    this.#parts = parts;
    this.#store = store;
    this.#partitions = partitions;
    this.#forget = forget;
  }

  async offsets(group: string, topics?: readonly string[]): Promise<T.ShareOffset[]> {
    await this.#existing(group);
    const known = await this.#partitions.ofGroup(group, topics);
    const states = await this.#partitions.states(group, known);
    return known.map(({ topicId, partition, topic }, i) => ({
      topicId,
      partition,
      topic: topic.name,
      startOffset: states[i] === undefined ? -1 : startOf((states[i] as ShareState).window),
      stateEpoch: states[i]?.epoch ?? 0,
    }));
  }

  async depths(group: string, topics?: readonly string[]): Promise<T.ShareDepth[]> {
    await this.#existing(group);
    const known = await this.#partitions.ofGroup(group, topics);
    const nowMs = this.#parts.clock.nowMs();
    const [states, infos, { deadLetterTopic }] = await Promise.all([
      this.#partitions.states(group, known),
      this.#partitions.infos(known),
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

  async alter(group: string, offsets: Parameters<T.ShareGroupsApi["alterOffsets"]>[1]): Promise<T.ShareAnswer[]> {
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
        this.#forget(sharePk(group, topic.id, partition));
        await resetSharePartition(this.#parts, group, topic, partition, offset);
        return place;
      } catch (error) {
        if (error instanceof BrokerlessError) return { ...place, error };
        throw error;
      }
    });
  }

  async delete(
    group: string,
    topics: readonly string[],
  ): Promise<{ readonly topic: string; readonly error?: BrokerlessError }[]> {
    await this.#withoutMembers(group);
    return Promise.all(
      topics.map(async (name) => {
        const topic = await topicOr(this.#parts.log, name);
        if (topic instanceof BrokerlessError) return { topic: name, error: topic };
        for (let p = 0; p < topic.partitions; p++) this.#forget(sharePk(group, topic.id, p));
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
}
