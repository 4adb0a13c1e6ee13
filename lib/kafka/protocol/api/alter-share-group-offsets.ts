import { defineApi, int16, int32, int64, list, nullable, string, uuid, withDefault } from "../schema.ts";

export const alterShareGroupOffsets = defineApi({
  name: "AlterShareGroupOffsets",
  key: 91,
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    groupId: string,
    topics: list({
      topicName: string,
      partitions: list({
        partitionIndex: int32,
        startOffset: int64,
      }),
    }),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    errorMessage: withDefault(nullable(string), null),
    responses: list({
      topicName: string,
      topicId: uuid,
      partitions: list({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: withDefault(nullable(string), null),
      }),
    }),
  },
});
