import { bool, defineApi, int8, int16, int32, list, nullable, since, string, withDefault } from "../schema.ts";

export const describeCluster = defineApi({
  name: "DescribeCluster",
  key: 60,
  versions: [0, 2],
  flexibleFrom: 0,
  request: {
    includeClusterAuthorizedOperations: bool,
    endpointType: since(1, int8, 1),
    includeFencedBrokers: since(2, bool),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    errorMessage: withDefault(nullable(string), null),
    endpointType: since(1, int8, 1),
    clusterId: string,
    controllerId: withDefault(int32, -1),
    brokers: list({
      brokerId: int32,
      host: string,
      port: int32,
      rack: withDefault(nullable(string), null),
      isFenced: since(2, bool),
    }),
    clusterAuthorizedOperations: withDefault(int32, -2147483648),
  },
});
