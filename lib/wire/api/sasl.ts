/**
 * SaslHandshake and SaslAuthenticate (KIP-43, KIP-152, KIP-368). Without tokens there is nothing to prove, as on Kafka's plain listeners.
 * Behind SaslHandshake 0 come SASL's messages themselves, as frames without a header: kafka-python 2.0 speaks so, and
 * librdkafka 2.0 wants it offered, though it then takes version 1.
 */
import type { Principal } from "../../auth/index.ts";
import { BrokerlessError } from "../../base/errors.ts";
import { saslAuthenticate } from "../../kafka/protocol/api/sasl-authenticate.ts";
import { saslHandshake } from "../../kafka/protocol/api/sasl-handshake.ts";
import { type Handler, handlerOf, type Surface } from "../call.ts";
import { type ErrorFields, kafkaError, NO_ERROR } from "../errors.ts";
import { conversationOf, mechanismsOf } from "../sasl/mechanisms.ts";
import type { SaslConversation, SaslStep } from "../sasl/types.ts";
import type { ConnectionState } from "../types.ts";

const NOTHING = new Uint8Array(0);
const NOT_ASKED = kafkaError("ILLEGAL_SASL_STATE", "nobody is asked who they are here");

export const saslHandshakeHandler: Handler = handlerOf(
  saslHandshake,
  async ({ mechanism }, { version, surface: { auth }, connection }) => {
    if (auth === undefined) return { errorCode: NOT_ASKED.errorCode, mechanisms: [] };
    const mechanisms = mechanismsOf(connection);
    connection.sasl = conversationOf(mechanism, connection, auth);
    connection.isSaslBare = version === 0 && connection.sasl !== undefined;
    const errorCode = connection.sasl === undefined ? kafkaError("UNSUPPORTED_SASL_MECHANISM").errorCode : 0;
    return { errorCode, mechanisms };
  },
);

export const saslAuthenticateHandler: Handler = handlerOf(saslAuthenticate, async ({ authBytes }, call) => {
  const { surface, connection } = call;
  const { sasl } = connection;
  if (surface.auth === undefined) return refused(NOT_ASKED);
  if (sasl === undefined) return refused(kafkaError("ILLEGAL_SASL_STATE", "SaslHandshake comes first"));
  let step: SaslStep;
  try {
    step = await sasl.step(authBytes);
  } catch (error) {
    forget(connection);
    const judged = surface.judge(error, "SaslAuthenticate");
    return refused(kafkaError("SASL_AUTHENTICATION_FAILED", judged.code === "internal" ? null : judged.message));
  }
  const { bytes, principal } = step;
  if (principal === undefined) return { ...NO_ERROR, authBytes: bytes };
  become(connection, principal);
  const leftMs = principal.expiresAtMs === undefined ? 0 : Math.max(1, principal.expiresAtMs - surface.clock.nowMs());
  return { ...NO_ERROR, authBytes: bytes, sessionLifetimeMs: leftMs };
});

/** A message behind SaslHandshake 0. Throws what refuses it: the connection is closed, which is all that this version can say. */
export async function answerBareSasl(
  message: Uint8Array,
  connection: ConnectionState,
  surface: Surface,
): Promise<readonly Uint8Array[]> {
  try {
    const { bytes, principal } = await (connection.sasl as SaslConversation).step(message);
    if (principal !== undefined) become(connection, principal);
    return [bytes];
  } catch (error) {
    forget(connection);
    throw surface.judge(error, "a message of SASL");
  }
}

function become(connection: ConnectionState, principal: Principal): void {
  const { principal: before } = connection;
  forget(connection);
  if (before !== undefined && before.id !== principal.id) {
    throw new BrokerlessError("unauthenticated", "a connection stays with the token that it began with");
  }
  connection.principal = principal;
}

function forget(connection: ConnectionState): void {
  connection.sasl = undefined;
  connection.isSaslBare = false;
  connection.principal = undefined;
}

function refused(error: ErrorFields) {
  return { ...error, authBytes: NOTHING };
}
