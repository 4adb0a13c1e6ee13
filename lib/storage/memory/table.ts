import {
  type Check,
  type Clock,
  type Item,
  type Key,
  type KeyedItem,
  type PutBlob,
  type RangeQuery,
  type Settled,
  StorageError,
  type Table,
  type Write,
} from "../../ports/index.ts";
import {
  applyWrite,
  checkKey,
  checkSize,
  checkTransaction,
  cloneValue,
  compareText,
  expirySeconds,
  holds,
} from "../../ports/table-semantics.ts";
import type { MemoryBlobs } from "./blobs.ts";

interface Row {
  readonly item: Item;
  readonly expiresAtMs: number | undefined;
}

/** Partition keys to sort keys to rows. Every call takes effect at one instant, when it is made. */
export class MemoryTable implements Table {
  readonly #clock: Clock;
  readonly #blobs: MemoryBlobs;
  readonly #rows = new Map<string, Map<string, Row>>();

  constructor(clock: Clock, blobs: MemoryBlobs) {
    this.#clock = clock;
    this.#blobs = blobs;
  }

  async get(key: Key): Promise<Item | undefined> {
    return copied(this.#row(key)?.item);
  }

  async getMany(keys: readonly Key[]): Promise<(Item | undefined)[]> {
    return keys.map((key) => copied(this.#row(key)?.item));
  }

  async range(pk: string, query: RangeQuery = {}): Promise<KeyedItem[]> {
    const { from, to, reverse = false, limit = Number.POSITIVE_INFINITY } = query;
    const found: KeyedItem[] = [];
    for (const sk of this.#rows.get(pk)?.keys() ?? []) {
      if (from !== undefined && compareText(sk, from) < 0) continue;
      if (to !== undefined && compareText(sk, to) > 0) continue;
      const row = this.#row({ pk, sk });
      if (row !== undefined) found.push({ key: { pk, sk }, item: row.item });
    }
    found.sort((a, b) => compareText(a.key.sk, b.key.sk));
    if (reverse) found.reverse();
    return found.slice(0, limit).map(({ key, item }) => ({ key, item: cloneValue(item) }));
  }

  async write(op: Write): Promise<Item | undefined> {
    return this.#write(op);
  }

  async inOrder(stages: readonly (readonly (Write | PutBlob)[])[]): Promise<Settled[][]> {
    let reached = true;
    return stages.map((stage) => {
      const settled = stage.map((op): Settled => {
        if (!reached) return { ok: false, error: new StorageError("not_reached", "an earlier stage failed") };
        return this.#settle(op);
      });
      reached &&= settled.every((one) => one.ok);
      return settled;
    });
  }

  async atomically(ops: readonly (Write | Check)[]): Promise<void> {
    checkTransaction(ops);
    const rows = ops.map((op, index) => {
      const row = this.#row(op.key);
      this.#judge(op, row, index);
      return op.op === "check" ? undefined : this.#after(op, row);
    });
    for (const [i, op] of ops.entries()) if (op.op !== "check") this.#store(op.key, rows[i]);
  }

  async *scan(prefix: string): AsyncIterable<readonly string[]> {
    yield [...this.#rows.keys()].filter((pk) => pk.startsWith(prefix));
  }

  #settle(op: Write | PutBlob): Settled {
    if (op.op === "putBlob") {
      this.#blobs.put(op);
      return { ok: true, item: undefined };
    }
    try {
      return { ok: true, item: this.#write(op) };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return { ok: false, error };
    }
  }

  #write(op: Write): Item | undefined {
    const row = this.#row(op.key);
    this.#judge(op, row, undefined);
    const after = this.#after(op, row);
    this.#store(op.key, after);
    return copied(after?.item);
  }

  #judge(op: Write | Check, row: Row | undefined, index: number | undefined): void {
    if (holds(row?.item, op.when)) return;
    throw new StorageError("condition_failed", `the condition on ${op.key.pk} ${op.key.sk} does not hold`, {
      item: copied(row?.item),
      ...(index === undefined ? {} : { index }),
    });
  }

  #after(op: Write, row: Row | undefined): Row | undefined {
    checkKey(op.key);
    const item = applyWrite(row?.item, op);
    if (item === undefined || op.op === "delete") return undefined;
    checkSize(op.key, item);
    const given = op.expiresAtMs === undefined ? undefined : expirySeconds(op.expiresAtMs) * 1000;
    return { item: cloneValue(item), expiresAtMs: given ?? (op.op === "update" ? row?.expiresAtMs : undefined) };
  }

  #row({ pk, sk }: Key): Row | undefined {
    const row = this.#rows.get(pk)?.get(sk);
    if (row?.expiresAtMs === undefined || row.expiresAtMs > this.#clock.nowMs()) return row;
    this.#store({ pk, sk }, undefined);
    return undefined;
  }

  #store({ pk, sk }: Key, row: Row | undefined): void {
    const rows = this.#rows.get(pk) ?? new Map<string, Row>();
    if (row === undefined) rows.delete(sk);
    else rows.set(sk, row);
    if (rows.size === 0) this.#rows.delete(pk);
    else this.#rows.set(pk, rows);
  }
}

function copied(item: Item | undefined): Item | undefined {
  return item && cloneValue(item);
}
