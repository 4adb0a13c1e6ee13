/** The bytes of request bodies that the process holds, and how many it may hold. */
import { BrokerlessError } from "../base/errors.ts";
import { formatCount } from "./limits.ts";

export class Budget {
  readonly limitBytes: number;
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Throws `throttled` when it would be over the limit. What was taken is given back once, with `give`. */
  take(sizeBytes: number): void {
    if (this.#heldBytes + sizeBytes > this.limitBytes) {
      throw new BrokerlessError(
        "throttled",
        `the server holds ${formatCount(this.#heldBytes)} bytes of requests and takes at most ${formatCount(this.limitBytes)}; ` +
          `this one would add ${formatCount(sizeBytes)}`,
        { retryAfterMs: 1000 },
      );
    }
    this.#heldBytes += sizeBytes;
  }

  give(sizeBytes: number): void {
    this.#heldBytes -= sizeBytes;
  }
}
