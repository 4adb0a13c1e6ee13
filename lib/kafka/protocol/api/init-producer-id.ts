import { defineApi, int16, int32, int64, nullable, since, string, withDefault } from "../schema.ts";

export const initProducerId = defineApi({
  name: "InitProducerId",
  key: 22,
  versions: [0, 5],
  flexibleFrom: 2,
  request: {
    transactionalId: nullable(string),
    transactionTimeoutMs: int32,
    producerId: since(3, int64, -1),
    producerEpoch: since(3, int16, -1),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    producerId: withDefault(int64, -1),
    producerEpoch: int16,
  },
});
