/** What was written or read lately, bounded; the entry that came first leaves first. */
export class Recent<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly size: number }>();
  readonly #most: number;
  #size = 0;

  /** `most`: the sum of all sizes. */
  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: T, size = 1): void {
    this.delete(key);
    if (size > this.#most) return;
    this.#entries.set(key, { value, size });
    this.#size += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#most) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#size -= entry.size;
  }
}
