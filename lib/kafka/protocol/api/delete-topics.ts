import { array, defineApi, int16, int32, list, nullable, since, string, until, uuid, withDefault } from "../schema.ts";

export const deleteTopics = defineApi({
  name: "DeleteTopics",
  key: 20,
  versions: [0, 6],
  flexibleFrom: 4,
  request: {
    topics: since(
      6,
      list({
        name: withDefault(nullable(string), null),
        topicId: uuid,
      }),
    ),
    topicNames: until(5, array(string)),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: since(1, int32, 0),
    responses: list({
      name: nullable(string, 6),
      topicId: since(6, uuid),
      errorCode: int16,
      errorMessage: since(5, nullable(string), null),
    }),
  },
});
