/** The rows of the table's items, and the hot ones in memory. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Check, Item, Key, Write } from "../../../ports/index.ts";
import { type Evaluated, evaluate, isLive, type StoredItem } from "../../../ports/table-semantics.ts";
import { ByteWriter, decodeItem, type Encodable } from "../codec.ts";

/** A row as it is in the database, or in the transaction that is open. */
interface Row extends StoredItem {
  readonly id: number;
  readonly encoded: Uint8Array;
}

interface StoredRow {
  readonly id: number;
  readonly x: number | null;
  readonly v: Uint8Array;
}

/** A range as in the port, with the sort key after which it goes on. */
export interface Range {
  readonly pk: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly after: string | undefined;
  readonly reverse: boolean;
}

export interface FoundRow {
  readonly sk: string;
  readonly v: Uint8Array;
}

/** Items in memory at most; heads are about 1 KB. */
const CACHE_MOST_ROWS = 10_000;
/** Larger items are not hot. */
const CACHE_ITEM_BYTES = 16 * 1024;
const PURGE_ROWS = 500;

/** Changes go through one transaction at a time; after a rollback `forget` must be called. */
export class Items {
  /** By key; the one that was used last is the last. */
  readonly #cache = new Map<string, Row>();
  /** The key that was sought last and is not there: who puts it seeks it twice. */
  #absent: string | undefined;
  readonly #writer = new ByteWriter();
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #delete: StatementSync;
  readonly #purge: StatementSync;
  readonly #ranges = new Map<string, StatementSync>();
  readonly #scan: StatementSync;
  readonly #any: StatementSync;
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#select = db.prepare("SELECT id, x, v FROM items WHERE pk = ? AND sk = ?");
    this.#insert = db.prepare("INSERT INTO items (pk, sk, x, v) VALUES (?, ?, ?, ?)");
    this.#update = db.prepare("UPDATE items SET x = ?, v = ? WHERE id = ?");
    this.#delete = db.prepare("DELETE FROM items WHERE id = ?");
    this.#purge = db.prepare("DELETE FROM items WHERE id IN (SELECT id FROM items WHERE x <= ? LIMIT ?)");
    // The next partition key above one, found by the index however many items each has.
    this.#scan = db.prepare("SELECT pk FROM items WHERE pk > ? ORDER BY pk LIMIT 1");
    this.#any = db.prepare("SELECT 1 FROM items WHERE pk = ? LIMIT 1");
  }

  /** The item's bytes; undefined when it is absent or expired. */
  encoded(key: Key, nowMs: number): Uint8Array | undefined {
    const row = this.#row(key);
    return row !== undefined && isLive(row.expiresAtS, nowMs) ? row.encoded : undefined;
  }

  /** Judges an operation on what is there now, without doing it. */
  judge(op: Write | Check, nowMs: number): Evaluated {
    const row = this.#row(op.key);
    return evaluate(op, row !== undefined && isLive(row.expiresAtS, nowMs) ? row : undefined);
  }

  /** Stores what `judge` said is after the operation; answers its bytes. */
  store(key: Key, after: StoredItem | undefined): Uint8Array | undefined {
    const row = this.#row(key);
    const name = cacheKey(key);
    if (after === undefined) {
      if (row !== undefined) this.#delete.run(row.id);
      this.#cache.delete(name);
      return undefined;
    }
    this.#writer.rewind();
    this.#writer.value(after.item as Encodable);
    const encoded = new Uint8Array(this.#writer.peek());
    const expiresAtS = after.expiresAtS ?? null;
    let id = row?.id;
    if (id === undefined) {
      id = Number(this.#insert.run(key.pk, key.sk, expiresAtS, encoded).lastInsertRowid);
      this.#absent = undefined;
    } else this.#update.run(expiresAtS, encoded, id);
    this.#keep(name, { id, encoded, item: after.item, expiresAtS: after.expiresAtS });
    return encoded;
  }

  /** Items of one partition key that are not expired, in the order of their sort keys. */
  range({ pk, from, to, after, reverse }: Range, nowMs: number): IterableIterator<FoundRow> {
    const low = reverse || after === undefined ? from : after;
    const high = reverse && after !== undefined ? after : to;
    const bounds = [...(low === undefined ? [] : [low]), ...(high === undefined ? [] : [high])];
    const statement = this.#rangeOf(low !== undefined, high !== undefined, after !== undefined, reverse);
    return statement.iterate(pk, nowMs / 1000, ...bounds) as IterableIterator<FoundRow>;
  }

  hasPartition(pk: string): boolean {
    return this.#any.get(pk) !== undefined;
  }

  /** The first partition key above this one; undefined at the end. */
  nextPartitionKey(above: string): string | undefined {
    return (this.#scan.get(above) as { pk: string } | undefined)?.pk;
  }

  /** Takes some of what has expired out of the table. */
  purge(nowMs: number): void {
    this.#purge.run(Math.floor(nowMs / 1000), PURGE_ROWS);
    for (const [name, row] of this.#cache) if (!isLive(row.expiresAtS, nowMs)) this.#cache.delete(name);
  }

  /** After a rollback: nothing that is in memory can be trusted. */
  forget(): void {
    this.#cache.clear();
    this.#absent = undefined;
  }

  #row(key: Key): Row | undefined {
    const name = cacheKey(key);
    const hot = this.#cache.get(name);
    if (hot !== undefined || name === this.#absent) return hot;
    const stored = this.#select.get(key.pk, key.sk) as StoredRow | undefined;
    if (stored === undefined) {
      this.#absent = name;
      return undefined;
    }
    const item: Item = decodeItem(stored.v);
    const row = { id: stored.id, encoded: stored.v, item, expiresAtS: stored.x ?? undefined };
    this.#keep(name, row);
    return row;
  }

  #keep(name: string, row: Row): void {
    this.#cache.delete(name);
    if (row.encoded.byteLength > CACHE_ITEM_BYTES) return;
    this.#cache.set(name, row);
    if (this.#cache.size > CACHE_MOST_ROWS) this.#cache.delete(this.#cache.keys().next().value as string);
  }

  #rangeOf(low: boolean, high: boolean, goesOn: boolean, reverse: boolean): StatementSync {
    const lower = low ? ` AND sk ${goesOn && !reverse ? ">" : ">="} ?` : "";
    const upper = high ? ` AND sk ${goesOn && reverse ? "<" : "<="} ?` : "";
    const sql = `SELECT sk, v FROM items WHERE pk = ? AND (x IS NULL OR x > ?)${lower}${upper} ORDER BY sk ${reverse ? "DESC" : "ASC"}`;
    let statement = this.#ranges.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#ranges.set(sql, statement);
    }
    return statement;
  }
}

function cacheKey({ pk, sk }: Key): string {
  return `${pk}\0${sk}`;
}
