/** What one write makes of a share partition: a state and the parked records that it moves, changed step by step. Pure. */
import type { Delete, Put } from "../../ports/index.ts";
import { movesOf, type Parked, type Recent, type ShareState } from "../items/share-partition.ts";
import { countOf, finished, isDead, type Judgement, judged, offsetsOf, type Taken, type Window } from "./window.ts";

/** One place is the state's, three are for what makes a share partition. */
const ITEMS_MOST = 96;

export class Draft {
  window: Window;
  dueMs: number;
  deadLetters: number;
  readonly #before: ShareState;
  readonly #recent: Recent[] = [];
  readonly #moves = new Map<number, { readonly before: Parked | undefined; readonly after: Parked | undefined }>();
  readonly #limit: number;
  readonly nowMs: number;

  constructor(before: ShareState, deliveryLimit: number, nowMs: number) {
    this.#before = before;
    this.#limit = deliveryLimit;
    this.window = before.window;
    this.dueMs = before.dueMs;
    this.deadLetters = before.deadLetters;
    this.nowMs = nowMs;
  }

  get parkedCount(): number {
    let count = this.#before.parked;
    for (const { before, after } of this.#moves.values()) count += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    return count;
  }

  get changed(): boolean {
    const { window, dueMs } = this.#before;
    return window !== this.window || dueMs !== this.dueMs || this.#moves.size > 0 || this.#recent.length > 0;
  }

  get state(): ShareState {
    const { name, born, epoch, recent } = this.#before;
    const parked = this.parkedCount;
    return {
      name,
      born,
      epoch,
      window: this.window,
      recent: [...recent, ...this.#recent],
      parked,
      dueMs: parked === 0 ? 0 : this.dueMs,
      deadLetters: this.deadLetters,
    };
  }

  /** Of the parked records. */
  writes(pk: string): (Put | Delete)[] {
    return [...this.#moves.values()].flatMap(({ before, after }) => movesOf(pk, before, after));
  }

  /** Something that is parked is due at another time than it was. */
  get moved(): boolean {
    return this.dueMs > 0 && this.dueMs !== this.#before.dueMs;
  }

  /** Sets when the next parked record is due. `rows`: the earliest ones that are stored; what this write moves says itself. */
  setDue(rows: readonly { readonly offset: number; readonly dueMs: number }[]): void {
    const stay = rows.find(({ offset }) => !this.#moves.has(offset)) ?? rows.at(-1);
    const moved = [...this.#moves.values()].flatMap(({ after }) => (after === undefined ? [] : [after.dueMs]));
    this.dueMs = Math.min(stay?.dueMs ?? this.nowMs, ...moved);
  }

  /** So many parked records may be changed in this write besides. */
  get room(): number {
    return Math.floor((ITEMS_MOST - this.writes("").length) / 3);
  }

  /** A parked record as this write leaves it; `found`: as it is stored. */
  parkedNow(offset: number, found: Parked | undefined): Parked | undefined {
    const move = this.#moves.get(offset);
    return move === undefined ? found : move.after;
  }

  move(offset: number, found: Parked | undefined, after: Parked | undefined): void {
    const before = this.#moves.has(offset) ? this.#moves.get(offset)?.before : found;
    this.#moves.set(offset, { before, after });
    if (after !== undefined && (this.dueMs === 0 || after.dueMs < this.dueMs)) this.dueMs = after.dueMs;
  }

  /** Takes the oldest that are not finished out of the window, as they are, so that its start moves. */
  parkOldest(count: number): void {
    const offsets = offsetsOf(this.window, () => true, Math.min(count, this.room));
    for (const run of this.window.runs) {
      for (let offset = run.first; offset <= run.last && offset <= (offsets.at(-1) ?? -1); offset++) {
        const { state, deliveries, holder } = run;
        this.move(offset, undefined, { offset, state, deliveries, holder, dueMs: run.untilMs || this.nowMs });
      }
    }
    this.window = finished(this.window, offsets);
  }

  /** Was this settled before, in this way, by this holder? A renewal settles nothing: after its time it is none. */
  #done({ verdict, holder }: Judgement, offset: number): boolean {
    const is = (one: Recent): boolean =>
      one.verdict === verdict && one.holder === holder && one.first <= offset && offset <= one.last;
    return this.#before.recent.some(is) || this.#recent.some(is);
  }

  /** Offsets of these judgements that are in no run, so that they may be parked. */
  outside(judgements: readonly Judgement[]): number[] {
    return judgements.flatMap((one) =>
      one.gap ? [] : judged(this.window, one, this.#limit).outside.flatMap(([first, last]) => numbers(first, last)),
    );
  }

  /** All of the judgements, or none: false. `parked`: what is stored of the offsets outside. */
  judge(judgements: readonly Judgement[], parked: ReadonlyMap<number, Parked>): boolean {
    const before = this.window;
    const moves: [number, Parked, Parked | undefined][] = [];
    for (const one of judgements) {
      const { window, refused, outside } = judged(this.window, one, this.#limit);
      this.window = window;
      let wrong = refused && !numbers(one.first, one.last).every((offset) => this.#done(one, offset));
      for (const offset of one.gap ? [] : outside.flatMap(([first, last]) => numbers(first, last))) {
        const found = parked.get(offset);
        const now = this.parkedNow(offset, found);
        if (now?.state === "acquired" && now.holder === one.holder && now.dueMs > this.nowMs) {
          moves.push([offset, found as Parked, this.#settled(now, one)]);
        } else if (!this.#done(one, offset)) wrong = true;
      }
      if (!wrong) continue;
      this.window = before;
      return false;
    }
    for (const [offset, found, after] of moves) this.move(offset, found, after);
    if (this.window !== before || moves.length > 0) {
      this.#recent.push(
        ...judgements
          .filter(({ verdict }) => verdict !== "renew")
          .map(({ first, last, verdict, holder }) => ({ first, last, verdict, holder })),
      );
    }
    return true;
  }

  #settled(parked: Parked, { verdict, untilMs }: Judgement): Parked | undefined {
    if (verdict === "finish") return undefined;
    if (verdict === "renew") return { ...parked, dueMs: untilMs };
    if (verdict === "reject") return { ...parked, state: "rejected", holder: "", dueMs: this.nowMs };
    return { ...parked, state: parked.deliveries >= this.#limit ? "spent" : "available", holder: "", dueMs: this.nowMs };
  }

  /** Gives a parked record, which is due, to a holder. */
  acquireParked(parked: Parked, holder: string, untilMs: number): Taken {
    const deliveries = parked.deliveries + 1;
    this.move(parked.offset, parked, { ...parked, state: "acquired", deliveries, holder, dueMs: untilMs });
    return { firstOffset: parked.offset, lastOffset: parked.offset, deliveryCount: deliveries };
  }

  /** Where there is no dead-letter topic: the dead are finished. */
  dropDead(): void {
    const count = countOf(this.window, isDead);
    if (count === 0) return;
    this.window = finished(this.window, offsetsOf(this.window, isDead, count));
    this.deadLetters += count;
  }
}

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
