/** The rules of the protocol, each taken out alone, by changing what reaches the storage: the checks must notice. */
import { packRef, unpackRef } from "../../lib/log/items/ref.ts";
import type { Condition, Storage, Table, Update, Write } from "../../lib/ports/index.ts";

type Alter = (op: Write) => Write;

/** A storage that is asked for something else than the log asked for. */
export function altered(storage: Storage, alter: Alter): Storage {
  const { table } = storage;
  const changed: Table = {
    ...bound(table),
    write: (op) => table.write(alter(op)),
    inOrder: (stages) => table.inOrder(stages.map((stage) => stage.map((op) => (op.op === "putBlob" ? op : alter(op))))),
    atomically: (ops) => table.atomically(ops.map((op) => (op.op === "check" ? op : alter(op)))),
  };
  return { ...storage, table: changed };
}

/** Without checks in transactions: the fence. */
function unfenced(storage: Storage): Storage {
  const { table } = storage;
  const changed: Table = {
    ...bound(table),
    atomically: (ops) =>
      table.atomically(
        ops
          .filter((op) => op.op !== "check")
          .map((op) => (op.key.sk === "FENCE" ? { ...op, when: (op.when ?? []).filter((one) => !onPath(one, "f", "<")) } : op)),
      ),
  };
  return { ...storage, table: changed };
}

export function bound(table: Table): Table {
  return {
    get: (key) => table.get(key),
    getMany: (keys) => table.getMany(keys),
    range: (pk, query) => table.range(pk, query),
    scan: (prefix) => table.scan(prefix),
    write: (op) => table.write(op),
    inOrder: (stages) => table.inOrder(stages),
    atomically: (ops) => table.atomically(ops),
  };
}

/** An object that does some of it in another way. */
export function replaced<T extends object>(api: T, own: Partial<T>): T {
  return new Proxy(api, {
    get: (target, name) => {
      if (name in own) return own[name as keyof T];
      const value = target[name as keyof T];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function isHead(op: Write): op is Update {
  return op.op === "update" && op.key.sk === "HEAD";
}

export function without(storage: Storage, drop: (condition: Condition, op: Write) => boolean): Storage {
  return altered(storage, (op) => ({ ...op, when: (op.when ?? []).filter((condition) => !drop(condition, op)) }));
}

function onEntry(condition: Condition, attribute: string): boolean {
  return "path" in condition && Array.isArray(condition.path) && condition.path[0] === attribute;
}

function onPath(condition: Condition, path: string, is: string): boolean {
  return "path" in condition && condition.path === path && condition.is === is;
}

function changes(op: Update, what: "append" | "dropFirst" | "remove"): boolean {
  return op.changes.some((change) => what in change);
}

export const SABOTAGE: Readonly<Record<string, (storage: Storage) => Storage>> = {
  "the floor does not keep a late append out": (storage) =>
    without(storage, (condition, op) => isHead(op) && changes(op, "append") && onPath(condition, "f", "<")),
  "the floor is not raised before the look, nor by the sweeper": (storage) =>
    altered(storage, (op) => (isFloor(op) ? { ...op, changes: [{ add: "n", by: 0 }], when: [{ item: "exists" }] } : op)),
  "an append does not look at its producer's sequence": (storage) => without(storage, (condition) => onEntry(condition, "q")),
  "an eviction does not look whether its producer has moved on": (storage) =>
    without(
      storage,
      (condition, op) => isHead(op) && changes(op, "remove") && (onEntry(condition, "q") || onEntry(condition, "o")),
    ),
  "an eviction is not counted": (storage) =>
    altered(storage, (op) =>
      isHead(op) && changes(op, "remove") ? { ...op, changes: op.changes.filter((change) => !("add" in change)) } : op,
    ),
  "refs are dropped whatever the tail base is": (storage) =>
    without(storage, (condition, op) => isHead(op) && changes(op, "dropFirst") && onPath(condition, "b", "=")),
  "refs are dropped without their run being put": (storage) =>
    altered(storage, (op) =>
      op.op === "put" && op.key.sk.startsWith("R#") ? { ...op, key: { ...op.key, sk: `X${op.key.sk}` } } : op,
    ),
  "an open claim can be taken by anyone": (storage) =>
    without(storage, (_, op) => op.op === "put" && op.key.pk.startsWith("IDEM#")),
  "an append of a producer outside the head does not look at evictions": (storage) =>
    without(storage, (condition, op) => isHead(op) && changes(op, "append") && onPath(condition, "e", "=")),
  "an evicted producer is put over a newer one": (storage) =>
    without(storage, (_, op) => op.op === "put" && op.key.sk.startsWith("PID#")),
  "the fence keeps no object out": unfenced,
  "the log start is moved wherever it is": (storage) =>
    without(storage, (condition, op) => isHead(op) && onPath(condition, "s", "=")),
  "segments are replaced whatever became of them": (storage) => without(storage, (_, op) => op.key.sk.startsWith("S#")),
  "blobs that several partitions share go with the first of them": (storage) => altered(storage, unshared),
  "keyed requests are not noted when their runs go": (storage) =>
    altered(storage, (op) => (op.key.sk.startsWith("C#") ? { ...op, key: { ...op.key, sk: `X${op.key.sk}` } } : op)),
  "a mark of work goes whatever was sealed meanwhile": (storage) =>
    without(storage, (_, op) => op.op === "delete" && op.key.pk.startsWith("WORK#")),
};

function isFloor(op: Write): boolean {
  return isHead(op) && op.changes.some((change) => "set" in change && change.set === "f");
}

/** Refs without the flag that their blob is shared. */
function unshared(op: Write): Write {
  if (!isHead(op)) return op;
  const changes = op.changes.map((change) => {
    if (!("append" in change)) return change;
    return { ...change, values: change.values.map((ref) => packRef({ ...unpackRef(ref as Uint8Array), shared: false })) };
  });
  return { ...op, changes };
}
