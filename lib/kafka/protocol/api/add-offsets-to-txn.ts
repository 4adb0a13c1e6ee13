import { defineApi, int16, int32, int64, string, withDefault } from "../schema.ts";

export const addOffsetsToTxn = defineApi({
  name: "AddOffsetsToTxn",
  key: 25,
  versions: [0, 4],
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
  },
});
