import { defineApi, int16, int32, int64, list, since, string, withDefault } from "../schema.ts";

export const offsetForLeaderEpoch = defineApi({
  name: "OffsetForLeaderEpoch",
  key: 23,
  versions: [0, 4],
  flexibleFrom: 4,
  request: {
    replicaId: since(3, int32, -2),
    topics: list({
      topic: string,
      partitions: list({
        partition: int32,
        currentLeaderEpoch: since(2, int32, -1),
        leaderEpoch: int32,
      }),
    }),
  },
  response: {
    throttleTimeMs: since(2, int32, 0),
    topics: list({
      topic: string,
      partitions: list({
        errorCode: int16,
        partition: int32,
        leaderEpoch: since(1, int32, -1),
        endOffset: withDefault(int64, -1),
      }),
    }),
  },
});
