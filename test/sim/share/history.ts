/**
 * What workers of one queue were told, in one life of its group; judged by their knowledge alone. An acquisition raises the count of its record, so
 * deliveries of a record have an order that does not depend on when their answers came.
 *
 * K1  No two deliveries of a record have the same count, none is beyond the limit, and no more counts are missing than acquisitions were
 *     never answered.
 * K2  After the delivery that was accepted or rejected there is none.
 * K3  A delivery comes after the lock of the one before ran out, or was given back.
 * K4  Nobody is given a record before its time.
 * K5  Who holds records for sure is not refused, nor who settles again, in the same way, what he has settled.
 * K6  In the end each record that the log still has was accepted, or is a dead letter exactly once; what an answer said is so.
 */
import type { World } from "../world.ts";

interface Delivery {
  readonly holder: string;
  /** The lock holds until then at least, unless it is given back. */
  lockedUntilMs: number;
  /** It may have been given back. */
  released: boolean;
}

interface Fate {
  readonly deliveries: Map<number, Delivery>;
  /** By which delivery it was settled for good, as was answered. */
  settled: { readonly count: number; readonly how: "accepted" | "rejected" } | undefined;
  acceptTried: boolean;
  rejectTried: boolean;
}

export interface Letter {
  readonly value: string;
  readonly headers: ReadonlyMap<string, string>;
}

export interface Kept {
  readonly topicId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
}

export class ShareHistory {
  readonly wrong: string[] = [];
  /** Acquisitions of which nobody knows what they did. */
  unanswered = 0;
  deliveries = 0;
  readonly #world: World;
  readonly #limit: number;
  readonly #slackMs: number;
  readonly #fates = new Map<string, Fate>();

  /** `slackMs`: how far two clocks may differ. */
  constructor(world: World, limit: number, slackMs: number) {
    this.#world = world;
    this.#limit = limit;
    this.#slackMs = slackMs;
  }

