import { defineApi, int16, int32, list, nullable, string, uuid, withDefault } from "../schema.ts";

export const deleteShareGroupOffsets = defineApi({
  name: "DeleteShareGroupOffsets",
  key: 92,
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    groupId: string,
    topics: list({
      topicName: string,
    }),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    errorMessage: withDefault(nullable(string), null),
    responses: list({
      topicName: string,
      topicId: uuid,
      errorCode: int16,
      errorMessage: withDefault(nullable(string), null),
    }),
  },
});
