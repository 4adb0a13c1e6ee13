/**
 * SASL at the near end of the way: a post is nobody's connection, so it is asked here who the client is. PLAIN alone, for the
 * password is the token that every post then carries; SCRAM proves a password without telling it.
 */

import { BrokerlessError } from "../base/errors.ts";
import { KAFKA_ERRORS } from "../kafka/index.ts";
import { saslAuthenticate } from "../kafka/protocol/api/sasl-authenticate.ts";
import { saslHandshake } from "../kafka/protocol/api/sasl-handshake.ts";
import { readRequest, readRequestHeader, writeResponse } from "../kafka/protocol/messages.ts";

const PLAIN = "PLAIN";
const NOTHING = new Uint8Array(0);

export class SaslAtHand {
  readonly #prove: (token: string) => Promise<void>;
  #isBegun = false;

  /** `prove`: resolves when the server takes the token; throws `unauthenticated` where it does not. From then on it is used. */
  constructor(prove: (token: string) => Promise<void>) {
    this.#prove = prove;
  }

  /** The answer to SaslHandshake or SaslAuthenticate. Throws what keeps it from being known, and `unsupported_version`. */
  async answer(frame: Uint8Array): Promise<readonly Uint8Array[]> {
    const { apiKey, apiVersion, correlationId } = readRequestHeader(frame);
    if (apiKey === saslHandshake.key) {
      // Version 0 goes on with bytes that are no requests.
      if (apiVersion < 1) throw new BrokerlessError("unsupported_version", "SaslHandshake is answered in version 1");
      const { mechanism } = readRequest(saslHandshake, frame);
      this.#isBegun = mechanism === PLAIN;
      const errorCode = this.#isBegun ? 0 : KAFKA_ERRORS.UNSUPPORTED_SASL_MECHANISM.code;
      return writeResponse(saslHandshake, apiVersion, correlationId, { errorCode, mechanisms: [PLAIN] });
    }
    const { authBytes } = readRequest(saslAuthenticate, frame);
    const refusal = await this.#authenticate(authBytes);
    return writeResponse(saslAuthenticate, apiVersion, correlationId, { ...refusal, authBytes: NOTHING });
  }

  async #authenticate(message: Uint8Array) {
    const { ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED } = KAFKA_ERRORS;
    if (!this.#isBegun) return { errorCode: ILLEGAL_SASL_STATE.code, errorMessage: "SaslHandshake with PLAIN comes first" };
    this.#isBegun = false;
    // RFC 4616: whom to act as, user, password.
    const [, , token = ""] = new TextDecoder().decode(message).split("\0");
    try {
      if (token === "") throw new BrokerlessError("unauthenticated", "SASL/PLAIN takes a user name and, as password, a token");
      await this.#prove(token);
      return { errorCode: 0, errorMessage: null };
    } catch (error) {
      const refused = error instanceof BrokerlessError && (error.code === "unauthenticated" || error.code === "invalid_request");
      if (!refused) throw error;
      return { errorCode: SASL_AUTHENTICATION_FAILED.code, errorMessage: error.message };
    }
  }
}
