/** First in, first out, in constant time. */
export class Fifo<T> {
  #items: T[] = [];
  #at = 0;

  get size(): number {
    return this.#items.length - this.#at;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#at];
  }

  shift(): T | undefined {
    const item = this.#items[this.#at++];
    if (this.#at >= this.#items.length) {
      this.#items = [];
      this.#at = 0;
    } else if (this.#at > 1024 && this.#at * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    return item;
  }
}
