/**
 * One share partition, as one process works on it. What is asked at the same time is decided together, in one write.
 *
 * P1  Everything is decided on a state and written on condition that it is still that one; records are answered for only when
 *     the write is known to be made. A crash before it leaves nothing; after it, before the answer, locks that run out.
 * P2  A state that is not sure to be the newest (kept from the last write) never refuses and never says that there is nothing:
 *     then it is read again.
 * P3  A write whose answer is lost carries a name: whoever sees it in the state takes it as made. While it is not there the state is still
 *     the one before, or another's: then it was not made, and can no more be, since the counter has moved on.
 *     Parked records are read after the state: a refusal that they give holds only where the state is then still the same.
 *     A state of a group that was deleted is nobody's: it goes before the group of that name that is there now begins.
 * P4  Records are read before they are given: what is not in the log is finished instead.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { fromStorage } from "../../log/storage-errors.ts";
import type { PartitionInfo, Topic } from "../../log/types.ts";
import { StorageError } from "../../ports/index.ts";
import type { ShareSettings } from "../config.ts";
import { decodeShare, type ShareState, type StoredShare, shareKey, sharePk } from "../items/share-partition.ts";
import { bury, type Dead } from "./bury.ts";
import { clearFormer } from "./clear.ts";
import { decide, looksAt, type Op } from "./decide.ts";
import type { Draft } from "./draft.ts";
import type { Given, Want } from "./give.ts";
import type { Place } from "./read.ts";
import { type LaneParts, readShare, type SharePlace, writeShare } from "./stored.ts";
import type { Judgement } from "./window.ts";

const GIVE_UP_MS = 15_000;
const OPS_MOST = 200;
/** After a failure dead letters are left alone for so long. */
const BURY_AGAIN_MS = 5_000;

const NOTHING: Given = { taken: [], pieces: [], dueMs: 0 };

export class ShareLane {
  readonly #share: SharePlace;
  #waiting: Op[] = [];
  #running = false;
  #kept: StoredShare | undefined;
  #buryFromMs = 0;

  constructor(parts: LaneParts, group: string, topic: Topic, partition: number) {
    this.#share = { ...parts, group, topic, partition, pk: sharePk(group, topic.id, partition) };
  }

  acquire(want: Want): Promise<Given> {
    return this.#ask((answer) => ({ kind: "acquire", want, given: NOTHING, answer })).then(({ given }) => given);
  }

