/** InitProducerId (KIP-98, KIP-360): a producer id, for an idempotent producer or for a transactional id. */
import { initProducerId } from "../../kafka/protocol/api/init-producer-id.ts";
import { mayAny } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { type ErrorFields, kafkaCodeOf, kafkaError } from "../errors.ts";
import { transactionCodeOf, transactionsFor } from "../transactions.ts";

/** PRODUCER_FENCED is known from here on. */
const FENCED_FROM = 4;

export const initProducerIdHandler: Handler = handlerOf(initProducerId, async (request, call) => {
  const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request;
  const { surface } = call;
  if (!mayAny(call, { resource: "topic", operation: "write" })) {
    return refused(
      kafkaError(transactionalId === null ? "CLUSTER_AUTHORIZATION_FAILED" : "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    );
  }
  if (transactionalId === "") return refused(kafkaError("INVALID_REQUEST"));
  if (transactionalId !== null && surface.transactions === undefined) return refused(kafkaError("UNSUPPORTED_VERSION"));
  try {
    if (transactionalId === null) return { errorCode: 0, ...(await surface.log.allocateProducerId()) };
    const expected = producerId >= 0 ? { producerId, epoch: producerEpoch } : undefined;
    const given = await (await transactionsFor(call)).initProducer(transactionalId, transactionTimeoutMs, expected);
    return { errorCode: 0, producerId: given.producerId, producerEpoch: given.epoch };
  } catch (error) {
    const errorCode =
      transactionalId === null
        ? kafkaCodeOf(surface.judge(error, "InitProducerId"))
        : transactionCodeOf(call, error, "InitProducerId", FENCED_FROM);
    return refused({ errorCode });
  }
});

function refused({ errorCode }: Pick<ErrorFields, "errorCode">) {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
