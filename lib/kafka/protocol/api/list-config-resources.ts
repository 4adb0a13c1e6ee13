import { array, defineApi, int8, int16, int32, list, since, string, withDefault } from "../schema.ts";

export const listConfigResources = defineApi({
  name: "ListConfigResources",
  key: 74,
  versions: [0, 1],
  flexibleFrom: 0,
  request: {
    resourceTypes: since(1, array(int8), []),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    errorCode: int16,
    configResources: list({
      resourceName: string,
      resourceType: since(1, int8, 16),
    }),
  },
});