  /** False: the holder does not have all of it, and nothing has changed. */
  async judge(judgements: readonly Judgement[]): Promise<boolean> {
    const { refused, tooMany } = await this.#ask((answer) => ({
      kind: "judge",
      judgements,
      refused: false,
      tooMany: false,
      answer,
    }));
    if (!tooMany) return !refused;
    let all = true;
    for (const some of halves(judgements)) all = (await this.judge(some)) && all;
    return all;
  }

  /** Lets time do what it does, and buries the dead. Undefined: the share partition has not begun. */
  tend(): Promise<ShareState | undefined> {
    return this.#ask((answer) => ({ kind: "tend", state: undefined, answer })).then(({ state }) => state);
  }

  #ask<T extends Op>(make: (answer: Op["answer"]) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const op: T = make((error) => (error === undefined ? resolve(op) : reject(error)));
      this.#waiting.push(op);
      if (!this.#running) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#running = true;
    // What is asked in the same turn is decided together.
    await undefined;
    while (this.#waiting.length > 0) {
      const ops = this.#waiting.splice(0, OPS_MOST);
      let failure: unknown;
      try {
        await this.#round(ops);
      } catch (error) {
        this.#kept = undefined;
        failure = fromStorage(error, `share group "${this.#share.group}"`);
      }
      for (const op of ops) op.answer(failure);
    }
    this.#running = false;
  }

  async #round(ops: readonly Op[]): Promise<void> {
    const { clock, ids, settings: settingsOf } = this.#share;
    const settings = await settingsOf(this.#share.group);
    const untilMs = clock.monotonicMs() + GIVE_UP_MS;
    const lost: { readonly name: string; readonly settle: () => void; readonly draft: Draft }[] = [];
    let stored = this.#kept;
    let fresh = stored === undefined;
    // Read after all of these asked, and side by side: what the log gets later they need not see.
    const [info, first] = await Promise.all([this.#look(ops), stored ?? readShare(this.#share)]);
    stored = first;
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 250)) {
      const life = ops.findLast((op) => op.kind === "acquire")?.want.born;
      if (life !== undefined && stored !== undefined && stored.state.born !== life) {
        await this.#endFormer();
        stored = await readShare(this.#share);
        if (stored !== undefined && stored.state.born !== life) throw this.#madeAgain();
        fresh = true;
      }
      const made = lost.find(({ name }) => stored?.writes.includes(name));
      if (made !== undefined) {
        this.#kept = stored;
        made.settle();
        return this.#afterwards(made.draft, settings);
      }
      const { draft, content, refuses, settle, ...found } = await decide(this.#share, stored, ops, info, settings);
      const dead = clock.monotonicMs() < this.#buryFromMs ? [] : found.dead;
      if (!fresh && (!content || !draft?.changed)) {
        if (content && dead.length === 0) return settle();
        stored = await readShare(this.#share);
        fresh = true;
        continue;
      }
      if (draft === undefined || (stored !== undefined && !draft.changed)) {
        // Parked records were read after the state: nobody is refused unless it is still that one.
        if (!content && refuses) {
          const now = await readShare(this.#share);
          if (now?.version !== stored?.version || now?.state.name !== stored?.state.name) {
            stored = now;
            continue;
          }
        }
        this.#kept = stored;
        settle();
        return dead.length === 0 ? undefined : this.#bury(dead, settings);
      }
      const name = ids.uuid().slice(0, 8);
      const after: StoredShare = {
        state: draft.state,
        version: (stored?.version ?? 0) + 1,
        writes: [...(stored?.writes ?? []), name].slice(-8),
      };
      const outcome = await writeShare(this.#share, stored, after, draft.writes(this.#share.pk));
      if (outcome === "made") {
        this.#kept = after;
        settle();
        return this.#afterwards(draft, settings, dead);
      }
      if (outcome === "unknown") lost.push({ name, settle, draft });
      if (clock.monotonicMs() >= untilMs) throw this.#busy(lost.length > 0);
      if (outcome !== "refused") await clock.sleep(Math.ceil(pauseMs * ids.random()));
      stored = typeof outcome === "object" ? decodeShare(outcome.found) : await readShare(this.#share);
      fresh = true;
    }
  }

  /** What is stored is of another group of the name than the one that is known: of one that was deleted, or the later one. */
  async #endFormer(): Promise<void> {
    const { group, topic, partition } = this.#share;
    this.#kept = undefined;
    if (!(await clearFormer(this.#share, group, shareKey(group, topic.id, partition)))) throw this.#madeAgain();
  }

  #madeAgain(): BrokerlessError {
    return new BrokerlessError("unknown_group", `share group "${this.#share.group}" was deleted and made again`, {
      field: "group",
    });
  }

  async #look(ops: readonly Op[]): Promise<PartitionInfo | undefined> {
    const { log, topic, partition } = this.#share;
    return looksAt(ops) ? (await log.partitions(topic.name, [partition], { topicId: topic.id }))[0] : undefined;
  }

  #busy(lost: boolean): BrokerlessError {
    const { group, topic, partition } = this.#share;
    const what = `partition ${partition} of topic "${topic.name}" in share group "${group}" changes all the time`;
    return new BrokerlessError(lost ? "outcome_unknown" : "group_busy", what, { outcome: lost ? "unknown" : "not_applied" });
  }

  async #afterwards(draft: Draft, settings: ShareSettings, dead: readonly Dead[] = []): Promise<void> {
    // Others wait for what was given back, and for the time of what was parked.
    if (draft.moved || draft.window.runs.some(({ state }) => state === "available")) this.#share.ring(this.#share.group);
    if (dead.length > 0) await this.#bury(dead, settings);
  }

  /** To the dead-letter topic, then out of the state. What fails is tried again with a later call. */
  async #bury(dead: readonly Dead[], settings: ShareSettings): Promise<void> {
    const name = this.#kept?.state.name;
    const topic = settings.deadLetterTopic;
    if (name === undefined || topic === undefined) return;
    try {
      const place: Place = { ...this.#share, isolation: "read_uncommitted" };
      const buried = await bury({ place, group: this.#share.group, name, topic, nowMs: this.#share.clock.nowMs() }, dead);
      await this.#round([{ kind: "buried", dead: buried, answer: () => {} }]);
    } catch (error) {
      // What was asked for is written: it is answered so, whatever becomes of the dead.
      if (!(error instanceof BrokerlessError || error instanceof StorageError)) throw error;
      this.#kept = undefined;
      this.#buryFromMs = this.#share.clock.monotonicMs() + BURY_AGAIN_MS;
    }
  }
}

function halves(judgements: readonly Judgement[]): Judgement[][] {
  const offsets = judgements.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const all: Judgement[][] = [[], []];
  let seen = 0;
  for (const one of judgements) {
    const size = one.last - one.first + 1;
    const left = Math.max(0, Math.min(size, Math.ceil(offsets / 2) - seen));
    if (left > 0) all[0]?.push({ ...one, last: one.first + left - 1 });
    if (left < size) all[1]?.push({ ...one, first: one.first + left });
    seen += size;
  }
  return all.filter((some) => some.length > 0);
}
