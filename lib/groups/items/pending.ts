/**
 * Offsets that a producer commits with its transaction, until that ends. Key `G#<group>`, `T#<producer id>`.
 *
 * | attribute | what |
 * |---|---|
 * | `v`, `k` | format version; counter: every change adds one, on condition of what it was |
 * | `n` | number of the transaction |
 * | `d` | true: it has ended, and nothing is left to do |
 * | `o` | list of [topic id, partition, offset, leader epoch, committed at, metadata] |
 *
 * P1  Once a transaction has ended here, none of its offsets is taken any more: `n` only grows, and what has ended stays so.
 * P2  Offsets are applied and taken out of `o` in one storage transaction, so never twice.
 */
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Item, Key, KeyedItem, Put, Value } from "../../ports/index.ts";
import { groupPk } from "./group.ts";

const PREFIX = "T#";
/** An ended one is kept as long as a transactional id is known. */
const KEPT_MS = 7 * 24 * 3_600_000;

export const PENDING_RANGE = { from: PREFIX, to: "T$" };

export interface PendingOffset {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly committedAtMs: number;
  readonly metadata: string;
}

export interface Pending {
  readonly counter: number;
  readonly number: number;
  readonly ended: boolean;
  readonly offsets: readonly PendingOffset[];
}

export function pendingKey(group: string, producerId: number): Key {
  return { pk: groupPk(group), sk: `${PREFIX}${producerId}` };
}

export function decodePending(item: Item | undefined): Pending | undefined {
  if (item === undefined) return undefined;
  checkFormat(item, "offsets of a transaction");
  const packed = item["o"] as readonly Value[] as readonly (readonly [string, number, number, number, number, string])[];
  return {
    counter: item["k"] as number,
    number: item["n"] as number,
    ended: item["d"] as boolean,
    offsets: packed.map(([topicId, partition, offset, leaderEpoch, committedAtMs, metadata]) => ({
      topicId,
      partition,
      offset,
      leaderEpoch,
      committedAtMs,
      metadata,
    })),
  };
}

/** In place of what was read. */
export function putPending(key: Key, pending: Omit<Pending, "counter">, before: Pending | undefined, nowMs: number): Put {
  return {
    op: "put",
    key,
    item: {
      v: FORMAT_VERSION,
      k: (before?.counter ?? 0) + 1,
      n: pending.number,
      d: pending.ended,
      o: pending.offsets.map((one) => [one.topicId, one.partition, one.offset, one.leaderEpoch, one.committedAtMs, one.metadata]),
    },
    when: before === undefined ? [{ item: "absent" }] : [{ path: "k", is: "=", value: before.counter }],
    ...(pending.ended ? { expiresAtMs: nowMs + KEPT_MS } : {}),
  };
}

/** Of those that are open: `<topicId>#<p>` of every partition that waits for its transaction. */
export function pendingPartitions(items: readonly KeyedItem[]): ReadonlySet<string> {
  const open = items.map(({ item }) => decodePending(item)).filter((one) => one !== undefined && !one.ended);
  return new Set(open.flatMap((one) => one?.offsets.map(({ topicId, partition }) => `${topicId}#${partition}`) ?? []));
}
