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
 * P4  Records are read before they are given: what is not in the log is finished instead.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Codecs } from "../../kafka/index.ts";
import { fromStorage } from "../../log/storage-errors.ts";
import type { LogApi, PartitionInfo, Topic } from "../../log/types.ts";
import { type Clock, type Ids, type Item, type Storage, StorageError, type Write } from "../../ports/index.ts";
import type { ShareSettings } from "../config.ts";
import {
  DUE_RANGE,
  decodeParked,
  decodeShare,
  encodeShare,
  isStillShare,
  newShare,
  type Parked,
  parkedKey,
  parseDueKey,
  putShareTopic,
  type ShareState,
  type StoredShare,
  shareKey,
  sharePk,
} from "../items/share-partition.ts";
import { stateKey } from "../items/state.ts";
import { bury, type Dead } from "./bury.ts";
import { clearParked } from "./clear.ts";
import { Draft } from "./draft.ts";
import { type Found, nothingFound, type Piece, type Place, readNext, readOffsets } from "./read.ts";
import {
  acquired,
  expired,
  extended,
  finished,
  isDead,
  type Judgement,
  offsetsOf,
  runAt,
  startOf,
  type Taken,
  trimmed,
} from "./window.ts";

const GIVE_UP_MS = 15_000;
const OPS_MOST = 200;
/** So many parked records that are due are looked at for one write. */
const DUE_MOST = 20;
/** So many that wait for their time are parked with one write. */
const LATER_MOST = 25;
const BURY_MOST = 50;
/** After a failure dead letters are left alone for so long. */
const BURY_AGAIN_MS = 5_000;

export interface LaneParts {
  readonly storage: Storage;
  readonly log: LogApi;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly codecs: Codecs;
  readonly settings: (group: string) => Promise<ShareSettings>;
  /** Something is to be given again, or at another time. */
  readonly ring: (group: string) => void;
}

export interface Want {
  readonly holder: string;
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lockMs: number;
  readonly firstFrom: "earliest" | "latest";
}

export interface Given {
  readonly taken: readonly Taken[];
  readonly pieces: readonly Piece[];
  /** When something that is parked or locked may be due; 0: nothing is. */
  readonly dueMs: number;
}

type Op = { readonly answer: (error?: unknown) => void } & (
  | { readonly kind: "acquire"; readonly want: Want; given: Given }
  | { readonly kind: "judge"; readonly judgements: readonly Judgement[]; refused: boolean; tooMany: boolean }
  | { readonly kind: "buried"; readonly dead: readonly Dead[] }
  | { readonly kind: "tend"; state: ShareState | undefined }
);

const NOTHING: Given = { taken: [], pieces: [], dueMs: 0 };

export class ShareLane {
  readonly #parts: LaneParts;
  readonly #group: string;
  readonly #topic: Topic;
  readonly #partition: number;
  readonly #pk: string;
  #waiting: Op[] = [];
  #running = false;
  #kept: StoredShare | undefined;
  #buryFromMs = 0;

