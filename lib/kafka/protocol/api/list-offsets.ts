import { array, defineApi, int8, int16, int32, int64, list, since, string, until } from "../schema.ts";

export const listOffsets = defineApi({
  name: "ListOffsets",
  key: 2,
  versions: [0, 10],
  flexibleFrom: 6,
  request: {
    replicaId: int32,
    isolationLevel: since(2, int8),
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
        currentLeaderEpoch: since(4, int32, -1),
        timestamp: int64,
        maxNumOffsets: until(0, int32, 1),
      }),
    }),
    timeoutMs: since(10, int32),
  },
  response: {
    throttleTimeMs: since(2, int32, 0),
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
        errorCode: int16,
        oldStyleOffsets: until(0, array(int64)),
        timestamp: since(1, int64, -1),
        offset: since(1, int64, -1),
        leaderEpoch: since(4, int32, -1),
      }),
    }),
  },
});
