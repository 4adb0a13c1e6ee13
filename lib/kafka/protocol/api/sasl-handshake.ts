import { array, defineApi, int16, NEVER, string } from "../schema.ts";

export const saslHandshake = defineApi({
  name: "SaslHandshake",
  key: 17,
  versions: [0, 1],
  flexibleFrom: NEVER,
  request: {
    mechanism: string,
  },
  response: {
    errorCode: int16,
    mechanisms: array(string),
  },
});
