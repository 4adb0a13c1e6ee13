import { bool, defineApi, int16, int32, int64, since, string, withDefault } from "../schema.ts";

export const endTxn = defineApi({
  name: "EndTxn",
  key: 26,
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    producerId: since(5, int64, -1),
    producerEpoch: since(5, int16, -1),
  },
});
