import { array, bool, bytes, defineApi, int16, int32, list, nullable, since, string } from "../schema.ts";

export const describeGroups = defineApi({
  name: "DescribeGroups",
  key: 15,
  versions: [0, 6],
  flexibleFrom: 5,
  request: {
    groups: array(string),
    includeAuthorizedOperations: since(3, bool),
  },
  response: {
    throttleTimeMs: since(1, int32, 0),
    groups: list({
      errorCode: int16,
      errorMessage: since(6, nullable(string), null),
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string,
      members: list({
        memberId: string,
        groupInstanceId: since(4, nullable(string), null),
        clientId: string,
        clientHost: string,
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: since(3, int32, -2147483648),
    }),
  },
});
