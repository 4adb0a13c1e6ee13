/** The rules of transactions (docs/decisions/005-transactions.md), each taken out alone: the checks must notice. */
import type { Condition, Update, Write } from "../../../lib/ports/index.ts";
import { altered, replaced, without } from "../sabotage.ts";
import type { Sabotage } from "./simulation.ts";

export const SABOTAGE: Readonly<Record<string, Sabotage>> = {
  "T1: the item of a transactional id is put whatever became of the one that was read": {
    storage: (storage) => without(storage, (_, op) => isTransaction(op)),
  },
  "T2: what is stable does not stop at open transactions": {
    log: (log) => replaced(log, { read: (request) => log.read({ ...request, isolation: "read_uncommitted" }) }),
  },
  "T2: an abort takes its transaction out of the head before it is in the index": {
    storage: (storage) => altered(storage, (op) => (isAborted(op) ? elsewhere(op) : op)),
  },
  "T2: where the last abort is, is not noted": {
    storage: (storage) =>
      altered(storage, (op) =>
        isHead(op) ? { ...op, changes: op.changes.filter((one) => !("set" in one && one.set === "a")) } : op,
      ),
  },
  "T3: a first batch does not look whether a transaction ended meanwhile": {
    storage: (storage) => without(storage, (condition, op) => isHead(op) && appendsRecords(op) && onPath(condition, "k")),
  },
  "T3: a marker where nothing was written does not count": {
    storage: (storage) =>
      altered(storage, (op) => (isHead(op) && isCountAlone(op) ? { ...op, changes: [{ add: "k", by: 0 }] } : op)),
  },
  "T3: a batch that follows does not look whether its transaction is the one that is open": {
    storage: (storage) => without(storage, (condition, op) => isHead(op) && appendsRecords(op) && onEntry(condition, "x")),
  },
  "T4: a marker ends whatever transaction is open": {
    storage: (storage) => without(storage, (condition, op) => isHead(op) && !appendsRecords(op) && onEntry(condition, "x")),
    log: (log) => replaced(log, { endTransaction: (end) => log.endTransaction(end, async () => true) }),
  },
  "T4: a marker does not raise the epoch of its producer": {
    storage: (storage) =>
      altered(storage, (op) =>
        isHead(op) && !appendsRecords(op)
          ? { ...op, changes: op.changes.filter((one) => !("set" in one && Array.isArray(one.set) && one.set[0] === "q")) }
          : op,
      ),
  },
  "T4: an append does not look at its producer's sequence": {
    storage: (storage) => without(storage, (condition, op) => isHead(op) && onEntry(condition, "q")),
  },
  "T5: offsets are applied whatever became of the note and of what is committed": {
    storage: (storage) => without(storage, (_, op) => isPending(op) || isBlock(op)),
  },
  "T5: offsets of an aborted transaction are applied": {
    groups: (groups) => replaced(groups, { finishOffsets: (group, of) => groups.finishOffsets(group, of, true) }),
  },
  "T5: offsets are committed when they are sent": {
    groups: (groups) => replaced(groups, { noteOffsets: (request) => groups.commit(request) }),
  },
  "T6: a transaction is over before its markers are written": {
    log: (log) => replaced(log, { endTransaction: () => Promise.resolve() }),
  },
  "T6: only some of the markers are written": {
    log: (log) =>
      replaced(log, {
        endTransaction: (end, stillDue) => log.endTransaction({ ...end, partitions: end.partitions.slice(0, 1) }, stillDue),
      }),
  },
  "an abort is marked as a commit": {
    log: (log) => replaced(log, { endTransaction: (end, stillDue) => log.endTransaction({ ...end, commit: true }, stillDue) }),
  },
  "a commit is marked as an abort": {
    log: (log) => replaced(log, { endTransaction: (end, stillDue) => log.endTransaction({ ...end, commit: false }, stillDue) }),
  },
  "a reader is told of the aborted transactions of the first batch alone": {
    log: (log) =>
      replaced(log, {
        read: async (request) => {
          const read = await log.read(request);
          return { ...read, aborted: read.aborted.slice(0, 1) };
        },
      }),
  },
  "006: an atomic request is written in parts": {
    log: (log) =>
      replaced(log, {
        appendAtomically: async (requests, options) => {
          const { with: _, ...own } = options ?? {};
          const first = await log.appendAtomically(requests.slice(0, 1), { ...own, idempotencyKey: `${own.idempotencyKey}-0` });
          return [...first, ...(await log.appendAtomically(requests.slice(1), options))];
        },
      }),
  },
  "006: an atomic request has no key": {
    log: (log) =>
      replaced(log, {
        appendAtomically: (requests, options) => log.appendAtomically(requests, options?.with && { with: options.with }),
      }),
  },
  "006: offsets of an atomic request are not in it": {
    log: (log) =>
      replaced(log, {
        appendAtomically: (requests, options) => {
          const { with: _, ...own } = options ?? {};
          return log.appendAtomically(requests, own);
        },
      }),
  },
};

function isTransaction(op: Write): boolean {
  return op.key.pk.startsWith("TXN#");
}

function isPending(op: Write): boolean {
  return op.key.pk.startsWith("G#") && op.key.sk.startsWith("T#");
}

function isBlock(op: Write): boolean {
  return op.key.pk.startsWith("G#") && op.key.sk.startsWith("O#");
}

function isAborted(op: Write): boolean {
  return op.key.pk.startsWith("P#") && op.key.sk.startsWith("X#") && op.op === "put";
}

function isHead(op: Write): op is Update {
  return op.op === "update" && op.key.sk === "HEAD";
}

/** Not a marker: those count. */
function appendsRecords(op: Update): boolean {
  return op.changes.some((one) => "append" in one) && !op.changes.some((one) => "add" in one && one.add === "k");
}

function isCountAlone(op: Update): boolean {
  return op.changes.length === 1 && op.changes.some((one) => "add" in one && one.add === "k");
}

function onPath(condition: Condition, path: string): boolean {
  return "path" in condition && condition.path === path;
}

function onEntry(condition: Condition, attribute: string): boolean {
  return "path" in condition && Array.isArray(condition.path) && condition.path[0] === attribute;
}

/** Where nobody looks. */
function elsewhere<T extends Write>(op: T): T {
  return { ...op, key: { pk: "X", sk: `${op.key.pk} ${op.key.sk}` } };
}
