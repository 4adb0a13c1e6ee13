import { array, bool, defineApi, int16, int32, int64, list, nullable, since, string, withDefault } from "../schema.ts";

export const describeLogDirs = defineApi({
  name: "DescribeLogDirs",
  key: 35,
  versions: [0, 4],
  flexibleFrom: 2,
  request: {
    topics: nullable(
      list({
        topic: string,
        partitions: array(int32),
      }),
    ),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: since(3, int16),
    results: list({
      errorCode: int16,
      logDir: string,
      topics: list({
        name: string,
        partitions: list({
          partitionIndex: int32,
          partitionSize: int64,
          offsetLag: int64,
          isFutureKey: bool,
        }),
      }),
      totalBytes: since(4, int64, -1),
      usableBytes: since(4, int64, -1),
    }),
  },
});
