/**
 * Transactions over the log and groups: any process serves any call. Each step reads the item of the transactional id, asks the
 * machine what becomes of it, and writes that on condition that it has not changed (docs/decisions/005-transactions.md).
 *
 * A crash after the commit point leaves a prepared transaction; whoever meets it, a later call or the job, ends it. A write whose
 * answer was lost is found by reading again: every request may be made twice.
 */
import { BrokerlessError } from "../base/errors.ts";
import type { CommitRequest, GroupsApi, PartitionAnswer } from "../groups/types.ts";
import { parsePartitionName, partitionName } from "../log/items/head.ts";
import { fromStorage, isRefusal, storageStep } from "../log/storage-errors.ts";
import { unknownPartition } from "../log/topics.ts";
import type { LogApi } from "../log/types.ts";
import { type Clock, type Ids, type Storage, StorageError } from "../ports/index.ts";
import { textBytes } from "../ports/values.ts";
import { decodeTransaction, putTransaction, transactionKey, type Versioned } from "./items/transaction.ts";
import { listTransactions } from "./list.ts";
import {
  aborting,
  add,
  completed,
  end,
  initProducer,
  isOverdue,
  isPrepared,
  type ProducerRef,
  type Step,
  verify,
} from "./machine.ts";
import type * as T from "./types.ts";

export interface TransactionParts {
  readonly storage: Storage;
  readonly log: LogApi;
  readonly groups: GroupsApi;
  readonly clock: Clock;
  readonly ids: Ids;
}

export interface TransactionSettings {
  /** `transaction.max.timeout.ms` */
  readonly timeoutMostMs: number;
  /** `transactional.id.expiration.ms` */
  readonly expirationMs: number;
}

export const TRANSACTION_DEFAULTS: TransactionSettings = { timeoutMostMs: 900_000, expirationMs: 7 * 24 * 3_600_000 };

const GIVE_UP_MS = 20_000;
const ID_MOST_BYTES = 1000;

export function createTransactions(parts: TransactionParts, settings: Partial<TransactionSettings> = {}): Transactions {
  return new Transactions(parts, { ...TRANSACTION_DEFAULTS, ...settings });
}

type Decide = (before: Versioned | undefined, freshId: number | undefined) => Step;

export class Transactions implements T.TransactionsApi {
  readonly #parts: TransactionParts;
  readonly #settings: TransactionSettings;

  constructor(parts: TransactionParts, settings: TransactionSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  async initProducer(transactionalId: string, timeoutMs: number, expected?: ProducerRef): Promise<ProducerRef> {
    checkId(transactionalId);
    const { timeoutMostMs } = this.#settings;
    if (!(timeoutMs >= 1 && timeoutMs <= timeoutMostMs)) {
      throw new BrokerlessError(
        "invalid_transaction_timeout",
        `transaction time-out ${timeoutMs} ms; 1 to ${timeoutMostMs} (transaction.max.timeout.ms)`,
        { field: "transaction_timeout_ms" },
      );
    }
    let asks = expected;
    const { state } = await this.#change(transactionalId, (before, freshId) => {
      const step = initProducer(before?.state, timeoutMs, asks, freshId, this.#parts.clock.nowMs());
      // Its own transaction is aborted under an epoch that nobody was given: after that it need not say who it was.
      if (step.kind === "put" && isPrepared(step.state)) asks = undefined;
      return step;
    });
    return { producerId: state.producerId, epoch: state.epoch };
  }

  async addPartitions(
    producer: T.TransactionalProducer,
    partitions: readonly T.TransactionPartition[],
  ): Promise<(BrokerlessError | undefined)[]> {
    const names = await this.#names(partitions);
    const errors = names.map((one) => (one instanceof BrokerlessError ? one : undefined));
    if (errors.some((error) => error !== undefined)) {
      return errors.map(
        (error) =>
          error ?? new BrokerlessError("transaction_abortable", "another partition of the request was refused: none was added"),
      );
    }
    await this.#add(producer, { partitions: names as string[] });
    return errors;
  }

