/** Wakes the one who waits for it. */
export class Signal {
  #wake: (() => void) | undefined;

  raise(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves at the next `raise`. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
