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
  #isBare = false;

  /** `prove`: resolves when the server takes the token; throws `unauthenticated` where it does not. From then on it is used. */
  constructor(prove: (token: string) => Promise<void>) {
    this.#prove = prove;
  }

  /** Is the next frame a message of SASL itself, and no request? So it is behind SaslHandshake 0. */
  get isBare(): boolean {
    return this.#isBare;
  }

  /**
   * The answer to SaslHandshake, SaslAuthenticate, or a message of SASL itself. Throws what keeps it from being known, and
   * what refuses such a message.
   */
  async answer(frame: Uint8Array): Promise<readonly Uint8Array[]> {
    if (this.#isBare) {
      await this.#authenticate(frame);
      return [NOTHING];
    }
    const { apiKey, apiVersion, correlationId } = readRequestHeader(frame);
    if (apiKey === saslHandshake.key) {
      const { mechanism } = readRequest(saslHandshake, frame);
      this.#isBegun = mechanism === PLAIN;
      this.#isBare = this.#isBegun && apiVersion === 0;
      const errorCode = this.#isBegun ? 0 : KAFKA_ERRORS.UNSUPPORTED_SASL_MECHANISM.code;
      return writeResponse(saslHandshake, apiVersion, correlationId, { errorCode, mechanisms: [PLAIN] });
    }
    const { authBytes } = readRequest(saslAuthenticate, frame);
    const refusal = await this.#judge(authBytes);
    return writeResponse(saslAuthenticate, apiVersion, correlationId, { ...refusal, authBytes: NOTHING });
  }

  async #authenticate(message: Uint8Array): Promise<void> {
    this.#isBegun = false;
    this.#isBare = false;
    // RFC 4616: whom to act as, user, password.
    const [, , token = ""] = new TextDecoder().decode(message).split("\0");
    if (token === "") throw new BrokerlessError("unauthenticated", "SASL/PLAIN takes a user name and, as password, a token");
    await this.#prove(token);
  }

  async #judge(message: Uint8Array) {
    const { ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED } = KAFKA_ERRORS;
    if (!this.#isBegun) return { errorCode: ILLEGAL_SASL_STATE.code, errorMessage: "SaslHandshake with PLAIN comes first" };
    try {
      await this.#authenticate(message);
      return { errorCode: 0, errorMessage: null };
    } catch (error) {
      const refused = error instanceof BrokerlessError && (error.code === "unauthenticated" || error.code === "invalid_request");
      if (!refused) throw error;
      return { errorCode: SASL_AUTHENTICATION_FAILED.code, errorMessage: error.message };
    }
  }
}
