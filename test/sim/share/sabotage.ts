/** The rules of share groups, each taken out alone: the checks must notice. */
import { decodeShare, encodeShare, type StoredShare, shareKey } from "../../../lib/groups/items/share-partition.ts";
import type { ShareGroupsApi } from "../../../lib/groups/share/types.ts";
import { type Run, runAt } from "../../../lib/groups/share/window.ts";
import type { AppendRequest, AppendResult, LogApi } from "../../../lib/log/index.ts";
import type { Condition, Key, Storage, Write } from "../../../lib/ports/index.ts";
import { altered, bound, replaced, without } from "../sabotage.ts";
import { DEAD_LETTERS, GROUP } from "./names.ts";
import type { Sabotage } from "./simulation.ts";

const FOREVER_MS = 2 ** 45;

export const SABOTAGE: Readonly<Record<string, Sabotage>> = {
  "Q1: a state is not told from that of a group that was deleted": {
    storage: (storage) => without(storage, (condition, op) => op.op === "put" && isOfShare(op) && onName(condition)),
  },
  "Q1: a late delete takes what a group has that was made again": {
    storage: (storage) => without(storage, (condition, op) => op.op === "delete" && isOfShare(op) && onName(condition)),
  },
  "Q2: a state is put whatever became of the one that was read": {
    storage: (storage) => without(storage, (_, op) => isState(op) && op.op === "put"),
  },
  "Q2: locks run out at once": { storage: (storage) => runs(storage, (run) => (isHeld(run) ? { ...run, untilMs: 1 } : run)) },
  "Q2: locks never run out": {
    storage: (storage) => runs(storage, (run) => (isHeld(run) ? { ...run, untilMs: FOREVER_MS } : run)),
  },
  "Q2: anybody settles what is acquired": { shares: settledByAnybody },
  "Q3: an acquisition does not raise the count": {
    storage: (storage) => runs(storage, (run) => (isHeld(run) ? { ...run, deliveries: Math.max(1, run.deliveries - 1) } : run)),
  },
  "Q3: an acquisition raises the count by two": {
    storage: (storage) => runs(storage, (run) => (isHeld(run) ? { ...run, deliveries: run.deliveries + 1 } : run)),
  },
  "Q3: what is spent is given again": {
    storage: (storage) => runs(storage, (run) => (run.state === "spent" ? { ...run, state: "available", deliveries: 1 } : run)),
  },
  "Q3: what was rejected is given again": {
    storage: (storage) => runs(storage, (run) => (run.state === "rejected" ? { ...run, state: "available" } : run)),
  },
  "Q4: what leaves the window is not parked": {
    storage: (storage) => altered(storage, (op) => (op.op === "put" && isParked(op) ? elsewhere(op) : op)),
  },
  "Q4: what is settled stays parked": {
    storage: (storage) => altered(storage, (op) => (op.op === "delete" && isParked(op) ? elsewhere(op) : op)),
  },
  "Q4: what is parked is not counted": {
    storage: (storage) => stored(storage, ({ state, ...rest }) => ({ ...rest, state: { ...state, parked: 0 } })),
  },
  "Q4: nobody looks again at what is parked": {
    storage: (storage) =>
      stored(storage, ({ state, ...rest }) => ({ ...rest, state: { ...state, dueMs: Math.min(state.dueMs, 1) * FOREVER_MS } })),
  },
  "Q5: the start moves past what is available": {
    storage: (storage) =>
      stored(storage, ({ state, ...rest }) => {
        const { end, runs: all } = state.window;
        const from = all[0]?.state === "available" ? 1 : 0;
        return { ...rest, state: { ...state, window: { end, runs: all.slice(from) } } };
      }),
  },
  "what was acknowledged is not remembered": {
    storage: (storage) => stored(storage, ({ state, ...rest }) => ({ ...rest, state: { ...state, recent: [] } })),
  },
  "what is dead is finished before it is in the dead-letter topic": { log: (log) => appending(log, async () => NOWHERE) },
  "a dead letter is appended without a key": { log: (log) => appending(log, (request) => log.append(request)) },
  "a dead letter is sent back without a key": { log: sentBackUnkeyed },
  "the time of a record is not looked at": { storage: (storage) => altered(storage, dueAtOnce()) },
  "a group that is deleted leaves what is parked": {
    storage: (storage) => {
      const { table } = storage;
      const range: typeof table.range = async (pk, query) =>
        pk.startsWith("Q#") && query?.from === undefined ? [] : table.range(pk, query);
      return { ...storage, table: { ...bound(table), range } };
    },
  },
};

