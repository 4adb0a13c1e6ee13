/**
 * The world of a simulation: processes, a virtual clock, and a storage between whose calls anything may happen. One
 * storage call is one step; between two steps any other process may run, the caller may crash, an answer may be lost,
 * or a write may be kept back and applied at any later time. Everything follows from the seed.
 */

import { compareUlids, ulidFrom, ulidTimeMs } from "../../lib/base/ulid.ts";
import type { Clock, Doorbell, Ids } from "../../lib/ports/index.ts";
import { StorageError } from "../../lib/ports/index.ts";

/** A seeded source of numbers in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Step {
  readonly process: Process;
  readonly name: string;
  readonly write: boolean;
  readonly run: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A write whose caller knows nothing of it any more, and when it can be applied at the earliest. */
interface Late {
  readonly name: string;
  readonly run: () => Promise<unknown>;
  readonly fromMs: number;
}

/** Some come at once, some after minutes, some after everybody has forgotten them. */
const LATE_MS = [0, 0, 100_000, 1_000_000] as const;

interface Timer {
  readonly dueMs: number;
  readonly process: Process | undefined;
  readonly fire: () => void;
}

/** How often what goes wrong, per storage call. */
export interface Faults {
  readonly crash: number;
  readonly lostAnswer: number;
  readonly late: number;
  readonly refused: number;
  readonly longPause: number;
}

export const STORMY: Faults = { crash: 0.004, lostAnswer: 0.02, late: 0.02, refused: 0.02, longPause: 0.003 };
export const CALM: Faults = { crash: 0, lostAnswer: 0, late: 0, refused: 0, longPause: 0 };

export class Process {
  readonly name: string;
  /** How far its clock is off. */
  readonly skewMs: number;
  crashed = false;
  readonly onCrash = Promise.withResolvers<never>();

  constructor(name: string, skewMs: number) {
    this.name = name;
    this.skewMs = skewMs;
    this.onCrash.promise.catch(() => undefined);
  }
}

export class Crashed extends Error {}

