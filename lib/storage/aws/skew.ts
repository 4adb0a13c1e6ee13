/**
 * The clock of this process against that of the storage. Blob ids carry the time and floors are compared with them; a
 * writer whose clock is far off would raise floors far ahead, or always write below them. So it does not write.
 */
import { type Clock, StorageError } from "../../ports/index.ts";

export const SKEW_MOST_MS = 60_000;

export class ClockSkew {
  readonly #clock: Clock;
  readonly #mostMs: number;
  /** How far this clock is ahead of the storage's; undefined before the first reply. */
  #aheadMs: number | undefined;

  constructor(clock: Clock, mostMs: number) {
    this.#clock = clock;
    this.#mostMs = mostMs;
  }

  /** Takes the `Date` header of a reply, which has whole seconds. */
  observe(date: string | undefined): void {
    const atMs = date === undefined ? Number.NaN : Date.parse(date);
    if (!Number.isNaN(atMs)) this.#aheadMs = this.#clock.nowMs() - (atMs + 500);
    // Nothing to compare with: some emulators do not say the time.
    else this.#aheadMs ??= 0;
  }

  /** Was a reply seen, and was the clock right then? If not, a fresh reply is worth a trip. */
  get isTrusted(): boolean {
    if (this.#mostMs === Number.POSITIVE_INFINITY) return true;
    return this.#aheadMs !== undefined && Math.abs(this.#aheadMs) <= this.#mostMs;
  }

  /** Throws `unavailable` where the last reply showed that the clock is wrong. */
  check(): void {
    if (this.#aheadMs === undefined || Math.abs(this.#aheadMs) <= this.#mostMs) return;
    const seconds = Math.round(Math.abs(this.#aheadMs) / 1000);
    const direction = this.#aheadMs > 0 ? "ahead of" : "behind";
    throw new StorageError(
      "unavailable",
      `this machine's clock is ${seconds} s ${direction} the storage's; at most ${this.#mostMs / 1000} s are allowed for writing: set it right (NTP)`,
    );
  }
}
