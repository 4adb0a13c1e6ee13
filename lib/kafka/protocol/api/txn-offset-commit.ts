import { defineApi, int16, int32, int64, list, nullable, since, string, withDefault } from "../schema.ts";

export const txnOffsetCommit = defineApi({
  name: "TxnOffsetCommit",
  key: 28,
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationId: since(3, int32, -1),
    memberId: since(3, string, ""),
    groupInstanceId: since(3, nullable(string), null),
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: since(2, int32, -1),
        committedMetadata: nullable(string),
      }),
    }),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
});
