import { array, defineApi, int16, int32, int64, list, nullable, since, string, withDefault } from "../schema.ts";

export const listTransactions = defineApi({
  name: "ListTransactions",
  key: 66,
  versions: [0, 2],
  flexibleFrom: 0,
  request: {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: since(1, int64, -1),
    transactionalIdPattern: since(2, nullable(string), null),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: list({
      transactionalId: string,
      producerId: int64,
      transactionState: string,
    }),
  },
});
