/** Transactional ids as they are told of. */
import { compileRegex } from "../groups/consumer/regex.ts";
import { parsePartitionName } from "../log/items/head.ts";
import { storageStep } from "../log/storage-errors.ts";
import type { LogApi } from "../log/types.ts";
import type { Clock, KeyedItem, Storage } from "../ports/index.ts";
import { decodeTransaction, TRANSACTION_SHARDS, transactionKey } from "./items/transaction.ts";
import type { TransactionState } from "./machine.ts";
import type { TransactionDescription, TransactionFilter } from "./types.ts";

export interface ListParts {
  readonly storage: Storage;
  readonly log: LogApi;
  readonly clock: Clock;
}

/** By id. `only`: this one, if it is there. */
export async function listTransactions(
  { storage, log, clock }: ListParts,
  filter: TransactionFilter & { readonly only?: string },
): Promise<TransactionDescription[]> {
  const matches = filter.pattern === undefined ? () => true : compileRegex(filter.pattern);
  const items = await storageStep("read the transactions", () => readItems(storage, filter.only));
  const found = items
    .map(({ key, item }) => ({ id: key.sk, state: decodeTransaction(item).state }))
    .filter(({ id, state }) => matches(id) && isAsked(state, filter, clock.nowMs()))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const topics = found.some(({ state }) => state.partitions.length > 0) ? await log.listTopics() : [];
  const names = new Map(topics.map(({ id, name }) => [id, name]));
  return found.map(({ id, state }) => description(id, state, names));
}

async function readItems({ table }: Storage, only: string | undefined): Promise<KeyedItem[]> {
  if (only === undefined) return (await Promise.all(TRANSACTION_SHARDS.map((shard) => table.range(shard)))).flat();
  const key = transactionKey(only);
  const item = await table.get(key);
  return item === undefined ? [] : [{ key, item }];
}

function isAsked(state: TransactionState, filter: TransactionFilter, nowMs: number): boolean {
  const { phases = [], producerIds = [], longerThanMs = -1 } = filter;
  return (
    (phases.length === 0 || phases.includes(state.phase)) &&
    (producerIds.length === 0 || producerIds.includes(state.producerId)) &&
    (longerThanMs < 0 || (state.startedMs >= 0 && nowMs - state.startedMs > longerThanMs))
  );
}

/** Partitions of topics that were deleted meanwhile are left out. */
function description(
  transactionalId: string,
  state: TransactionState,
  names: ReadonlyMap<string, string>,
): TransactionDescription {
  const { phase, producerId, epoch, timeoutMs, startedMs } = state;
  const partitions = state.partitions.flatMap((one) => {
    const { topicId, partition } = parsePartitionName(one);
    const topic = names.get(topicId);
    return topic === undefined ? [] : [{ topic, partition }];
  });
  return { transactionalId, phase, producerId, epoch, timeoutMs, startedMs, partitions };
}
