import { array, defineApi, int16, int32, list, string, withDefault } from "../schema.ts";

export const deleteGroups = defineApi({
  name: "DeleteGroups",
  key: 42,
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    groupsNames: array(string),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    results: list({
      groupId: string,
      errorCode: int16,
    }),
  },
});
