import {
  array,
  between,
  bool,
  defineApi,
  int16,
  int32,
  int64,
  list,
  nullable,
  since,
  string,
  until,
  uuid,
  withDefault,
} from "../schema.ts";

export const offsetFetch = defineApi({
  name: "OffsetFetch",
  key: 9,
  versions: [1, 10],
  flexibleFrom: 6,
  request: {
    groupId: until(7, string),
    topics: until(
      7,
      nullable(
        list({
          name: string,
          partitionIndexes: array(int32),
        }),
        2,
      ),
    ),
    groups: since(
      8,
      list({
        groupId: string,
        memberId: since(9, nullable(string), null),
        memberEpoch: since(9, int32, -1),
        topics: nullable(
          list({
            name: until(9, string),
            topicId: since(10, uuid),
            partitionIndexes: array(int32),
          }),
        ),
      }),
    ),
    requireStable: since(7, bool, false),
  },
  response: {
    throttleTimeMs: since(3, int32, 0),
    topics: until(
      7,
      list({
        name: string,
        partitions: list({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: since(5, int32, -1),
          metadata: nullable(string),
          errorCode: int16,
        }),
      }),
    ),
    errorCode: between(2, 7, int16, 0),
    groups: since(
      8,
      list({
        groupId: string,
        topics: list({
          name: until(9, string),
          topicId: since(10, uuid),
          partitions: list({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: withDefault(int32, -1),
            metadata: nullable(string),
            errorCode: int16,
          }),
        }),
        errorCode: withDefault(int16, 0),
      }),
    ),
  },
});
