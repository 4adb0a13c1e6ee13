import { array, bool, defineApi, int16, int32, list, nullable, string, struct, uuid, withDefault } from "../schema.ts";

export const shareGroupDescribe = defineApi({
  name: "ShareGroupDescribe",
  key: 77,
  versions: [1, 1],
  flexibleFrom: 0,
  request: {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    groups: list({
      errorCode: int16,
      errorMessage: withDefault(nullable(string), null),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      assignorName: string,
      members: list({
        memberId: string,
        rackId: withDefault(nullable(string), null),
        memberEpoch: int32,
        clientId: string,
        clientHost: string,
        subscribedTopicNames: array(string),
        assignment: struct({
          topicPartitions: list({
            topicId: uuid,
            topicName: string,
            partitions: array(int32),
          }),
        }),
      }),
      authorizedOperations: withDefault(int32, -2147483648),
    }),
  },
});
