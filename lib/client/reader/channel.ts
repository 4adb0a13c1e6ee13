/** A queue between those that fetch and the one that reads, with a limit in bytes. */
import { Fifo } from "../fifo.ts";

export class Channel<T> {
  readonly #limitBytes: number;
  readonly #items = new Fifo<{ readonly item: T; readonly sizeBytes: number }>();
  #heldBytes = 0;
  #writers: number;
  #error: unknown;
  #failed = false;
  #stopped = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriters: (() => void)[] = [];

  /** For so many writers, each of which calls `end` or `fail` once. */
  constructor(limitBytes: number, writers: number) {
    this.#limitBytes = limitBytes;
    this.#writers = writers;
  }

  /** Resolves when there is room again. After `stop` it resolves at once. */
  async push(item: T, sizeBytes: number): Promise<void> {
    this.#items.push({ item, sizeBytes });
    this.#heldBytes += sizeBytes;
    this.#wakeReader?.();
    while (this.#heldBytes >= this.#limitBytes && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wakeWriters.push(resolve);
      });
    }
  }

  /** A writer is done. */
  end(): void {
    this.#writers--;
    this.#wakeReader?.();
  }

  /** The reader gets what is there, then this error. */
  fail(error: unknown): void {
    if (!this.#failed) {
      this.#failed = true;
      this.#error = error;
    }
    this.#wakeReader?.();
  }

  /** The next item; undefined when all writers are done. Throws what a writer failed with. */
  async pull(): Promise<T | undefined> {
    for (;;) {
      const next = this.#items.shift();
      if (next !== undefined) {
        this.#heldBytes -= next.sizeBytes;
        if (this.#heldBytes < this.#limitBytes) this.#releaseWriters();
        return next.item;
      }
      if (this.#failed) throw this.#error;
      if (this.#writers <= 0 || this.#stopped) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
      this.#wakeReader = undefined;
    }
  }

  /** The reader wants no more. */
  stop(): void {
    this.#stopped = true;
    this.#wakeReader?.();
    this.#releaseWriters();
  }

  #releaseWriters(): void {
    const waiting = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of waiting) wake();
  }
}
