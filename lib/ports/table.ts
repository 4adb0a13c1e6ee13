/**
 * Table: the part of DynamoDB that the log needs, and no more. A backend passes `test/contract/table.contract.ts`,
 * which states every promise made here.
 *
 * T1  Reads are strongly consistent: a read that starts after a write was answered sees it.
 * T2  A write of one item is atomic: its condition is judged and its change made on one state of the item.
 * T3  An answered write is durable.
 * T4  An item past its expiry reads as absent, in conditions too, whether or not the backend has deleted it.
 * T5  A write that fails with `not_applied` is not applied now or later. `OutcomeUnknown` may be applied now, later or
 *     never. An adapter never repeats a write whose outcome it does not know.
 * T6  Byte values that are returned belong to the caller, and what the caller handed in is not kept by reference
 *     once the call is answered.
 *
 * Limits are DynamoDB's: an item at most 400 KB, a partition key at most 2048 bytes, a sort key at most 1024. `rules.ts`
 * says what may be asked: a call that breaks a rule throws `InvariantViolated` (a key that is too long: `too_large`)
 * before anything is done. `table-semantics.ts` says what conditions and changes mean.
 */
export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/**
 * Numbers are safe integers or finite floats of a size from 1e-130 to 1e126; -0 is stored as 0. Strings are Unicode
 * (no lone surrogates). Lists may be mixed; maps are plain objects. Attributes are not named `pk`, `sk` or `ttl`.
 */
export type Value = string | number | boolean | Uint8Array | readonly Value[] | ValueMap;
export interface ValueMap {
  readonly [name: string]: Value;
}

/** The attributes of an item, without its key and expiry. */
export type Item = ValueMap;

export interface KeyedItem {
  readonly key: Key;
  readonly item: Item;
}

/** An attribute, or one entry of a map attribute. Nothing deeper. */
export type Path = string | readonly [attribute: string, entry: string];

/**
 * One predicate on the item as it is before the write. Several are joined by AND. A comparison with an attribute that
 * is absent, or of another type, does not hold (`!=` does). Numbers, strings (by their UTF-8 bytes) and bytes have an
 * order; nothing else is `<` or `>` anything. `contains`: a list attribute has an equal element; `lacks` is its opposite,
 * so it holds where there is no list.
 */
export type Condition =
  | { readonly item: "exists" | "absent" }
  | { readonly path: Path; readonly is: "exists" | "absent" }
  | { readonly path: Path; readonly is: "=" | "!=" | "<" | "<=" | ">" | ">="; readonly value: Value }
  | { readonly path: string; readonly is: "contains" | "lacks"; readonly value: Value };

/**
 * One change of an update. All changes of an update see the item as it was before it (so `copy` takes the old value),
 * and no two may touch the same attribute, unless they are different entries of one map.
 *
 * - `set`: to a value. An entry of a map needs the map to be there.
 * - `add`: to a number; an absent attribute counts as 0.
 * - `copy`: to `from`'s old number plus `plus`.
 * - `append`: to the end of a list, which must be there.
 * - `dropFirst`: the first `count` elements (1 to 100; all, when there are fewer) of a list, which must be there.
 * - `remove`: the attribute or entry, if there.
 *
 * What must be there counts as a condition: where it is not, or of another type, the update fails as `condition_failed`.
 */
export type Change =
  | { readonly set: Path; readonly to: Value }
  | { readonly add: string; readonly by: number }
  | { readonly copy: Path; readonly from: string; readonly plus: number }
  | { readonly append: string; readonly values: readonly Value[] }
  | { readonly dropFirst: string; readonly count: number }
  | { readonly remove: Path };

/** Replaces the whole item. */
export interface Put {
  readonly op: "put";
  readonly key: Key;
  readonly item: Item;
  readonly when?: readonly Condition[];
  /** From this moment on the item reads as absent. Kept in whole seconds, rounded up, as DynamoDB's TTL is. */
  readonly expiresAtMs?: number;
}

/** Changes an item; makes it when it is absent (add `{ item: "exists" }` to `when` where that is wrong). */
export interface Update {
  readonly op: "update";
  readonly key: Key;
  readonly changes: readonly Change[];
  readonly when?: readonly Condition[];
  /** Undefined keeps the expiry that the item has. */
  readonly expiresAtMs?: number;
}

