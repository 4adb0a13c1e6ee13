import {
  array,
  defineApi,
  int8,
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

export const fetch = defineApi({
  name: "Fetch",
  key: 1,
  versions: [4, 18],
  flexibleFrom: 12,
  request: {
    clusterId: tagged(0, 12, nullable(string), null),
    replicaId: until(14, int32, -1),
    replicaState: tagged(
      1,
      15,
      struct({
        replicaId: withDefault(int32, -1),
        replicaEpoch: withDefault(int64, -1),
      }),
    ),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: withDefault(int32, 0x7fffffff),
    isolationLevel: withDefault(int8, 0),
    sessionId: since(7, int32, 0),
    sessionEpoch: since(7, int32, -1),
    topics: list({
      topic: until(12, string),
      topicId: since(13, uuid),
      partitions: list({
        partition: int32,
        currentLeaderEpoch: since(9, int32, -1),
        fetchOffset: int64,
        lastFetchedEpoch: since(12, int32, -1),
        logStartOffset: since(5, int64, -1),
        partitionMaxBytes: int32,
        replicaDirectoryId: tagged(0, 17, uuid),
      }),
    }),
    forgottenTopicsData: since(
      7,
      list({
        topic: until(12, string),
        topicId: since(13, uuid),
        partitions: array(int32),
      }),
    ),
    rackId: since(11, string, ""),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: since(7, int16),
    sessionId: since(7, int32, 0),
    responses: list({
      topic: until(12, string),
      topicId: since(13, uuid),
      partitions: list({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: int64,
        lastStableOffset: withDefault(int64, -1),
        logStartOffset: since(5, int64, -1),
        divergingEpoch: tagged(
          0,
          12,
          struct({
            epoch: withDefault(int32, -1),
            endOffset: withDefault(int64, -1),
          }),
        ),
        currentLeader: tagged(
          1,
          12,
          struct({
            leaderId: withDefault(int32, -1),
            leaderEpoch: withDefault(int32, -1),
          }),
        ),
        snapshotId: tagged(
          2,
          12,
          struct({
            endOffset: withDefault(int64, -1),
            epoch: withDefault(int32, -1),
          }),
        ),
        abortedTransactions: nullable(
          list({
            producerId: int64,
            firstOffset: int64,
          }),
        ),
        preferredReadReplica: since(11, int32, -1),
        records: nullable(records),
      }),
    }),
    nodeEndpoints: tagged(
      0,
      16,
      list({
        nodeId: int32,
        host: string,
        port: int32,
        rack: withDefault(nullable(string), null),
      }),
    ),
  },
});
