import { defineApi, int16, int32, list, NEVER, string, withDefault } from "../schema.ts";

export const offsetDelete = defineApi({
  name: "OffsetDelete",
  key: 47,
  versions: [0, 0],
  flexibleFrom: NEVER,
  request: {
    groupId: string,
    topics: list({
      name: string,
      partitions: list({
        partitionIndex: int32,
      }),
    }),
  },
  response: {
    errorCode: int16,
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
