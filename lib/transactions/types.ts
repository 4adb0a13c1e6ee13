/** What transactions give to every surface. Implemented by `createTransactions`. All errors are `BrokerlessError`. */
import type { BrokerlessError } from "../base/errors.ts";
import type { CommitRequest, PartitionAnswer } from "../groups/types.ts";
import type { Phase, ProducerRef } from "./machine.ts";

/** A producer with its transactional id. Throws of all calls: `producer_fenced`, `invalid_producer_id_mapping`. */
export interface TransactionalProducer extends ProducerRef {
  readonly transactionalId: string;
}

export interface TransactionPartition {
  readonly topic: string;
  /** Where given, the topic must still be this one. */
  readonly topicId?: string | undefined;
  readonly partition: number;
}

export interface TransactionDescription {
  readonly transactionalId: string;
  readonly phase: Phase;
  readonly producerId: number;
  readonly epoch: number;
  readonly timeoutMs: number;
  /** -1 while there is none. */
  readonly startedMs: number;
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}

export interface TransactionFilter {
  /** Kafka's words: `Empty`, `Ongoing`, `PrepareCommit`, ... None: all. */
  readonly phases?: readonly string[] | undefined;
  readonly producerIds?: readonly number[] | undefined;
  /** Only transactions that are open for longer. */
  readonly longerThanMs?: number | undefined;
  /** RE2's syntax, of the whole id. */
  readonly pattern?: string | undefined;
}

export interface TransactionsApi {
  /**
   * The producer id and epoch of a transactional id, higher than any that was given: who had it before is shut out, its open
   * transaction aborted. `expected`: who asks says who it is, and is refused where it is no longer (KIP-360). Throws
   * `invalid_transaction_timeout`, `invalid_request`, `producer_fenced`.
   */
  initProducer(transactionalId: string, timeoutMs: number, expected?: ProducerRef): Promise<ProducerRef>;
  /** Begins the transaction or goes on with it: one answer a partition, undefined where it is in it; all or none. */
  addPartitions(
    producer: TransactionalProducer,
    partitions: readonly TransactionPartition[],
  ): Promise<(BrokerlessError | undefined)[]>;
  /** Are these partitions in the open transaction? Changes nothing. Throws `invalid_txn_state`. */
  verifyPartitions(producer: TransactionalProducer, partitions: readonly TransactionPartition[]): Promise<void>;
  /** Before offsets of a group are committed with the transaction. */
  addGroup(producer: TransactionalProducer, group: string): Promise<void>;
  /** Answered as a commit; seen when the transaction commits. `adds`: the group need not have been added (KIP-890). */
  commitOffsets(producer: TransactionalProducer, request: CommitRequest, adds: boolean): Promise<PartitionAnswer[]>;
  /**
   * What batches of the transaction are appended with, for each partition (`AppendRequest.transactionGuard`), or why not. `adds`: as above.
   * Where the append says `concurrent_transactions`, ask again.
   */
  guards(
    producer: TransactionalProducer,
    partitions: readonly TransactionPartition[],
    adds: boolean,
  ): Promise<(number | BrokerlessError)[]>;
  /**
   * Commits or aborts: when it resolves, readers know. The producer goes on with the id and epoch of the answer: with `bumps` (KIP-890) a
   * higher one. A repetition is answered alike. Throws `invalid_txn_state`.
   */
  end(producer: TransactionalProducer, commit: boolean, bumps: boolean): Promise<ProducerRef>;
  /** Throws `transactional_id_not_found`. */
  describe(transactionalId: string): Promise<TransactionDescription>;
  /** By transactional id. Throws `invalid_regular_expression`. */
  list(filter?: TransactionFilter): Promise<TransactionDescription[]>;
}
