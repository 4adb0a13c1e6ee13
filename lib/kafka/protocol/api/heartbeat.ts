import { defineApi, int16, int32, nullable, since, string } from "../schema.ts";

export const heartbeat = defineApi({
  name: "Heartbeat",
  key: 12,
  versions: [0, 4],
  flexibleFrom: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: since(3, nullable(string), null),
  },
  response: {
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
  },
});