  #of(place: string): Fate {
    const known = this.#fates.get(place);
    if (known !== undefined) return known;
    const made: Fate = { deliveries: new Map(), settled: undefined, acceptTried: false, rejectTried: false };
    this.#fates.set(place, made);
    return made;
  }

  /** A holder was given a record; `lockedUntilMs`: by the time at which it asked. */
  delivered(place: string, count: number, holder: string, lockedUntilMs: number, deliverAtMs: number): void {
    const { nowMs } = this.#world;
    const fate = this.#of(place);
    const what = `${place}, delivery ${count} to ${holder}`;
    this.deliveries++;
    if (count > this.#limit || count < 1) this.wrong.push(`K1: ${what}: the limit is ${this.#limit}`);
    const same = fate.deliveries.get(count);
    if (same !== undefined) this.wrong.push(`K1: ${what}: ${same.holder} was given it with the same count`);
    if (fate.settled !== undefined && count > fate.settled.count)
      this.wrong.push(`K2: ${what}: delivery ${fate.settled.count} was ${fate.settled.how}`);
    if (nowMs + this.#slackMs < deliverAtMs) this.wrong.push(`K4: ${what}: ${deliverAtMs - nowMs} ms before its time`);
    for (const [before, one] of fate.deliveries) {
      if (before < count && !one.released && nowMs + this.#slackMs < one.lockedUntilMs)
        this.wrong.push(`K3: ${what}: ${one.holder} holds it for ${one.lockedUntilMs - nowMs} ms yet`);
    }
    fate.deliveries.set(count, { holder, lockedUntilMs, released: false });
    const missing = Math.max(...fate.deliveries.keys()) - fate.deliveries.size;
    if (missing > this.unanswered) this.wrong.push(`K1: ${what}: ${missing} deliveries were to nobody`);
  }

  /** Before it is asked for. */
  trying(place: string, count: number, how: "accept" | "release" | "reject"): void {
    const fate = this.#of(place);
    const delivery = fate.deliveries.get(count);
    if (how === "accept") fate.acceptTried = true;
    else if (how === "reject") fate.rejectTried = true;
    else if (delivery !== undefined) delivery.released = true;
  }

  /** It was answered that it is so. */
  settled(place: string, count: number, how: "accepted" | "rejected"): void {
    const fate = this.#of(place);
    const later = [...fate.deliveries.keys()].filter((other) => other > count);
    if (later.length > 0) this.wrong.push(`K2: ${place}: delivery ${count} was ${how} after delivery ${later.join()}`);
    fate.settled = { count, how };
  }

  wasTried(place: string, count: number): boolean {
    const { acceptTried, rejectTried, deliveries } = this.#of(place);
    return acceptTried || rejectTried || deliveries.get(count)?.released === true;
  }

  /** The first time that somebody settled these. */
  refused(records: readonly { readonly place: string; readonly count: number }[]): void {
    const lockedUntilMs = records.map(({ place, count }) => this.#of(place).deliveries.get(count)?.lockedUntilMs ?? 0);
    const leftMs = Math.min(...lockedUntilMs) - this.#world.nowMs - this.#slackMs;
    if (leftMs > 0) this.wrong.push(`K5: ${records[0]?.place} was refused to who holds it for ${leftMs} ms yet`);
  }

  /** A settlement that was answered is asked for again. */
  refusedAgain(records: readonly { readonly place: string; readonly count: number }[], how: "accepted" | "rejected"): void {
    const isSettled = ({ place, count }: (typeof records)[number]): boolean => {
      const { settled } = this.#of(place);
      return settled?.count === count && settled.how === how;
    };
    if (records.every(isSettled)) this.wrong.push(`K5: ${records[0]?.place} was ${how}, and refused when it was asked for again`);
  }

  extended(place: string, count: number, lockedUntilMs: number): void {
    const delivery = this.#of(place).deliveries.get(count);
    if (delivery !== undefined) delivery.lockedUntilMs = Math.max(delivery.lockedUntilMs, lockedUntilMs);
  }

  /** When nothing is left to do. `buries`: there is a dead-letter topic. */
  ended(kept: readonly Kept[], letters: readonly Letter[], buries: boolean): void {
    const byValue = Map.groupBy(letters, ({ value }) => value);
    const known = new Map(kept.map((one) => [one.value, one]));
    for (const one of kept) {
      const place = placeOf(one.topicId, one.partition, one.offset);
      const fate = this.#of(place);
      const count = byValue.get(one.value)?.length ?? 0;
      if (count > 1) this.wrong.push(`K6: ${place} is ${count} dead letters`);
      if (fate.settled?.how === "accepted" && count > 0) this.wrong.push(`K6: ${place} was accepted and is a dead letter`);
      if (buries && fate.settled?.how === "rejected" && count === 0)
        this.wrong.push(`K6: ${place} was rejected and is no dead letter`);
      const dropped = !buries && (fate.rejectTried || Math.max(0, ...fate.deliveries.keys()) + this.unanswered >= this.#limit);
      if (count === 0 && !fate.acceptTried && !dropped) this.wrong.push(`K6: ${place} (${one.value}) is lost`);
    }
    for (const { value, headers } of letters) {
      const one = known.get(value);
      if (one === undefined) continue;
      const place = placeOf(one.topicId, one.partition, one.offset);
      this.#checkLetter(place, one, headers);
    }
  }

  #checkLetter(place: string, one: Kept, headers: Letter["headers"]): void {
    const of = (name: string): string | undefined => headers.get(`brokerless-dlq-${name}`);
    const said = `${of("topic")}/${of("partition")}/${of("offset")}`;
    if (said !== `${one.topic}/${one.partition}/${one.offset}`) this.wrong.push(`K6: the dead letter of ${place} says ${said}`);
    const fate = this.#of(place);
    const count = Number(of("deliveries"));
    const reason = of("reason");
    if (reason === "rejected" ? !fate.rejectTried : reason !== "delivery-limit" || count < this.#limit)
      this.wrong.push(`K6: the dead letter of ${place} says ${reason} after ${count} deliveries`);
    if (count > this.#limit || count < Math.max(0, ...fate.deliveries.keys()))
      this.wrong.push(`K6: the dead letter of ${place} says ${count} deliveries`);
  }
}

export function placeOf(topicId: string, partition: number, offset: number): string {
  return `${topicId}-${partition}@${offset}`;
}
