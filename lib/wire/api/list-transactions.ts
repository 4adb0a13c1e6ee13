/** ListTransactions (KIP-664, KIP-994, KIP-1152). */
import { listTransactions } from "../../kafka/protocol/api/list-transactions.ts";
import { PHASES } from "../../transactions/machine.ts";
import { mayAny } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { transactionCodeOf, transactionsOf } from "../transactions.ts";

export const listTransactionsHandler: Handler = handlerOf(listTransactions, async (request, call) => {
  const { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern } = request;
  const unknownStateFilters = stateFilters.filter((word) => !PHASES.some((phase) => phase === word));
  const none = { unknownStateFilters, transactionStates: [] };
  // Kafka shows what may be seen: nothing, where nothing may.
  if (!mayAny(call, { resource: "cluster", operation: "describe" })) return { errorCode: 0, ...none };
  // All states that are asked for are unknown: none has them.
  if (stateFilters.length > 0 && unknownStateFilters.length === stateFilters.length) return { errorCode: 0, ...none };
  try {
    const found = await (await transactionsOf(call)).list({
      phases: stateFilters,
      producerIds: producerIdFilters,
      ...(durationFilter < 0 ? {} : { longerThanMs: durationFilter }),
      ...(transactionalIdPattern === null || transactionalIdPattern === "" ? {} : { pattern: transactionalIdPattern }),
    });
    return {
      errorCode: 0,
      unknownStateFilters,
      transactionStates: found.map(({ transactionalId, producerId, phase }) => ({
        transactionalId,
        producerId,
        transactionState: phase,
      })),
    };
  } catch (error) {
    return { errorCode: transactionCodeOf(call, error, "ListTransactions", 0), ...none };
  }
});
