/** A signal that aborts when time is over, or when another signal does; and nothing is left of it when it is cleared. */
export class Deadline {
  isOver = false;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #outer: AbortSignal | undefined;
  readonly #forward = (): void => this.#controller.abort();

  constructor(ms: number, outer: AbortSignal | undefined) {
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#controller.abort();
    }, ms);
    this.#outer = outer;
    if (outer?.aborted) this.#controller.abort();
    else outer?.addEventListener("abort", this.#forward);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Neither time nor the other signal has any effect from now on. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#forward);
  }
}
