import {
  array,
  bool,
  defineApi,
  int8,
  int16,
  int32,
  list,
  nullable,
  since,
  string,
  struct,
  uuid,
  withDefault,
} from "../schema.ts";

const topicPartitions = struct({
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
});

const assignment = struct({
  topicPartitions: array(topicPartitions),
});

export const consumerGroupDescribe = defineApi({
  name: "ConsumerGroupDescribe",
  key: 69,
  versions: [0, 1],
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
        instanceId: withDefault(nullable(string), null),
        rackId: withDefault(nullable(string), null),
        memberEpoch: int32,
        clientId: string,
        clientHost: string,
        subscribedTopicNames: array(string),
        subscribedTopicRegex: withDefault(nullable(string), null),
        assignment: assignment,
        targetAssignment: assignment,
        memberType: since(1, int8, -1),
      }),
      authorizedOperations: withDefault(int32, -2147483648),
    }),
  },
});