  async verifyPartitions(producer: T.TransactionalProducer, partitions: readonly T.TransactionPartition[]): Promise<void> {
    const names = (await this.#names(partitions)).filter((one) => typeof one === "string");
    await this.#verify(producer, { partitions: names });
  }

  async addGroup(producer: T.TransactionalProducer, group: string): Promise<void> {
    await this.#add(producer, { groups: [group] });
  }

  async commitOffsets(producer: T.TransactionalProducer, request: CommitRequest, adds: boolean): Promise<PartitionAnswer[]> {
    const { state } = adds
      ? await this.#add(producer, { groups: [request.group] })
      : await this.#verify(producer, { group: request.group });
    return this.#parts.groups.noteOffsets(request, { producerId: producer.producerId, number: state.number });
  }

  async guards(
    producer: T.TransactionalProducer,
    partitions: readonly T.TransactionPartition[],
    adds: boolean,
  ): Promise<(number | BrokerlessError)[]> {
    // Before the transaction is looked at (005, T3).
    const [guards, names] = await Promise.all([
      this.#parts.log.transactionGuards(
        partitions.map(({ topicId, ...one }) => (topicId === undefined ? one : { ...one, topicId })),
      ),
      this.#names(partitions),
    ]);
    const known = names.filter((name, i) => typeof name === "string" && typeof guards[i] === "number") as string[];
    if (known.length > 0)
      await (adds ? this.#add(producer, { partitions: known }) : this.#verify(producer, { partitions: known }));
    return guards.map((guard, i) => (names[i] instanceof BrokerlessError ? names[i] : guard));
  }

  async end(producer: T.TransactionalProducer, commit: boolean, bumps: boolean): Promise<ProducerRef> {
    const { transactionalId } = producer;
    checkId(transactionalId);
    const { clock } = this.#parts;
    const decide: Decide = (before, freshId) => end(before?.state, producer, commit, bumps, freshId, clock.nowMs());
    const { state } = await this.#change(transactionalId, decide);
    return { producerId: state.producerId, epoch: state.epoch };
  }

  async describe(transactionalId: string): Promise<T.TransactionDescription> {
    checkId(transactionalId);
    const [found] = await listTransactions(this.#parts, { only: transactionalId });
    if (found === undefined) {
      throw new BrokerlessError("transactional_id_not_found", `there is no transactional id "${transactionalId}"`, {
        field: "transactional_id",
      });
    }
    return found;
  }

  list(filter: T.TransactionFilter = {}): Promise<T.TransactionDescription[]> {
    return listTransactions(this.#parts, filter);
  }

  /** For the job: aborts what took too long and ends what is prepared. Answers what it did. */
  async settle(transactionalId: string): Promise<"aborted" | "completed" | "nothing"> {
    const { clock } = this.#parts;
    const before = await this.#read(transactionalId);
    if (before === undefined) return "nothing";
    if (isPrepared(before.state)) {
      await this.#complete(transactionalId, before);
      return "completed";
    }
    if (!isOverdue(before.state, clock.nowMs())) return "nothing";
    await this.#change(transactionalId, (now) =>
      now !== undefined && isOverdue(now.state, clock.nowMs())
        ? { kind: "put", state: aborting(now.state, clock.nowMs()) }
        : SAME,
    );
    return "aborted";
  }

  #add(producer: T.TransactionalProducer, what: Parameters<typeof add>[2]): Promise<Versioned> {
    checkId(producer.transactionalId);
    return this.#change(producer.transactionalId, (before) => add(before?.state, producer, what, this.#parts.clock.nowMs()));
  }

  #verify(producer: T.TransactionalProducer, what: Parameters<typeof verify>[2]): Promise<Versioned> {
    checkId(producer.transactionalId);
    return this.#change(producer.transactionalId, (before) => verify(before?.state, producer, what));
  }

  async #read(transactionalId: string): Promise<Versioned | undefined> {
    const item = await storageStep("read the transaction", () => this.#parts.storage.table.get(transactionKey(transactionalId)));
    return item && decodeTransaction(item);
  }

