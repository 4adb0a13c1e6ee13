import { defineApi, int16, int32, list, nullable, since, string, until, withDefault } from "../schema.ts";

export const leaveGroup = defineApi({
  name: "LeaveGroup",
  key: 13,
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: string,
    memberId: until(2, string),
    members: since(
      3,
      list({
        memberId: string,
        groupInstanceId: withDefault(nullable(string), null),
        reason: since(5, nullable(string), null),
      }),
    ),
  },
  response: {
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
    members: since(
      3,
      list({
        memberId: string,
        groupInstanceId: nullable(string),
        errorCode: int16,
      }),
    ),
  },
});
