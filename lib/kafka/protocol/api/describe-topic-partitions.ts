import { array, bool, defineApi, int16, int32, list, nullable, string, struct, uuid, withDefault } from "../schema.ts";

export const describeTopicPartitions = defineApi({
  name: "DescribeTopicPartitions",
  key: 75,
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    topics: list({
      name: string,
    }),
    responsePartitionLimit: withDefault(int32, 2000),
    cursor: withDefault(
      nullable(
        struct({
          topicName: string,
          partitionIndex: int32,
        }),
      ),
      null,
    ),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    topics: list({
      errorCode: int16,
      name: nullable(string),
      topicId: uuid,
      isInternal: withDefault(bool, false),
      partitions: list({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: withDefault(int32, -1),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: withDefault(nullable(array(int32)), null),
        lastKnownElr: withDefault(nullable(array(int32)), null),
        offlineReplicas: array(int32),
      }),
      topicAuthorizedOperations: withDefault(int32, -2147483648),
    }),
    nextCursor: withDefault(
      nullable(
        struct({
          topicName: string,
          partitionIndex: int32,
        }),
      ),
      null,
    ),
  },
});
