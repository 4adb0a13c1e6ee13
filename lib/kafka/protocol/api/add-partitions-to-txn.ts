import { array, defineApi, int16, int32, int64, list, string, withDefault } from "../schema.ts";

/** From version 4 on it is for brokers among themselves. */
export const addPartitionsToTxn = defineApi({
  name: "AddPartitionsToTxn",
  key: 24,
  versions: [0, 3],
  flexibleFrom: 3,
  request: {
    v3AndBelowTransactionalId: string,
    v3AndBelowProducerId: int64,
    v3AndBelowProducerEpoch: int16,
    v3AndBelowTopics: list({
      name: string,
      partitions: array(int32),
    }),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    resultsByTopicV3AndBelow: list({
      name: string,
      resultsByPartition: list({
        partitionIndex: int32,
        partitionErrorCode: int16,
      }),
    }),
  },
});
