import { bytes, defineApi, int16, int64, nullable, since, string } from "../schema.ts";

export const saslAuthenticate = defineApi({
  name: "SaslAuthenticate",
  key: 36,
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    authBytes: bytes,
  },
  response: {
    errorCode: int16,
    errorMessage: nullable(string),
    authBytes: bytes,
    sessionLifetimeMs: since(1, int64, 0),
  },
});
