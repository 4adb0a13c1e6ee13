/** InitProducerId (KIP-98): a producer id for an idempotent producer. */
import { initProducerId } from "../../kafka/protocol/api/init-producer-id.ts";
import { mayAny } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { type ErrorFields, kafkaCodeOf, kafkaError } from "../errors.ts";

export const initProducerIdHandler: Handler = handlerOf(initProducerId, async ({ transactionalId }, call) => {
  const { surface } = call;
  if (!mayAny(call, { resource: "topic", operation: "write" })) return refused(kafkaError("CLUSTER_AUTHORIZATION_FAILED"));
  if (transactionalId === "") return refused(kafkaError("INVALID_REQUEST"));
  // Not retriable, and it says what is the matter: there are no transactions.
  if (transactionalId !== null) return refused(kafkaError("UNSUPPORTED_VERSION"));
  try {
    return { errorCode: 0, ...(await surface.log.allocateProducerId()) };
  } catch (error) {
    return refused({ errorCode: kafkaCodeOf(surface.judge(error, "InitProducerId")) });
  }
});

function refused({ errorCode }: Pick<ErrorFields, "errorCode">) {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
