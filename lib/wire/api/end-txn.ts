/** EndTxn (KIP-98, KIP-890): when it is answered, readers know the outcome. */
import { endTxn } from "../../kafka/protocol/api/end-txn.ts";
import { type Handler, handlerOf } from "../call.ts";
import { producerOf, transactionCodeOf, transactionsFor } from "../transactions.ts";

const FENCED_FROM = 2;
/** From here on every transaction ends with a higher epoch. */
const BUMPS_FROM = 5;

export const endTxnHandler: Handler = handlerOf(endTxn, async (request, call) => {
  try {
    const transactions = await transactionsFor(call);
    const { producerId, epoch } = await transactions.end(producerOf(request), request.committed, call.version >= BUMPS_FROM);
    return { errorCode: 0, producerId, producerEpoch: epoch };
  } catch (error) {
    return { errorCode: transactionCodeOf(call, error, "EndTxn", FENCED_FROM) };
  }
});
