import { array, bool, defineApi, int8, int16, int32, list, nullable, since, string, until, withDefault } from "../schema.ts";

export const describeConfigs = defineApi({
  name: "DescribeConfigs",
  key: 32,
  versions: [0, 4],
  flexibleFrom: 4,
  request: {
    resources: list({
      resourceType: int8,
      resourceName: string,
      configurationKeys: nullable(array(string)),
    }),
    includeSynonyms: since(1, bool, false),
    includeDocumentation: since(3, bool, false),
  },
  response: {
    throttleTimeMs: withDefault(int32, 0),
    results: list({
      errorCode: int16,
      errorMessage: nullable(string),
      resourceType: int8,
      resourceName: string,
      configs: list({
        name: string,
        value: nullable(string),
        readOnly: bool,
        isDefault: until(0, bool),
        configSource: since(1, int8, -1),
        isSensitive: bool,
        synonyms: since(
          1,
          list({
            name: string,
            value: nullable(string),
            source: int8,
          }),
        ),
        configType: since(3, int8, 0),
        documentation: since(3, nullable(string)),
      }),
    }),
  },
});
