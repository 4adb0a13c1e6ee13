import {
  defineApi,
  int16,
  int32,
  int64,
  list,
  nullable,
  records,
  since,
  string,
  struct,
  tagged,
  until,
  uuid,
  withDefault,
} from "../schema.ts";

export const produce = defineApi({
  name: "Produce",
  key: 0,
  versions: [3, 13],
  flexibleFrom: 9,
  request: {
    transactionalId: withDefault(nullable(string), null),
    acks: int16,
    timeoutMs: int32,
    topicData: list({
      name: until(12, string),
      topicId: since(13, uuid),
      partitionData: list({
        index: int32,
        records: nullable(records),
      }),
    }),
  },
  response: {
    responses: list({
      name: until(12, string),
      topicId: since(13, uuid),
      partitionResponses: list({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        logAppendTimeMs: withDefault(int64, -1),
        logStartOffset: since(5, int64, -1),
        recordErrors: since(
          8,
          list({
            batchIndex: int32,
            batchIndexErrorMessage: withDefault(nullable(string), null),
          }),
        ),
        errorMessage: since(8, nullable(string), null),
        currentLeader: tagged(
          0,
          10,
          struct({
            leaderId: withDefault(int32, -1),
            leaderEpoch: withDefault(int32, -1),
          }),
        ),
      }),
    }),
    throttleTimeMs: withDefault(int32, 0),
    nodeEndpoints: tagged(
      0,
      10,
      list({
        nodeId: int32,
        host: string,
        port: int32,
        rack: withDefault(nullable(string), null),
      }),
    ),
  },
});
