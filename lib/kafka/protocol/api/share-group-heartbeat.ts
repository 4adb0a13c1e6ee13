import { array, defineApi, int16, int32, list, nullable, string, struct, uuid, withDefault } from "../schema.ts";

export const shareGroupHeartbeat = defineApi({
  name: "ShareGroupHeartbeat",
  key: 76,
  versions: [1, 1],
  flexibleFrom: 0,
  request: {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    rackId: withDefault(nullable(string), null),
    subscribedTopicNames: withDefault(nullable(array(string)), null),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    errorMessage: withDefault(nullable(string), null),
    memberId: withDefault(nullable(string), null),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: withDefault(
      nullable(
        struct({
          topicPartitions: list({
            topicId: uuid,
            partitions: array(int32),
          }),
        }),
      ),
      null,
    ),
  },
});
