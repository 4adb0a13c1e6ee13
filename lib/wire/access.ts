/**
 * Who asks, and what they may do. A connection is nobody's until SASL, or the transport, has said whose it is; until then
 * it may ask what is served and say who it is, nothing else.
 */
import { allows, type Principal, type Right } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import { apiVersions } from "../kafka/protocol/api/api-versions.ts";
import { saslAuthenticate } from "../kafka/protocol/api/sasl-authenticate.ts";
import { saslHandshake } from "../kafka/protocol/api/sasl-handshake.ts";
import { CLUSTER_OPERATIONS, GROUP_OPERATIONS, TOPIC_OPERATIONS } from "./broker.ts";
import type { Call } from "./call.ts";
import { type ErrorFields, kafkaError } from "./errors.ts";
import type { ConnectionState, KafkaAuth } from "./types.ts";

/** Asked for before it is known who asks. */
const OPEN: ReadonlySet<number> = new Set([apiVersions.key, saslHandshake.key, saslAuthenticate.key]);

/** Asks again with every request: a token that was revoked or has expired ends its connection. Throws `unauthenticated`. */
export async function checkPrincipal(apiKey: number, connection: ConnectionState, auth: KafkaAuth | undefined): Promise<void> {
  if (OPEN.has(apiKey)) return;
  const { principal } = connection;
  if (principal === undefined) {
    throw new BrokerlessError("unauthenticated", "who asks must say so first: this listener takes SASL");
  }
  if (auth === undefined || principal.id === "") return;
  const valid = await auth.tokens.scram(principal.id, "SCRAM-SHA-256");
  if (valid === undefined) throw new BrokerlessError("unauthenticated", "the token has expired or was revoked");
}

/** May this be done to the topic? A denial depends on the name alone, never on what there is. */
export function may({ connection }: Call, operation: Right["operation"], topic: string): boolean {
  return mayAll(connection.principal, { resource: "topic", operation, name: topic });
}

/** On one topic at least, or on the cluster. */
export function mayAny({ connection }: Call, right: Omit<Right, "name">): boolean {
  return mayAll(connection.principal, right);
}

function mayAll(principal: Principal | undefined, right: Right): boolean {
  return principal !== undefined && allows(principal, right);
}

/** What may be done to the topic, as a set of bits (KIP-430). */
export function topicOperations(call: Call, topic: string): number {
  let set = 0;
  for (const operation of ["describe", "read", "write", "admin"] as const) {
    if (may(call, operation, topic)) set |= TOPIC_OPERATIONS[operation];
  }
  return set;
}

export function mayGroup({ connection }: Call, operation: Right["operation"], group: string): boolean {
  return mayAll(connection.principal, { resource: "group", operation, name: group });
}

export function groupOperations(call: Call, group: string): number {
  let set = 0;
  for (const operation of ["describe", "read", "write", "admin"] as const) {
    if (mayGroup(call, operation, group)) set |= GROUP_OPERATIONS[operation];
  }
  return set;
}

export function clusterOperations(call: Call): number {
  const admin = mayAny(call, { resource: "cluster", operation: "admin" }) ? CLUSTER_OPERATIONS.admin : 0;
  return CLUSTER_OPERATIONS.describe | admin;
}

export function topicForbidden(operation: Right["operation"], topic: string): ErrorFields {
  const what = operation === "describe" ? "every right" : `the right to ${operation}`;
  const shown = topic.length > 60 ? `${topic.slice(0, 60)}...` : topic;
  return kafkaError("TOPIC_AUTHORIZATION_FAILED", `this token lacks ${what} on topic "${shown}"`);
}
