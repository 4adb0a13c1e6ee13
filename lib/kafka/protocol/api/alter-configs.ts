import { bool, defineApi, int8, int16, int32, list, nullable, string, withDefault } from "../schema.ts";

export const alterConfigs = defineApi({
  name: "AlterConfigs",
  key: 33,
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    resources: list({
      resourceType: int8,
      resourceName: string,
      configs: list({
        name: string,
        value: nullable(string),
      }),
    }),
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    responses: list({
      errorCode: int16,
      errorMessage: nullable(string),
      resourceType: int8,
      resourceName: string,
    }),
  },
});
