/** What the handlers of the transaction APIs have in common. */
import { BrokerlessError } from "../base/errors.ts";
import { KAFKA_ERRORS, type KafkaErrorName } from "../kafka/index.ts";
import type { TransactionalProducer, TransactionsApi } from "../transactions/types.ts";
import { mayAny } from "./access.ts";
import type { Call } from "./call.ts";
import { kafkaCodeOf } from "./errors.ts";

/** For who may write to some topic; each topic is asked for where it is written. Throws `forbidden`. */
export async function transactionsFor(call: Call): Promise<TransactionsApi> {
  if (!mayAny(call, { resource: "topic", operation: "write" })) {
    throw new BrokerlessError("forbidden", "this token lacks the right to write to any topic, so it has no transactions");
  }
  return transactionsOf(call);
}

/** The handlers that ask for it are only there where there are transactions. */
export async function transactionsOf({ surface }: Call): Promise<TransactionsApi> {
  if (surface.transactions === undefined) throw new BrokerlessError("unsupported_version", "this server has no transactions");
  return surface.transactions();
}

interface Asks {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
}

export function producerOf({ transactionalId, producerId, producerEpoch }: Asks): TransactionalProducer {
  return { transactionalId, producerId, epoch: producerEpoch };
}

const STORAGE_TROUBLE: ReadonlySet<string> = new Set(["unavailable", "throttled", "storage_full", "shutting_down", "timeout"]);

/**
 * What clients expect of a transaction coordinator: where the storage is in trouble they look for it again and go on. `fencedFrom`: from this
 * version on clients know PRODUCER_FENCED (KIP-588); before they are told INVALID_PRODUCER_EPOCH.
 */
export function transactionCodeOf(call: Call, error: unknown, request: string, fencedFrom: number): number {
  const judged = call.surface.judge(error, request);
  const lost = judged.outcome === "unknown" && judged.code !== "internal";
  let name: KafkaErrorName | undefined;
  if (lost || STORAGE_TROUBLE.has(judged.code)) name = "COORDINATOR_NOT_AVAILABLE";
  else if (judged.code === "forbidden") name = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED";
  else if (judged.code === "producer_fenced" && call.version < fencedFrom) name = "INVALID_PRODUCER_EPOCH";
  return name === undefined ? kafkaCodeOf(judged) : KAFKA_ERRORS[name].code;
}
