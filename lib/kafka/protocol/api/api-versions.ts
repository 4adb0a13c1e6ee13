import { bool, defineApi, int16, int32, int64, list, since, string, tagged } from "../schema.ts";

export const apiVersions = defineApi({
  name: "ApiVersions",
  key: 18,
  versions: [0, 4],
  flexibleFrom: 3,
  request: {
    clientSoftwareName: since(3, string),
    clientSoftwareVersion: since(3, string),
  },
  response: {
    errorCode: int16,
    apiKeys: list({
      apiKey: int16,
      minVersion: int16,
      maxVersion: int16,
    }),
    throttleTimeMs: since(1, int32, 0),
    supportedFeatures: tagged(
      0,
      3,
      list({
        name: string,
        minVersion: int16,
        maxVersion: int16,
      }),
    ),
    finalizedFeaturesEpoch: tagged(1, 3, int64, -1),
    finalizedFeatures: tagged(
      2,
      3,
      list({
        name: string,
        maxVersionLevel: int16,
        minVersionLevel: int16,
      }),
    ),
    zkMigrationReady: tagged(3, 3, bool, false),
  },
});
