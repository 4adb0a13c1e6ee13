import { defineApi, int16, int32, int64, list, string, withDefault } from "../schema.ts";

export const deleteRecords = defineApi({
  name: "DeleteRecords",
  key: 21,
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
        offset: int64,
      }),
    }),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
        lowWatermark: int64,
        errorCode: int16,
      }),
    }),
  },
});