/** Deleting what is absent succeeds, unless a condition says otherwise. */
export interface Delete {
  readonly op: "delete";
  readonly key: Key;
  readonly when?: readonly Condition[];
}

/** Only a condition; in `atomically` alone. */
export interface Check {
  readonly op: "check";
  readonly key: Key;
  readonly when: readonly Condition[];
}

/** Writes a blob under an id that was never used (see `Blobs`). In `inOrder` alone. */
export interface PutBlob {
  readonly op: "putBlob";
  /** ULID, 16 bytes. */
  readonly id: Uint8Array;
  /** The blob is these pieces, one after the other; they must not change until the call is answered. */
  readonly pieces: readonly Uint8Array[];
  /** The partitions whose bytes are in it (`<topicId>#<p>`), kept with it for the sweeper. */
  readonly partitions: readonly string[];
}

export type Write = Put | Update | Delete;

/** What became of one operation of `inOrder`: the item after it (undefined for deletes and blobs), or the error. */
export type Settled =
  | { readonly ok: true; readonly item: Item | undefined }
  | { readonly ok: false; readonly error: StorageError };

export interface RangeQuery {
  /** Inclusive. */
  readonly from?: string;
  /** Inclusive. */
  readonly to?: string;
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface Table {
  get(key: Key): Promise<Item | undefined>;

  /** In the order of the keys, which may be any number. */
  getMany(keys: readonly Key[]): Promise<(Item | undefined)[]>;

  /** Items of one partition key by sort key, in byte order. Each page is consistent; several pages are not isolated. */
  range(pk: string, query?: RangeQuery): Promise<KeyedItem[]>;

  /** One item. Answers the item after the write (undefined for a delete). Throws {@link StorageError}. */
  write(op: Write): Promise<Item | undefined>;

  /**
   * Stages, each of which starts only when all of the one before it is applied and durable. The operations of one
   * stage are independent of each other: each succeeds or fails by itself and answers for itself. When an operation
   * failed, those of later stages answer `NotReached`. Never throws for what the storage said; a backend may make
   * all of it in one transaction. Keys within one stage differ.
   */
  inOrder(stages: readonly (readonly (Write | PutBlob)[])[]): Promise<Settled[][]>;

  /**
   * All or none, at most 100 items and 4 MB, each item named once. Not isolated from `range`. Throws `ConditionFailed` with the
   * index of the first operation that failed and its item, `Contended` when another write was in the way.
   */
  atomically(ops: readonly (Write | Check)[]): Promise<void>;

  /**
   * Every partition key that begins so and has an item, once each, in pages and in no promised order. One whose items are
   * all expired may or may not be among them, as one that is made or emptied meanwhile. For the sweeper alone.
   */
  scan(prefix: string): AsyncIterable<readonly string[]>;
}

/**
 * - `condition_failed`: not applied; carries the item as it was found, and in a transaction which operation it was.
 * - `contended`: not applied, another write was in the way: try again.
 * - `throttled`: not applied, the storage wants less: try again later.
 * - `unavailable`: not applied: could not be reached, or refused.
 * - `not_reached`: not applied: an earlier stage failed.
 * - `full`: not applied: no space.
 * - `too_large`: not applied: over a limit of the storage.
 * - `unknown`: may or may not be applied, now or later.
 */
export type StorageErrorKind =
  | "condition_failed"
  | "contended"
  | "throttled"
  | "unavailable"
  | "not_reached"
  | "full"
  | "too_large"
  | "unknown";

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly kind: StorageErrorKind;
  /** With `condition_failed`: the item as it was; undefined when there was none. */
  readonly item: Item | undefined;
  /** With `condition_failed` of a transaction: which operation. */
  readonly index: number | undefined;

  constructor(kind: StorageErrorKind, message: string, more: { item?: Item | undefined; index?: number; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.kind = kind;
    this.item = more.item;
    this.index = more.index;
  }

  /** What became of the write. */
  get outcome(): "not_applied" | "unknown" {
    return this.kind === "unknown" ? "unknown" : "not_applied";
  }
}