  constructor(parts: LaneParts, group: string, topic: Topic, partition: number) {
    this.#parts = parts;
    this.#group = group;
    this.#topic = topic;
    this.#partition = partition;
    this.#pk = sharePk(group, topic.id, partition);
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
        failure = fromStorage(error, `share group "${this.#group}"`);
      }
      for (const op of ops) op.answer(failure);
    }
    this.#running = false;
  }

  async #round(ops: readonly Op[]): Promise<void> {
    const { clock, ids, settings: settingsOf } = this.#parts;
    const settings = await settingsOf(this.#group);
    const untilMs = clock.monotonicMs() + GIVE_UP_MS;
    const lost: { readonly name: string; readonly settle: () => void; readonly draft: Draft }[] = [];
    let stored = this.#kept;
    let fresh = stored === undefined;
    if (stored === undefined) stored = await this.#read();
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 250)) {
      const made = lost.find(({ name }) => stored?.writes.includes(name));
      if (made !== undefined) {
        this.#kept = stored;
        made.settle();
        return this.#afterwards(made.draft, settings);
      }
      const { draft, content, refuses, settle, dead } = await this.#decide(stored, ops, settings);
      if (!fresh && (!content || !draft?.changed)) {
        if (content && dead.length === 0) return settle();
        stored = await this.#read();
        fresh = true;
        continue;
      }
      if (draft === undefined || (stored !== undefined && !draft.changed)) {
        // Parked records were read after the state: nobody is refused unless it is still that one.
        if (!content && refuses) {
          const now = await this.#read();
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
      const outcome = await this.#write(stored, after, draft.writes(this.#pk));
      if (outcome === "made") {
        this.#kept = after;
        settle();
        return this.#afterwards(draft, settings, dead);
      }
      if (outcome === "unknown") lost.push({ name, settle, draft });
      if (clock.monotonicMs() >= untilMs) throw this.#busy(lost.length > 0);
      if (outcome !== "refused") await clock.sleep(Math.ceil(pauseMs * ids.random()));
      stored = typeof outcome === "object" ? decodeShare(outcome.found) : await this.#read();
      fresh = true;
    }
  }

  #busy(lost: boolean): BrokerlessError {
    const what = `partition ${this.#partition} of topic "${this.#topic.name}" in share group "${this.#group}" changes all the time`;
    return new BrokerlessError(lost ? "outcome_unknown" : "group_busy", what, { outcome: lost ? "unknown" : "not_applied" });
  }

  async #read(): Promise<StoredShare | undefined> {
    const { table } = this.#parts.storage;
    const item = await table.get(shareKey(this.#group, this.#topic.id, this.#partition));
    return item && decodeShare(item);
  }

  async #write(
    before: StoredShare | undefined,
    { state, version, writes }: StoredShare,
    moves: readonly Write[],
  ): Promise<"made" | "unknown" | "contended" | "refused" | { readonly found: Item }> {
    const { table } = this.#parts.storage;
    const key = shareKey(this.#group, this.#topic.id, this.#partition);
    const put: Write = {
      op: "put",
      key,
      item: encodeShare(state, version, writes),
      when: before === undefined ? [{ item: "absent" }] : isStillShare(before),
    };
    try {
      if (before !== undefined && moves.length === 0) await table.write(put);
      else {
        const begins: readonly Parameters<typeof table.atomically>[0][number][] =
          before !== undefined
            ? []
            : [
                putShareTopic(this.#group, this.#topic.id, this.#topic.partitions, state.name),
                { op: "check", key: stateKey(this.#group), when: [{ path: "t", is: "=", value: "share" }] },
              ];
        await table.atomically([put, ...moves, ...begins]);
      }
      return "made";
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.kind === "unknown") return "unknown";
      if (error.kind === "contended") return "contended";
      if (error.kind !== "condition_failed") throw error;
      if (before === undefined && (error.index ?? 0) > 0) {
        throw new BrokerlessError("unknown_group", `share group "${this.#group}" was deleted`, { field: "group" });
      }
      return (error.index ?? 0) === 0 && error.item !== undefined ? { found: error.item } : "refused";
    }
  }

  /** What is decided on a state. `content`: nobody was refused, and nobody got nothing. `refuses`: somebody for what is parked. */
  async #decide(stored: StoredShare | undefined, ops: readonly Op[], settings: ShareSettings) {
    const { clock, log } = this.#parts;
    const nowMs = clock.nowMs();
    const settles: (() => void)[] = [];
    const settle = (): void => {
      for (const one of settles) one();
    };
    const wants = ops.filter((op) => op.kind === "acquire");
    const looks = wants.length > 0 || ops.some(({ kind }) => kind === "tend");
    const info = looks ? (await log.partitions(this.#topic.name, [this.#partition]))[0] : undefined;
    const first = wants[0];
    const state = stored?.state ?? (first && (await this.#begin(first.want, info as PartitionInfo, settings, nowMs)));
    if (state === undefined) {
      for (const op of ops)
        if (op.kind === "judge") {
          settles.push(() => {
            op.refused = true;
          });
        }
      return { draft: undefined, content: false, refuses: false, settle, dead: [] as Dead[] };
    }
    const limit = settings.deliveryLimit;
    const draft = new Draft(state, limit, nowMs);
    draft.window = expired(info === undefined ? state.window : trimmed(state.window, info.logStartOffset), nowMs, limit);
    let content = true;
    let refuses = false;
    for (const op of ops) {
      if (op.kind === "buried") await this.#takeAway(draft, op.dead);
      if (op.kind !== "judge") continue;
      const outside = draft.parkedCount === 0 ? [] : draft.outside(op.judgements);
      const tooMany = outside.length > draft.room;
      const done = !tooMany && draft.judge(op.judgements, await this.#parked(outside));
      content &&= done;
      refuses ||= outside.length > 0 && !done;
      settles.push(() => {
        op.refused = !done;
        op.tooMany = tooMany;
      });
    }
    const buries = settings.deadLetterTopic !== undefined;
    if (!buries) draft.dropDead();
    const found = nothingFound();
    const place: Place = { ...this.#parts, topic: this.#topic, partition: this.#partition, isolation: settings.isolation };
    const due = await this.#due(draft, state, looks, buries, limit);
    if (wants.length > 0) {
      const ready = await this.#ready(draft, place, found, info as PartitionInfo, due.ready, wants, settings);
      for (const op of wants) {
        const { holder, maxRecords, maxBytes, lockMs } = op.want;
        const given = this.#give(draft, ready, found, { holder, maxRecords, maxBytes, untilMs: nowMs + lockMs });
        content &&= given.taken.length > 0;
        settles.push(() => {
          op.given = { ...given, dueMs: nextDueMs(draft) };
        });
      }
    }
    if (due.rows !== undefined) draft.setDue(due.rows);
    for (const op of ops) {
      if (op.kind !== "tend") continue;
      settles.push(() => {
        op.state = draft.state;
      });
    }
    content &&= !ops.some(({ kind }) => kind === "tend");
    return { draft, content, refuses, settle, dead: buries ? this.#deadOf(draft, due.dead) : [] };
  }

  /** The state that a share partition begins with. */
  async #begin({ firstFrom }: Want, info: PartitionInfo, settings: ShareSettings, nowMs: number): Promise<ShareState> {
    const { log, ids, storage } = this.#parts;
    await clearParked(storage, this.#pk);
    const end = settings.isolation === "read_committed" ? info.lastStableOffset : info.logEndOffset;
    const reset = settings.reset ?? firstFrom;
    let start = reset === "earliest" ? info.logStartOffset : end;
    if (typeof reset === "number") {
      const { offset } = await log.listOffset(this.#topic.name, this.#partition, { timestampMs: Math.max(0, nowMs - reset) });
      if (offset >= 0) start = offset;
    }
    return newShare(ids.uuid(), 0, start);
  }

  async #parked(offsets: readonly number[]): Promise<Map<number, Parked>> {
    if (offsets.length === 0) return new Map();
    const items = await this.#parts.storage.table.getMany(offsets.map((offset) => parkedKey(this.#pk, offset)));
    return new Map(
      items.flatMap((item, i) => {
        const offset = offsets[i] as number;
        return item === undefined ? [] : [[offset, decodeParked(offset, item)] as const];
      }),
    );
  }

  /** The parked records that are due: those that can be given, and the dead. `rows`: the earliest ones, where they were looked at. */
  async #due(draft: Draft, state: ShareState, looks: boolean, buries: boolean, limit: number) {
    const answer = {
      ready: [] as Parked[],
      dead: [] as Parked[],
      rows: undefined as ReturnType<typeof parseDueKey>[] | undefined,
    };
    if (!looks || state.parked === 0 || state.dueMs > draft.nowMs || draft.room < 2) return answer;
    const most = Math.min(DUE_MOST, draft.room - 1);
    const rows = await this.#parts.storage.table.range(this.#pk, { ...DUE_RANGE, limit: most + 1 });
    const times = rows.map(({ key }) => parseDueKey(key.sk));
    const due = times.filter(({ dueMs }) => dueMs <= draft.nowMs).slice(0, most);
    answer.rows = times;
    const found = await this.#parked(due.map(({ offset }) => offset));
    for (const [offset, one] of found) {
      const now = draft.parkedNow(offset, one);
      if (now === undefined || now.dueMs > draft.nowMs) continue;
      const dead = isDead(now) || now.deliveries >= limit;
      if (!dead) answer.ready.push(now);
      else if (buries) {
        const spent: Parked = isDead(now) ? now : { ...now, state: "spent", holder: "" };
        // Written before it is buried: nobody settles it any more, whatever his clock says.
        if (spent !== now) draft.move(offset, one, spent);
        answer.dead.push(spent);
      } else {
        draft.move(offset, one, undefined);
        draft.deadLetters++;
      }
    }
    return answer;
  }

  /** The offsets that can be given, best first: given back, parked and due, new. */
  async #ready(
    draft: Draft,
    place: Place,
    found: Found,
    info: PartitionInfo,
    due: readonly Parked[],
    wants: readonly { readonly want: Want }[],
    settings: ShareSettings,
  ): Promise<(number | Parked)[]> {
    const most = wants.reduce((sum, { want }) => sum + want.maxRecords, 0);
    const maxBytes = wants.reduce((sum, { want }) => sum + want.maxBytes, 0);
    const waiting = offsetsOf(draft.window, ({ state }) => state === "available", most);
    const looked = await readOffsets(place, waiting, maxBytes, found);
    const gone = looked.filter((offset) => !found.sizes.has(offset));
    if (gone.length > 0) draft.window = finished(draft.window, gone);
    const ready: (number | Parked)[] = looked.filter((offset) => found.sizes.has(offset));
    if (ready.length < most && due.length > 0) {
      const parked = [...due].sort((a, b) => a.offset - b.offset).slice(0, most - ready.length);
      const seen = new Set(
        await readOffsets(
          place,
          parked.map(({ offset }) => offset),
          maxBytes,
          found,
        ),
      );
      for (const one of parked) {
        if (found.sizes.has(one.offset)) ready.push(one);
        else if (seen.has(one.offset)) draft.move(one.offset, one, undefined);
      }
    }
    const end = settings.isolation === "read_committed" ? info.lastStableOffset : info.logEndOffset;
    if (ready.length >= most || looked.length < waiting.length || draft.window.end >= end) return ready;
    // Parked records that are given take a place each.
    const spare = draft.room - due.length;
    const over = draft.window.end - startOf(draft.window) + 1 - settings.windowMost;
    if (over > 0 && spare > LATER_MOST) draft.parkOldest(Math.min(Math.max(over, 40), spare - LATER_MOST + 15));
    const span = settings.windowMost - (draft.window.end - startOf(draft.window));
    const mostLater = Math.min(LATER_MOST, draft.room - due.length);
    if (span <= 0 || mostLater <= 0) return ready;
    const mostNext = Math.min(most - ready.length, span);
    const next = await readNext(place, draft.window.end, { most: mostNext, maxBytes, mostLater, nowMs: draft.nowMs }, found);
    if (next.to > draft.window.end) draft.window = extended(draft.window, next.to, next.offsets);
    for (const [offset, dueMs] of found.later) {
      draft.move(offset, undefined, { offset, state: "available", deliveries: 0, holder: "", dueMs });
    }
    return [...ready, ...next.offsets];
  }

  /** Takes from the front what one want may have. */
  #give(
    draft: Draft,
    ready: (number | Parked)[],
    found: Found,
    { holder, maxRecords, maxBytes, untilMs }: Omit<Want, "lockMs" | "firstFrom"> & { untilMs: number },
  ): Omit<Given, "dueMs"> {
    let sizeBytes = 0;
    let count = 0;
    for (const one of ready.slice(0, maxRecords)) {
      sizeBytes += found.sizes.get(typeof one === "number" ? one : one.offset) as number;
      if (count > 0 && sizeBytes > maxBytes) break;
      count++;
    }
    const mine = ready.splice(0, count);
    const inWindow = mine.filter((one) => typeof one === "number").sort((a, b) => a - b);
    const { window, taken } = acquired(draft.window, inWindow, holder, untilMs);
    draft.window = window;
    for (const one of mine) if (typeof one !== "number") taken.push(draft.acquireParked(one, holder, untilMs));
    taken.sort((a, b) => a.firstOffset - b.firstOffset);
    const has = ({ base, last }: Piece): boolean =>
      taken.some(({ firstOffset, lastOffset }) => firstOffset <= last && lastOffset >= base);
    const pieces = new Map(found.pieces.filter(has).map((piece) => [piece.base, piece]));
    return { taken, pieces: [...pieces.values()].sort((a, b) => a.base - b.base) };
  }

  #deadOf(draft: Draft, parked: readonly Parked[]): Dead[] {
    if (this.#parts.clock.monotonicMs() < this.#buryFromMs) return [];
    const inWindow = offsetsOf(draft.window, isDead, BURY_MOST).map((offset): Dead => {
      const run = runAt(draft.window, offset) as Dead["of"];
      return { offset, of: run };
    });
    return [...inWindow, ...parked.map((one): Dead => ({ offset: one.offset, of: one }))];
  }

  async #afterwards(draft: Draft, settings: ShareSettings, dead: readonly Dead[] = []): Promise<void> {
    // Others wait for what was given back, and for the time of what was parked.
    if (draft.moved || draft.window.runs.some(({ state }) => state === "available")) this.#parts.ring(this.#group);
    if (dead.length > 0) await this.#bury(dead, settings);
  }

  /** To the dead-letter topic, then out of the state. What fails is tried again with a later call. */
  async #bury(dead: readonly Dead[], settings: ShareSettings): Promise<void> {
    const name = this.#kept?.state.name;
    const topic = settings.deadLetterTopic;
    if (name === undefined || topic === undefined) return;
    try {
      const place: Place = { ...this.#parts, topic: this.#topic, partition: this.#partition, isolation: "read_uncommitted" };
      const buried = await bury({ place, group: this.#group, name, topic, nowMs: this.#parts.clock.nowMs() }, dead);
      await this.#round([{ kind: "buried", dead: buried, answer: () => {} }]);
    } catch (error) {
      // What was asked for is written: it is answered so, whatever becomes of the dead.
      if (!(error instanceof BrokerlessError || error instanceof StorageError)) throw error;
      this.#kept = undefined;
      this.#buryFromMs = this.#parts.clock.monotonicMs() + BURY_AGAIN_MS;
    }
  }

  /** Those that are still there and dead: another process may have buried or parked them meanwhile. */
  async #takeAway(draft: Draft, dead: readonly Dead[]): Promise<void> {
    const isDeadAt = (offset: number): boolean => isDead(runAt(draft.window, offset) ?? { state: "available" });
    const inWindow = dead.map(({ offset }) => offset).filter(isDeadAt);
    draft.window = finished(
      draft.window,
      inWindow.toSorted((a, b) => a - b),
    );
    draft.deadLetters += inWindow.length;
    const others = dead.map(({ offset }) => offset).filter((offset) => runAt(draft.window, offset) === undefined);
    const parked = draft.parkedCount === 0 ? new Map<number, Parked>() : await this.#parked(others);
    for (const [offset, found] of parked) {
      const now = draft.parkedNow(offset, found);
      if (now === undefined || !isDead(now) || draft.room === 0) continue;
      draft.move(offset, found, undefined);
      draft.deadLetters++;
    }
  }
}

/** When a lock runs out or something parked is due, at the earliest; 0: never. */
function nextDueMs({ window, dueMs }: Draft): number {
  let next = dueMs;
  for (const { untilMs } of window.runs) if (untilMs > 0 && (next === 0 || untilMs < next)) next = untilMs;
  return next;
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
