import { ATOMIC_MOST_BYTES, checkAtomic, checkKey, checkOperation, checkOperations } from "../../ports/rules.ts";
import type { Check, Item, Key, KeyedItem, PutBlob, RangeQuery, Settled, Table, Write } from "../../ports/table.ts";
import { StorageError } from "../../ports/table.ts";
import { evaluate, isLive, type StoredItem } from "../../ports/table-semantics.ts";
import { cloneItem, compareText, itemSizeBytes } from "../../ports/values.ts";

/** Items of one partition key. */
interface Partition {
  /** Sort keys in byte order. */
  readonly order: string[];
  readonly items: Map<string, StoredItem>;
}

const SCAN_PAGE = 100;
/** After so many writes what has expired is taken out. */
const PURGE_EVERY = 10_000;

/** Every operation takes effect inside one synchronous call, so nothing comes between its condition and its change. */
export class MemoryTable implements Table {
  readonly #partitions = new Map<string, Partition>();
  readonly #nowMs: () => number;
  readonly #putBlob: (op: PutBlob) => void;
  readonly #closed: () => StorageError | undefined;
  #writes = 0;

  constructor(nowMs: () => number, putBlob: (op: PutBlob) => void, closed: () => StorageError | undefined) {
    this.#nowMs = nowMs;
    this.#putBlob = putBlob;
    this.#closed = closed;
  }

  async get(key: Key): Promise<Item | undefined> {
    this.#checkOpen();
    checkKey(key);
    return cloned(this.#find(key)?.item);
  }

  async getMany(keys: readonly Key[]): Promise<(Item | undefined)[]> {
    this.#checkOpen();
    return keys.map((key) => {
      checkKey(key);
      return cloned(this.#find(key)?.item);
    });
  }

  async range(pk: string, { from, to, reverse = false, limit = Infinity }: RangeQuery = {}): Promise<KeyedItem[]> {
    this.#checkOpen();
    const partition = this.#partitions.get(pk);
    const found: KeyedItem[] = [];
    if (partition === undefined) return found;
    const { order, items } = partition;
    const first = from === undefined ? 0 : position(order, from, false);
    const end = to === undefined ? order.length : position(order, to, true);
    const nowMs = this.#nowMs();
    for (let n = 0; n < end - first && found.length < limit; n++) {
      const sk = order[reverse ? end - 1 - n : first + n] as string;
      const stored = items.get(sk) as StoredItem;
      if (isLive(stored.expiresAtS, nowMs)) found.push({ key: { pk, sk }, item: cloneItem(stored.item) });
    }
    return found;
  }

  async write(op: Write): Promise<Item | undefined> {
    this.#checkOpen();
    checkOperation(op);
    const settled = this.#apply(op);
    if (!settled.ok) throw settled.error;
    return settled.item;
  }

  async inOrder(stages: readonly (readonly (Write | PutBlob)[])[]): Promise<Settled[][]> {
    for (const stage of stages) checkOperations(stage);
    const answers: Settled[][] = [];
    let reached = true;
    for (const stage of stages) {
      const settled = stage.map((op): Settled => {
        if (!reached) return { ok: false, error: new StorageError("not_reached", "an earlier stage failed") };
        return this.#settle(op);
      });
      answers.push(settled);
      reached &&= settled.every((one) => one.ok);
    }
    return answers;
  }

  async atomically(ops: readonly (Write | Check)[]): Promise<void> {
    this.#checkOpen();
    checkAtomic(ops);
    let sizeBytes = 0;
    const after = ops.map((op, index) => {
      const evaluated = evaluate(op, this.#find(op.key));
      if (!evaluated.ok) throw atIndex(evaluated.error, index);
      if (evaluated.after !== undefined) sizeBytes += itemSizeBytes(op.key, evaluated.after.item, evaluated.after.expiresAtS);
      return evaluated.after;
    });
    if (sizeBytes > ATOMIC_MOST_BYTES) {
      throw new StorageError("too_large", `a transaction of ${sizeBytes} bytes; at most ${ATOMIC_MOST_BYTES}`);
    }
    for (const [i, op] of ops.entries()) if (op.op !== "check") this.#store(op.key, after[i]);
  }

  async *scan(prefix: string): AsyncIterable<readonly string[]> {
    this.#checkOpen();
    const found = [...this.#partitions.keys()].filter((pk) => pk.startsWith(prefix));
    for (let i = 0; i < found.length; i += SCAN_PAGE) {
      this.#checkOpen();
      yield found.slice(i, i + SCAN_PAGE);
    }
  }

  #checkOpen(): void {
    const closed = this.#closed();
    if (closed !== undefined) throw closed;
  }

  #find({ pk, sk }: Key): StoredItem | undefined {
    const stored = this.#partitions.get(pk)?.items.get(sk);
    return stored !== undefined && isLive(stored.expiresAtS, this.#nowMs()) ? stored : undefined;
  }

  #settle(op: Write | PutBlob): Settled {
    const closed = this.#closed();
    if (closed !== undefined) return { ok: false, error: closed };
    if (op.op !== "putBlob") return this.#apply(op);
    this.#putBlob(op);
    return { ok: true, item: undefined };
  }

  #apply(op: Write): Settled {
    const evaluated = evaluate(op, this.#find(op.key));
    if (!evaluated.ok) return { ok: false, error: withOwnItem(evaluated.error) };
    this.#store(op.key, evaluated.after);
    return { ok: true, item: cloned(evaluated.after?.item) };
  }

  #store(key: Key, stored: StoredItem | undefined): void {
    if (++this.#writes % PURGE_EVERY === 0) this.#purge();
    if (stored === undefined) this.#remove(key);
    else this.#insert(key, { item: cloneItem(stored.item), expiresAtS: stored.expiresAtS });
  }

  #insert({ pk, sk }: Key, stored: StoredItem): void {
    let partition = this.#partitions.get(pk);
    if (partition === undefined) {
      partition = { order: [], items: new Map() };
      this.#partitions.set(pk, partition);
    }
    if (!partition.items.has(sk)) partition.order.splice(position(partition.order, sk, false), 0, sk);
    partition.items.set(sk, stored);
  }

  #remove({ pk, sk }: Key): void {
    const partition = this.#partitions.get(pk);
    if (partition?.items.delete(sk) !== true) return;
    partition.order.splice(position(partition.order, sk, false), 1);
    if (partition.order.length === 0) this.#partitions.delete(pk);
  }

  #purge(): void {
    const nowMs = this.#nowMs();
    for (const [pk, { items }] of this.#partitions) {
      for (const [sk, { expiresAtS }] of items) if (!isLive(expiresAtS, nowMs)) this.#remove({ pk, sk });
    }
  }
}

function cloned(item: Item | undefined): Item | undefined {
  return item && cloneItem(item);
}

/** T6: the item in an error is the caller's too. */
function withOwnItem(error: StorageError): StorageError {
  return new StorageError(error.kind, error.message, { item: cloned(error.item) });
}

function atIndex(error: StorageError, index: number): StorageError {
  return new StorageError(error.kind, error.message, { item: cloned(error.item), index });
}

/** Where `sk` is, or would go; with `after`, the place after it. */
function position(order: readonly string[], sk: string, after: boolean): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const d = compareText(order[middle] as string, sk);
    if (d < 0 || (after && d === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