const NOWHERE: AppendResult = { partition: 0, baseOffset: 0 } as AppendResult;

function isState({ key }: { readonly key: Key }): boolean {
  return key.pk.startsWith("Q#") && key.sk === "STATE";
}

function isOfShare({ key }: { readonly key: Key }): boolean {
  return key.pk.startsWith("Q#") || key.sk.startsWith("Q#");
}

function isParked({ key }: { readonly key: Key }): boolean {
  return key.pk.startsWith("Q#") && key.sk.startsWith("D#");
}

function isHeld({ state }: Run): boolean {
  return state === "acquired";
}

function onName(condition: Condition): boolean {
  return "path" in condition && condition.path === "i";
}

/** Where nobody looks. */
function elsewhere<T extends Write>(op: T): T {
  return { ...op, key: { pk: "X", sk: `${op.key.pk} ${op.key.sk}` } };
}

/** What is written as the state of a share partition is changed. */
function stored(storage: Storage, change: (share: StoredShare) => StoredShare): Storage {
  return altered(storage, (op) => {
    if (op.op !== "put" || !isState(op)) return op;
    const { state, version, writes } = change(decodeShare(op.item));
    return { ...op, item: encodeShare(state, version, writes) };
  });
}

function runs(storage: Storage, change: (run: Run) => Run): Storage {
  return stored(storage, ({ state, ...rest }) => {
    const { end, runs: all } = state.window;
    return { ...rest, state: { ...state, window: { end, runs: all.map(change) } } };
  });
}

/** What was never given and is parked is due at once. */
function dueAtOnce(): (op: Write) => Write {
  const fresh = new Set<string>();
  return (op) => {
    const { pk, sk } = op.key;
    if (op.op !== "put" || !pk.startsWith("Q#")) return op;
    if (sk === "STATE") return { ...op, item: { ...op.item, d: Math.min(1, op.item["d"] as number) } };
    const place = `${pk} ${sk.split("#").at(-1)}`;
    if (sk.startsWith("V#")) return fresh.has(place) ? { ...op, key: { pk, sk: sk.replace(/#\d+#/, "#000000000000001#") } } : op;
    if (op.item["s"] !== 0 || op.item["c"] !== 0) {
      fresh.delete(place);
      return op;
    }
    fresh.add(place);
    return { ...op, item: { ...op.item, u: 1 } };
  };
}

/** Appends to the dead-letter topic go another way. */
function appending(log: LogApi, append: (request: AppendRequest) => Promise<AppendResult>): LogApi {
  return replaced(log, {
    append: (request, options) => (request.topic === DEAD_LETTERS ? append(request) : log.append(request, options)),
  });
}

function sentBackUnkeyed(log: LogApi): LogApi {
  return replaced(log, {
    append: (request, options) =>
      options?.idempotencyKey?.startsWith("redrive-") ? log.append(request) : log.append(request, options),
  });
}

function settledByAnybody(shares: ShareGroupsApi, { table }: Storage): ShareGroupsApi {
  return replaced(shares, {
    async acknowledge(request) {
      const { topicId, partition, batches } = request.partitions[0] as (typeof request.partitions)[number];
      const item = await table.get(shareKey(GROUP, topicId, partition));
      const run = item && runAt(decodeShare(item).state.window, batches[0]?.firstOffset as number);
      return shares.acknowledge({ ...request, holder: run?.holder || request.holder });
    },
  });
}
