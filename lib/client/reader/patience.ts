/** How long a reader tries again without an answer. */
import { BrokerlessError } from "../../base/errors.ts";
import { pauseMs, type RetryOptions, sleep } from "../retry.ts";

export class Patience {
  readonly #limitMs: number;
  readonly #retry: RetryOptions;
  readonly #signal: AbortSignal;
  #failures = 0;
  #lastAnswerAtMs = Date.now();

  constructor(limitMs: number, retry: RetryOptions, signal: AbortSignal) {
    this.#limitMs = limitMs;
    this.#retry = retry;
    this.#signal = signal;
  }

  answered(): void {
    this.#failures = 0;
    this.#lastAnswerAtMs = Date.now();
  }

  /** Pauses before the next attempt. Throws the error where another attempt is of no use, or patience is over. */
  async afterFailure(error: unknown): Promise<void> {
    if (!(error instanceof BrokerlessError)) throw error;
    const mayPass = error.retriable || error.outcome === "unknown";
    const pause = pauseMs(this.#failures, error, this.#retry, Math.random());
    if (!mayPass || Date.now() + pause - this.#lastAnswerAtMs > this.#limitMs) throw error;
    this.#failures++;
    await sleep(pause, this.#signal);
  }
}
