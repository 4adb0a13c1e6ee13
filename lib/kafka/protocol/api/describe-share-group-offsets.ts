import { array, defineApi, int16, int32, int64, list, nullable, since, string, uuid, withDefault } from "../schema.ts";

export const describeShareGroupOffsets = defineApi({
  name: "DescribeShareGroupOffsets",
  key: 90,
  versions: [0, 1],
  flexibleFrom: 0,
  request: {
    groups: list({
      groupId: string,
      topics: nullable(
        list({
          topicName: string,
          partitions: array(int32),
        }),
      ),
    }),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    groups: list({
      groupId: string,
      topics: list({
        topicName: string,
        topicId: uuid,
        partitions: list({
          partitionIndex: int32,
          startOffset: int64,
          leaderEpoch: int32,
          lag: since(1, int64, -1),
          errorCode: int16,
          errorMessage: withDefault(nullable(string), null),
        }),
      }),
      errorCode: int16,
      errorMessage: withDefault(nullable(string), null),
    }),
  },
});
