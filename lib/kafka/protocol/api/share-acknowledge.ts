import {
  array,
  bool,
  defineApi,
  int8,
  int16,
  int32,
  int64,
  list,
  nullable,
  since,
  string,
  struct,
  uuid,
  withDefault,
} from "../schema.ts";

export const shareAcknowledge = defineApi({
  name: "ShareAcknowledge",
  key: 79,
  versions: [1, 2],
  flexibleFrom: 0,
  request: {
    groupId: nullable(string),
    memberId: nullable(string),
    shareSessionEpoch: int32,
    isRenewAck: since(2, bool, false),
    topics: list({
      topicId: uuid,
      partitions: list({
        partitionIndex: int32,
        acknowledgementBatches: list({
          firstOffset: int64,
          lastOffset: int64,
          acknowledgeTypes: array(int8),
        }),
      }),
    }),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    errorMessage: withDefault(nullable(string), null),
    acquisitionLockTimeoutMs: since(2, int32, 0),
    responses: list({
      topicId: uuid,
      partitions: list({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: withDefault(nullable(string), null),
        currentLeader: struct({ leaderId: int32, leaderEpoch: int32 }),
      }),
    }),
    nodeEndpoints: list({
      nodeId: int32,
      host: string,
      port: int32,
      rack: withDefault(nullable(string), null),
    }),
  },
});
