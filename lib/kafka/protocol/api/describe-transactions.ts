import { array, defineApi, int16, int32, int64, list, string, withDefault } from "../schema.ts";

export const describeTransactions = defineApi({
  name: "DescribeTransactions",
  key: 65,
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    transactionalIds: array(string),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    transactionStates: list({
      errorCode: int16,
      transactionalId: string,
      transactionState: string,
      transactionTimeoutMs: int32,
      transactionStartTimeMs: int64,
      producerId: int64,
      producerEpoch: int16,
      topics: list({
        topic: string,
        partitions: array(int32),
      }),
    }),
  },
});
