/** AddPartitionsToTxn (KIP-98): all of them are added, or none. */
import { addPartitionsToTxn } from "../../kafka/protocol/api/add-partitions-to-txn.ts";
import type { Decoded } from "../../kafka/protocol/schema.ts";
import type { TransactionPartition } from "../../transactions/types.ts";
import { may } from "../access.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { kafkaCodeOf, kafkaError } from "../errors.ts";
import { transactionCodeOf, transactionsFor } from "../transactions.ts";

type Request = Decoded<typeof addPartitionsToTxn.request>;

const FENCED_FROM = 2;
const FORBIDDEN = kafkaError("TOPIC_AUTHORIZATION_FAILED").errorCode;
/** Of the others, where one was refused. */
const NOT_ATTEMPTED = kafkaError("OPERATION_NOT_ATTEMPTED").errorCode;

export const addPartitionsToTxnHandler: Handler = handlerOf(addPartitionsToTxn, async (request, call) => {
  const topics = request.v3AndBelowTopics;
  const asked = topics.flatMap(({ name, partitions }) => partitions.map((partition) => ({ topic: name, partition })));
  const codes = await add(request, asked, call);
  let at = 0;
  return {
    resultsByTopicV3AndBelow: topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: codes[at++] ?? 0 })),
    })),
  };
});

/** An error code for each partition. */
async function add(request: Request, asked: readonly TransactionPartition[], call: Call): Promise<number[]> {
  const forbidden = new Set(asked.filter(({ topic }) => !may(call, "write", topic)).map(({ topic }) => topic));
  if (forbidden.size > 0) return asked.map(({ topic }) => (forbidden.has(topic) ? FORBIDDEN : NOT_ATTEMPTED));
  const producer = {
    transactionalId: request.v3AndBelowTransactionalId,
    producerId: request.v3AndBelowProducerId,
    epoch: request.v3AndBelowProducerEpoch,
  };
  try {
    const errors = await (await transactionsFor(call)).addPartitions(producer, asked);
    return errors.map((error) =>
      error === undefined ? 0 : error.code === "transaction_abortable" ? NOT_ATTEMPTED : kafkaCodeOf(error),
    );
  } catch (error) {
    const code = transactionCodeOf(call, error, "AddPartitionsToTxn", FENCED_FROM);
    return asked.map(() => code);
  }
}
