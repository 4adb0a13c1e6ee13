import { bool, bytes, defineApi, int16, int32, list, nullable, since, string, withDefault } from "../schema.ts";

export const joinGroup = defineApi({
  name: "JoinGroup",
  key: 11,
  versions: [0, 9],
  flexibleFrom: 6,
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: since(1, int32, -1),
    memberId: string,
    groupInstanceId: since(5, nullable(string), null),
    protocolType: string,
    protocols: list({
      name: string,
      metadata: bytes,
    }),
    reason: since(8, nullable(string), null),
  },
  response: {
    throttleTimeMs: since(2, int32, 0),
    errorCode: int16,
    generationId: withDefault(int32, -1),
    protocolType: since(7, nullable(string), null),
    protocolName: nullable(string, 7),
    leader: string,
    skipAssignment: since(9, bool, false),
    memberId: string,
    members: list({
      memberId: string,
      groupInstanceId: since(5, nullable(string), null),
      metadata: bytes,
    }),
  },
});