  /** Decides until it holds: the item as it is then, all of its transaction ended where that was decided. */
  async #change(transactionalId: string, decide: Decide): Promise<Versioned> {
    const { clock, ids, log } = this.#parts;
    const until = clock.monotonicMs() + GIVE_UP_MS;
    let freshId: number | undefined;
    /** The item as this process has just left it. */
    let left: Versioned | undefined;
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 500)) {
      const before = left ?? (await this.#read(transactionalId));
      left = undefined;
      const step = decide(before, freshId);
      if (step.kind === "refused") throw step.error;
      if (step.kind === "same") return before as Versioned;
      if (step.kind === "fresh") freshId = (await log.allocateProducerId()).producerId;
      else if (step.kind === "complete") left = await this.#complete(transactionalId, before as Versioned);
      else if (await this.#put(transactionalId, step.state, before)) {
        const after = { state: step.state, counter: (before?.counter ?? 0) + 1 };
        if (!isPrepared(step.state)) return after;
        left = await this.#complete(transactionalId, after);
      } else {
        if (clock.monotonicMs() >= until) {
          throw new BrokerlessError("concurrent_transactions", `transactional id "${transactionalId}" changes all the time`);
        }
        await clock.sleep(Math.ceil(pauseMs * ids.random()));
      }
    }
  }

  /** False: somebody else was faster, or it is not known: look again. */
  async #put(transactionalId: string, state: Versioned["state"], before: Versioned | undefined): Promise<boolean> {
    const open = state.phase === "Ongoing" || isPrepared(state);
    const expiresAtMs = open ? undefined : this.#parts.clock.nowMs() + this.#settings.expirationMs;
    try {
      await this.#parts.storage.table.write(putTransaction(transactionalId, state, before, expiresAtMs));
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      if (error instanceof StorageError && (error.kind === "contended" || error.kind === "unknown")) return false;
      throw fromStorage(error, `transactional id "${transactionalId}"`);
    }
  }

  /** Writes markers and offsets, then that it is done. Undefined where somebody else has noted that. */
  async #complete(transactionalId: string, prepared: Versioned): Promise<Versioned | undefined> {
    const { log, groups, clock } = this.#parts;
    const { state, counter } = prepared;
    const commit = state.phase === "PrepareCommit";
    const stillDue = async (): Promise<boolean> => (await this.#read(transactionalId))?.counter === counter;
    const partitions = state.partitions.map(parsePartitionName);
    if (partitions.length > 0) {
      await log.endTransaction({ partitions, producerId: state.producerId, producerEpoch: state.epoch, commit }, stillDue);
    }
    for (const group of state.groups) {
      await groups.finishOffsets(group, { producerId: state.producerId, number: state.number }, commit);
    }
    const after = completed(state, clock.nowMs());
    return (await this.#put(transactionalId, after, prepared)) ? { state: after, counter: counter + 1 } : undefined;
  }

  /** `<topicId>#<p>` of each, or why there is none. */
  #names(partitions: readonly T.TransactionPartition[]): Promise<(string | BrokerlessError)[]> {
    return Promise.all(
      partitions.map(async ({ topic: name, topicId, partition }) => {
        try {
          const topic = await this.#parts.log.topic(name);
          if (topicId !== undefined && topic.id !== topicId)
            throw new BrokerlessError("unknown_topic", `there is no topic "${name}"`);
          if (!(Number.isInteger(partition) && partition >= 0 && partition < topic.partitions))
            throw unknownPartition(topic, partition);
          return partitionName(topic.id, partition);
        } catch (error) {
          if (error instanceof BrokerlessError && (error.code === "unknown_topic" || error.code === "unknown_partition"))
            return error;
          throw error;
        }
      }),
    );
  }
}

const SAME: Step = { kind: "same" };

function checkId(transactionalId: string): void {
  const sizeBytes = textBytes(transactionalId);
  if (sizeBytes >= 1 && sizeBytes <= ID_MOST_BYTES && transactionalId.isWellFormed()) return;
  throw new BrokerlessError(
    "invalid_request",
    `a transactional id is 1 to ${ID_MOST_BYTES} bytes of Unicode; "${transactionalId.slice(0, 60)}" has ${sizeBytes}`,
    { field: "transactional_id" },
  );
}
