/** SaslHandshake and SaslAuthenticate (KIP-43, KIP-152, KIP-368). Without tokens there is nothing to prove, as on Kafka's plain listeners. */
import { BrokerlessError } from "../../base/errors.ts";
import { saslAuthenticate } from "../../kafka/protocol/api/sasl-authenticate.ts";
import { saslHandshake } from "../../kafka/protocol/api/sasl-handshake.ts";
import { type Handler, handlerOf } from "../call.ts";
import { type ErrorFields, kafkaError, NO_ERROR } from "../errors.ts";
import { conversationOf, mechanismsOf } from "../sasl/mechanisms.ts";
import type { SaslStep } from "../sasl/types.ts";

const NOTHING = new Uint8Array(0);
const NOT_ASKED = kafkaError("ILLEGAL_SASL_STATE", "nobody is asked who they are here");

export const saslHandshakeHandler: Handler = handlerOf(
  saslHandshake,
  async ({ mechanism }, { surface: { auth }, connection }) => {
    if (auth === undefined) return { errorCode: NOT_ASKED.errorCode, mechanisms: [] };
    const mechanisms = mechanismsOf(connection);
    connection.sasl = conversationOf(mechanism, connection, auth);
    const errorCode = connection.sasl === undefined ? kafkaError("UNSUPPORTED_SASL_MECHANISM").errorCode : 0;
    return { errorCode, mechanisms };
  },
  // Version 0 goes on with bytes that are no requests.
  [1, 1],
);

export const saslAuthenticateHandler: Handler = handlerOf(saslAuthenticate, async ({ authBytes }, call) => {
  const { surface, connection } = call;
  const { sasl, principal: before } = connection;
  if (surface.auth === undefined) return refused(NOT_ASKED);
  if (sasl === undefined) return refused(kafkaError("ILLEGAL_SASL_STATE", "SaslHandshake comes first"));
  let step: SaslStep;
  try {
    step = await sasl.step(authBytes);
  } catch (error) {
    connection.sasl = undefined;
    connection.principal = undefined;
    const judged = surface.judge(error, "SaslAuthenticate");
    return refused(kafkaError("SASL_AUTHENTICATION_FAILED", judged.code === "internal" ? null : judged.message));
  }
  const { bytes, principal } = step;
  if (principal === undefined) return { ...NO_ERROR, authBytes: bytes };
  connection.sasl = undefined;
  if (before !== undefined && before.id !== principal.id) {
    connection.principal = undefined;
    throw new BrokerlessError("unauthenticated", "a connection stays with the token that it began with");
  }
  connection.principal = principal;
  const leftMs = principal.expiresAtMs === undefined ? 0 : Math.max(1, principal.expiresAtMs - surface.clock.nowMs());
  return { ...NO_ERROR, authBytes: bytes, sessionLifetimeMs: leftMs };
});

function refused(error: ErrorFields) {
  return { ...error, authBytes: NOTHING };
}
