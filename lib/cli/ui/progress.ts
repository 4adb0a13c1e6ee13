/** A line on the terminal that is written again and again while something long goes on; nothing where there is none. */
import type { Output } from "./output.ts";

const REPAINT_MS = 100;
/** What is over in so short a time needs no line. */
const QUIET_MS = 500;

export class Progress {
  readonly #err: Output;
  readonly #enabled: boolean;
  readonly #text: () => string;
  readonly #startedAtMs = performance.now();
  #paintedAtMs = 0;
  #painted = false;

  /** `text` makes the line when it is to be painted. */
  constructor(err: Output, enabled: boolean, text: () => string) {
    this.#err = err;
    this.#enabled = enabled && err.isTty;
    this.#text = text;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  /** Cheap: call it for every step. */
  step(): void {
    if (!this.#enabled) return;
    const nowMs = performance.now();
    if (nowMs - this.#paintedAtMs < REPAINT_MS || nowMs - this.#startedAtMs < QUIET_MS) return;
    this.#paintedAtMs = nowMs;
    this.#painted = true;
    this.#err.tell(`\r\u001b[K${this.#text().slice(0, this.#err.columns - 1)}`);
  }

  /** Takes the line away, so that another can be printed. */
  clear(): void {
    if (!this.#painted) return;
    this.#painted = false;
    this.#err.tell("\r\u001b[K");
  }
}

/** `████░░░░ 50%` for a share from 0 to 1. */
export function bar(share: number, width = 24): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `${"█".repeat(full)}${"░".repeat(width - full)} ${Math.floor(share * 100)}%`;
}
