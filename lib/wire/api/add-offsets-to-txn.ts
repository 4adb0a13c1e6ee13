/** AddOffsetsToTxn (KIP-98): a group whose offsets are committed with the transaction. */
import { addOffsetsToTxn } from "../../kafka/protocol/api/add-offsets-to-txn.ts";
import { mayGroup } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaError } from "../errors.ts";
import { producerOf, transactionCodeOf, transactionsFor } from "../transactions.ts";

const FENCED_FROM = 2;

export const addOffsetsToTxnHandler: Handler = handlerOf(addOffsetsToTxn, async (request, call) => {
  if (!mayGroup(call, "read", request.groupId)) return { errorCode: kafkaError("GROUP_AUTHORIZATION_FAILED").errorCode };
  try {
    await (await transactionsFor(call)).addGroup(producerOf(request), request.groupId);
    return { errorCode: 0 };
  } catch (error) {
    return { errorCode: transactionCodeOf(call, error, "AddOffsetsToTxn", FENCED_FROM) };
  }
});
