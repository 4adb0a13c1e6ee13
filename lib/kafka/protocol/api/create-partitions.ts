import { array, bool, defineApi, int16, int32, list, nullable, string, withDefault } from "../schema.ts";

export const createPartitions = defineApi({
  name: "CreatePartitions",
  key: 37,
  versions: [0, 3],
  flexibleFrom: 2,
  request: {
    topics: list({
      name: string,
      count: int32,
      assignments: nullable(
        list({
          brokerIds: array(int32),
        }),
      ),
    }),
    timeoutMs: int32,
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    results: list({
      name: string,
      errorCode: int16,
      errorMessage: withDefault(nullable(string), null),
    }),
  },
});
