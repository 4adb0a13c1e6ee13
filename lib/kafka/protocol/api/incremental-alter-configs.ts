import { bool, defineApi, int8, int16, int32, list, nullable, string, withDefault } from "../schema.ts";

export const incrementalAlterConfigs = defineApi({
  name: "IncrementalAlterConfigs",
  key: 44,
  versions: [0, 1],
  flexibleFrom: 1,
  request: {
    resources: list({
      resourceType: int8,
      resourceName: string,
      configs: list({
        name: string,
        configOperation: int8,
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
