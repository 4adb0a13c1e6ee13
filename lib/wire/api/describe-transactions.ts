/** DescribeTransactions (KIP-664). */
import { describeTransactions } from "../../kafka/protocol/api/describe-transactions.ts";
import { may, mayAny } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaError } from "../errors.ts";
import { byTopic } from "../groups.ts";
import { transactionCodeOf, transactionsOf } from "../transactions.ts";

export const describeTransactionsHandler: Handler = handlerOf(describeTransactions, async ({ transactionalIds }, call) => {
  const refused = (transactionalId: string, errorCode: number) => ({
    errorCode,
    transactionalId,
    transactionState: "",
    transactionTimeoutMs: 0,
    transactionStartTimeMs: -1,
    producerId: -1,
    producerEpoch: -1,
    topics: [],
  });
  if (!mayAny(call, { resource: "cluster", operation: "describe" })) {
    const { errorCode } = kafkaError("TRANSACTIONAL_ID_AUTHORIZATION_FAILED");
    return { transactionStates: transactionalIds.map((id) => refused(id, errorCode)) };
  }
  const transactions = await transactionsOf(call);
  return {
    transactionStates: await Promise.all(
      transactionalIds.map(async (transactionalId) => {
        try {
          const { phase, timeoutMs, startedMs, producerId, epoch, partitions } = await transactions.describe(transactionalId);
          const shown = partitions.filter(({ topic }) => may(call, "describe", topic));
          return {
            errorCode: 0,
            transactionalId,
            transactionState: phase,
            transactionTimeoutMs: timeoutMs,
            transactionStartTimeMs: startedMs,
            producerId,
            producerEpoch: epoch,
            topics: [...byTopic(shown)].map(([topic, some]) => ({ topic, partitions: some.map(({ partition }) => partition) })),
          };
        } catch (error) {
          return refused(transactionalId, transactionCodeOf(call, error, "DescribeTransactions", 0));
        }
      }),
    ),
  };
});
