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
  tagged,
  uuid,
  withDefault,
} from "../schema.ts";

export const createTopics = defineApi({
  name: "CreateTopics",
  key: 19,
  versions: [0, 7],
  flexibleFrom: 5,
  request: {
    topics: list({
      name: string,
      numPartitions: int32,
      replicationFactor: int16,
      assignments: list({
        partitionIndex: int32,
        brokerIds: array(int32),
      }),
      configs: list({
        name: string,
        value: nullable(string),
      }),
    }),
    timeoutMs: withDefault(int32, 60000),
    validateOnly: since(1, bool, false),
  },
  response: {
    throttleTimeMs: since(2, int32, 0),
    topics: list({
      name: string,
      topicId: since(7, uuid),
      errorCode: int16,
      errorMessage: since(1, nullable(string)),
      topicConfigErrorCode: tagged(0, 5, int16),
      numPartitions: since(5, int32, -1),
      replicationFactor: since(5, int16, -1),
      configs: since(
        5,
        nullable(
          list({
            name: string,
            value: nullable(string),
            readOnly: bool,
            configSource: withDefault(int8, -1),
            isSensitive: bool,
          }),
        ),
      ),
    }),
  },
});
