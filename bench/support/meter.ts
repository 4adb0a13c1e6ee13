/** Counts what is done within a time: the first fifth of it warms up and is not counted. */
import type { Measured } from "../load/order.ts";
import { percentiles } from "../load/percentiles.ts";

export class Meter {
  readonly #warm: number;
  readonly #until: number;
  readonly #latencies: number[] = [];
  #counted = 0;
  #last = 0;

  constructor(durationMs: number) {
    this.#warm = performance.now() + durationMs / 4;
    this.#until = this.#warm + durationMs;
  }

  /** Not before something was counted, however slow it is. */
  get isOver(): boolean {
    return performance.now() >= this.#until && this.#counted > 0;
  }

  /** So many were done, in one go that began at `since`. */
  note(since: number, count: number): void {
    const now = performance.now();
    if (since < this.#warm || (now > this.#until && this.#counted > 0)) return;
    this.#counted += count;
    this.#latencies.push(now - since);
    this.#last = now;
  }

  /** Up to the last that was counted, as it may have been the last that there was. Throws where nothing was. */
  measured(): Measured {
    if (this.#counted === 0) throw new Error("nothing was counted: too little to do for so long a time");
    return { perSecond: (this.#counted * 1000) / (this.#last - this.#warm), ...percentiles(this.#latencies) };
  }
}
