import { array, defineApi, int16, int32, int64, list, nullable, string, withDefault } from "../schema.ts";

export const describeProducers = defineApi({
  name: "DescribeProducers",
  key: 61,
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    topics: list({
      name: string,
      partitionIndexes: array(int32),
    }),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: withDefault(nullable(string), null),
        activeProducers: list({
          producerId: int64,
          producerEpoch: int32,
          lastSequence: withDefault(int32, -1),
          lastTimestamp: withDefault(int64, -1),
          coordinatorEpoch: int32,
          currentTxnStartOffset: withDefault(int64, -1),
        }),
      }),
    }),
  },
});
