import { between, defineApi, int16, int32, int64, list, nullable, since, string, until, uuid } from "../schema.ts";

export const offsetCommit = defineApi({
  name: "OffsetCommit",
  key: 8,
  versions: [0, 10],
  flexibleFrom: 8,
  request: {
    groupId: string,
    generationIdOrMemberEpoch: since(1, int32, -1),
    memberId: since(1, string),
    groupInstanceId: since(7, nullable(string), null),
    retentionTimeMs: between(2, 4, int64, -1),
    topics: list({
      name: until(9, string),
      topicId: since(10, uuid),
      partitions: list({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: since(6, int32, -1),
        commitTimestamp: between(1, 1, int64, -1),
        committedMetadata: nullable(string),
      }),
    }),
  },
  response: {
    throttleTimeMs: since(3, int32, 0),
    topics: list({
      name: until(9, string),
      topicId: since(10, uuid),
      partitions: list({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
});
