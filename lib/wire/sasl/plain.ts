/**
 * SASL/PLAIN (RFC 4616): the password is a token, the same as in HTTP's `Authorization: Bearer`. The token says whose it
 * is, so the user name may be anything.
 */
import type { Tokens } from "../../auth/index.ts";
import { BrokerlessError } from "../../base/errors.ts";
import type { SaslConversation } from "./types.ts";

const NOTHING = new Uint8Array(0);
/** A token and two names are far shorter. */
const MESSAGE_BYTES = 4096;

export function plainConversation(tokens: Tokens): SaslConversation {
  return {
    async step(bytes) {
      const parts = bytes.byteLength > MESSAGE_BYTES ? [] : new TextDecoder().decode(bytes).split("\0");
      const [authorizeAs, user, password] = parts;
      if (parts.length !== 3 || user === "" || password === undefined || password === "") {
        throw new BrokerlessError("unauthenticated", "SASL/PLAIN takes a user name and, as password, a token");
      }
      if (authorizeAs !== "" && authorizeAs !== user) {
        throw new BrokerlessError("unauthenticated", "SASL/PLAIN: nobody can act as somebody else here");
      }
      return { bytes: NOTHING, principal: await tokens.authenticate(password) };
    },
  };
}
