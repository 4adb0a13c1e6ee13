/**
 * A transactional id: who its producer is and where its transaction stands. Key `TXN#<shard>`, the id (sharded by CRC, so that
 * they can be listed).
 *
 * | attribute | what |
 * |---|---|
 * | `v`, `k` | format version; counter: every change adds one, on condition of what it was |
 * | `p`, `e` | producer id and epoch |
 * | `l` | the epoch before it, where its producer may not have heard of the newer one; -1: none |
 * | `q` | the producer id that it had before, whose epochs were used up, or goes on with when they are; -1: none |
 * | `s` | phase |
 * | `n` | number of its transaction: grows with each that begins |
 * | `m` | time-out in milliseconds |
 * | `b`, `u` | when the transaction began, and when the item was last changed |
 * | `t` | partitions, `<topicId>#<p>` |
 * | `g` | groups |
 *
 * It expires some days after the last change, never while a transaction is open (005).
 */
import { crc32c } from "../../kafka/index.ts";
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Item, Key, Put } from "../../ports/index.ts";
import type { TransactionState } from "../machine.ts";

const SHARDS = 8;
export const TRANSACTION_SHARDS: readonly string[] = Array.from({ length: SHARDS }, (_, shard) => `TXN#${shard}`);

export interface Versioned {
  readonly state: TransactionState;
  readonly counter: number;
}

export function transactionKey(transactionalId: string): Key {
  const shard = crc32c(new TextEncoder().encode(transactionalId)) % SHARDS;
  return { pk: `TXN#${shard}`, sk: transactionalId };
}

/** In place of what was read. `expiresAtMs` undefined: it stays. */
export function putTransaction(
  transactionalId: string,
  state: TransactionState,
  before: Versioned | undefined,
  expiresAtMs: number | undefined,
): Put {
  return {
    op: "put",
    key: transactionKey(transactionalId),
    item: {
      v: FORMAT_VERSION,
      k: (before?.counter ?? 0) + 1,
      p: state.producerId,
      e: state.epoch,
      l: state.lastEpoch,
      q: state.previousProducerId,
      s: state.phase,
      n: state.number,
      m: state.timeoutMs,
      b: state.startedMs,
      u: state.updatedMs,
      t: state.partitions,
      g: state.groups,
    },
    when: before === undefined ? [{ item: "absent" }] : [{ path: "k", is: "=", value: before.counter }],
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  };
}

export function decodeTransaction(item: Item): Versioned {
  checkFormat(item, "a transactional id");
  return {
    counter: item["k"] as number,
    state: {
      producerId: item["p"] as number,
      epoch: item["e"] as number,
      lastEpoch: item["l"] as number,
      previousProducerId: item["q"] as number,
      phase: item["s"] as TransactionState["phase"],
      number: item["n"] as number,
      timeoutMs: item["m"] as number,
      startedMs: item["b"] as number,
      updatedMs: item["u"] as number,
      partitions: item["t"] as readonly string[],
      groups: item["g"] as readonly string[],
    },
  };
}
