import { array, defineApi, int16, int32, list, since, string } from "../schema.ts";

export const listGroups = defineApi({
  name: "ListGroups",
  key: 16,
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    statesFilter: since(4, array(string)),
    typesFilter: since(5, array(string)),
  },
  response: {
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
    groups: list({
      groupId: string,
      protocolType: string,
      groupState: since(4, string),
      groupType: since(5, string),
    }),
  },
});