export class World {
  readonly random: () => number;
  faults: Faults = CALM;
  nowMs = 1_700_000_000_000;
  /** What happened, a line a step. */
  readonly trace: string[] = [];
  #steps: Step[] = [];
  #timers: Timer[] = [];
  /** Writes whose callers know nothing of them any more. */
  #late: Late[] = [];
  #minted = 0;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  chance(p: number): boolean {
    return this.random() < p;
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  clock(process: Process | undefined): Clock {
    return {
      nowMs: () => this.nowMs + (process?.skewMs ?? 0),
      monotonicMs: () => this.nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          const timer = { dueMs: this.nowMs + Math.ceil(ms), process, fire: resolve };
          this.#timers.push(timer);
          signal?.addEventListener("abort", () => {
            this.#timers = this.#timers.filter((one) => one !== timer);
            reject(signal.reason);
          });
        }),
    };
  }

  ids(process: Process | undefined): Ids {
    const ulid = (above?: Uint8Array): Uint8Array => {
      const low = new Uint8Array(10);
      new DataView(low.buffer).setUint32(0, this.#minted++);
      low[9] = this.below(256);
      const id = ulidFrom(this.nowMs + (process?.skewMs ?? 0), low);
      return above === undefined || compareUlids(id, above) > 0 ? id : ulidFrom(ulidTimeMs(above) + 1, low);
    };
    const text = (): string => Array.from({ length: 22 }, () => "abcdefghijklmnopqrstuvwxyz"[this.below(26)]).join("");
    const secret = (sizeBytes: number): Uint8Array => Uint8Array.from({ length: sizeBytes }, () => this.below(256));
    return { ulid, topicId: text, uuid: text, secret, random: this.random };
  }

  /** Parks a storage call until its turn comes. */
  step<T>(process: Process, name: string, write: boolean, run: () => Promise<T>): Promise<T> {
    if (process.crashed) return new Promise(() => undefined);
    return new Promise<T>((resolve, reject) => {
      this.#steps.push({ process, name, write, run, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  crash(process: Process): void {
    if (process.crashed) return;
    process.crashed = true;
    this.trace.push(`${process.name} CRASHES`);
    for (const step of this.#steps) {
      if (step.process === process && step.write && this.chance(0.5)) this.#keepBack(step);
    }
    this.#steps = this.#steps.filter((step) => step.process !== process);
    this.#timers = this.#timers.filter((timer) => timer.process !== process);
    process.onCrash.reject(new Crashed(process.name));
  }

  #keepBack({ name, run }: Step): void {
    this.#late.push({ name, run, fromMs: this.nowMs + this.pick(LATE_MS) });
  }

  /** Runs until `done`, or until nothing can happen any more. Throws when it takes too many steps. */
  async run(done: () => boolean, stepsMost: number): Promise<void> {
    for (let i = 0; i < stepsMost; i++) {
      await drained();
      if (done()) return;
      if (!(await this.#once())) return;
    }
    throw new Error(`not done after ${stepsMost} steps; the last: ${this.trace.slice(-5).join(" | ")}`);
  }

  /** Runs until all of it is done; throws what one of it throws, and where nothing can happen any more before. */
  async finish(work: readonly Promise<unknown>[], stepsMost: number): Promise<void> {
    let done = false;
    let failure: unknown;
    const all = Promise.all(work).then(
      () => {
        done = true;
      },
      (error) => {
        failure = error;
        done = true;
      },
    );
    await this.run(() => done, stepsMost);
    if (!done) throw new Error("nothing can happen any more, and clients still wait");
    await all;
    if (failure !== undefined) throw failure;
  }

  /** Applies every write that is still kept back. */
  async flushLate(): Promise<void> {
    for (const late of this.#late.splice(0)) {
      this.trace.push(`LATE ${late.name}`);
      await late.run().catch(() => undefined);
    }
  }

  async #once(): Promise<boolean> {
    // Mostly a moment passes, and now and then so much that producers count as idle.
    this.nowMs += this.chance(this.faults.longPause) ? 700_000 : this.below(3);
    const ripe = this.#late.filter(({ fromMs }) => fromMs <= this.nowMs);
    if (ripe.length > 0 && this.chance(0.015)) {
      const late = this.pick(ripe);
      this.#late.splice(this.#late.indexOf(late), 1);
      const applied = await late.run().then(
        () => "applied",
        () => "refused",
      );
      this.trace.push(`LATE ${late.name} ${applied}`);
      return true;
    }
    const due = this.#timers.filter((timer) => timer.dueMs <= this.nowMs);
    if (due.length > 0 || this.#steps.length === 0) {
      const earliest = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (earliest === undefined) return false;
      this.#timers.splice(this.#timers.indexOf(earliest), 1);
      this.nowMs = Math.max(this.nowMs, earliest.dueMs);
      earliest.fire();
      return true;
    }
    const [step] = this.#steps.splice(this.below(this.#steps.length), 1);
    if (step !== undefined) await this.#play(step);
    return true;
  }

  async #play(step: Step): Promise<void> {
    const { crash, lostAnswer, late, refused } = this.faults;
    const dice = this.random();
    const label = `${step.process.name} ${step.name}`;
    if (dice < crash) {
      this.#steps.push(step);
      this.crash(step.process);
      return;
    }
    if (dice < crash + refused) {
      const kind = this.pick(["contended", "throttled", "unavailable"] as const);
      this.trace.push(`${label}: ${kind}`);
      step.reject(new StorageError(kind, `simulated: ${kind}`));
      return;
    }
    if (step.write && dice < crash + refused + late) {
      this.trace.push(`${label}: time-out, still under way`);
      this.#keepBack(step);
      step.reject(new StorageError("unknown", "simulated: time-out"));
      return;
    }
    try {
      const value = await step.run();
      if (step.write && dice < crash + refused + late + lostAnswer) {
        this.trace.push(`${label}: applied, answer lost`);
        step.reject(new StorageError("unknown", "simulated: answer lost"));
        return;
      }
      this.trace.push(label);
      step.resolve(value);
    } catch (error) {
      this.trace.push(`${label}: ${error instanceof StorageError ? error.kind : String(error)}`);
      step.reject(error);
    }
  }
}

/** Lets everything run that does not wait for a step or a timer. */
function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** As on Lambda: nobody rings, who waits looks again after a while. */
export function pollingDoorbell(world: World, process: Process, everyMs: number): Doorbell {
  return {
    ring() {},
    wait: (_partitions, deadlineMs, signal) =>
      world
        .clock(process)
        .sleep(Math.max(0, Math.min(everyMs, deadlineMs - world.nowMs)), signal)
        .catch(() => undefined),
  };
}
