import { array, defineApi, int16, int32, nullable, since, string, struct, uuid, withDefault } from "../schema.ts";

const topicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
});

export const consumerGroupHeartbeat = defineApi({
  name: "ConsumerGroupHeartbeat",
  key: 68,
  versions: [0, 1],
  flexibleFrom: 0,
  request: {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    instanceId: withDefault(nullable(string), null),
    rackId: withDefault(nullable(string), null),
    rebalanceTimeoutMs: withDefault(int32, -1),
    subscribedTopicNames: withDefault(nullable(array(string)), null),
    subscribedTopicRegex: since(1, nullable(string), null),
    serverAssignor: withDefault(nullable(string), null),
    topicPartitions: withDefault(nullable(array(topicPartitions)), null),
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
          topicPartitions: array(topicPartitions),
        }),
      ),
      null,
    ),
  },
});
