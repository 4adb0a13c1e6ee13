/**
 * The appends of one Produce request of a transactional producer. Its guards are read and its transaction looked at once for all
 * partitions, before any of them is appended to.
 */
import { BrokerlessError } from "../base/errors.ts";
import { peekBatchHeader } from "../kafka/index.ts";
import type { AppendRequest, AppendResult } from "../log/types.ts";
import type { TransactionalProducer } from "../transactions/types.ts";
import type { Call } from "./call.ts";
import type { NamedOrNot } from "./topic-names.ts";
import { transactionsFor } from "./transactions.ts";

/** From this version of Produce on partitions need not be added before (KIP-890). */
const ADDS_FROM = 12;
/** Transactions that end in the partition meanwhile make the append look again. */
const TRIES = 10;

interface Data {
  readonly partitionData: readonly { readonly index: number; readonly records: Uint8Array | null }[];
}
type Place = Omit<AppendRequest, "batches">;

export class TransactionGuards {
  readonly #transactionalId: string;
  readonly #call: Call;
  readonly #guards = new Map<string, number | BrokerlessError>();
  #producer: TransactionalProducer | undefined;
  /** Why none of them may be appended. */
  #refused: unknown;

  constructor(transactionalId: string, call: Call) {
    this.#transactionalId = transactionalId;
    this.#call = call;
  }

  /** For all partitions that the request names rightly. What goes wrong is the answer of `append`. */
  async read(topics: readonly Data[], names: readonly NamedOrNot[]): Promise<void> {
    const places = topics.flatMap(({ partitionData }, i): Place[] => {
      const named = names[i];
      if (named === undefined || "error" in named) return [];
      return partitionData.flatMap(({ index, records }) => {
        if (records === null || records.byteLength === 0) return [];
        this.#producer ??= producerOf(this.#transactionalId, records);
        return [{ ...named.found, partition: index }];
      });
    });
    await this.#look(places);
  }

  async #look(places: readonly Place[]): Promise<void> {
    const producer = this.#producer;
    if (producer === undefined || places.length === 0) return;
    try {
      const transactions = await transactionsFor(this.#call);
      const guards = await transactions.guards(producer, places, this.#call.version >= ADDS_FROM);
      for (const [i, place] of places.entries()) this.#guards.set(nameOf(place), guards[i] as number | BrokerlessError);
    } catch (error) {
      this.#refused = forProduce(error);
    }
  }

  /** Throws what `LogApi.append` throws, `invalid_txn_state`, `invalid_producer_epoch`, `invalid_producer_id_mapping`. */
  async append(request: AppendRequest): Promise<AppendResult> {
    const { log } = this.#call.surface;
    for (let tries = 1; ; tries++) {
      if (this.#refused !== undefined) throw this.#refused;
      const guard = this.#guards.get(nameOf(request));
      if (guard instanceof BrokerlessError) throw guard;
      try {
        return await log.append(guard === undefined ? request : { ...request, transactionGuard: guard });
      } catch (error) {
        const again = error instanceof BrokerlessError && error.code === "concurrent_transactions" && tries < TRIES;
        if (!again) throw error;
      }
      await this.#look([request]);
    }
  }
}

function nameOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}

/** What is wrong with the batch itself the log says. */
function producerOf(transactionalId: string, records: Uint8Array): TransactionalProducer | undefined {
  try {
    const { producerId, producerEpoch } = peekBatchHeader(records, 0);
    return { transactionalId, producerId, epoch: producerEpoch };
  } catch (error) {
    if (error instanceof BrokerlessError) return undefined;
    throw error;
  }
}

/** Producers take this for what other requests are told of as PRODUCER_FENCED. */
function forProduce(error: unknown): unknown {
  if (!(error instanceof BrokerlessError)) return error;
  if (error.code === "producer_fenced") return new BrokerlessError("invalid_producer_epoch", error.message);
  return error;
}
