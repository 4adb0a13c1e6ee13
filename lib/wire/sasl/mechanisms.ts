/** Which mechanisms a connection may use, and their conversations. */
import { SCRAM_MECHANISMS, type ScramMechanism } from "../../auth/index.ts";
import type { ConnectionState } from "../types.ts";
import { plainConversation } from "./plain.ts";
import { type ScramParts, scramConversation } from "./scram.ts";
import type { SaslConversation } from "./types.ts";

/** PLAIN sends the token itself, so only where nobody else can read it. */
export function mechanismsOf({ isPrivate }: ConnectionState): readonly string[] {
  return isPrivate ? [...SCRAM_MECHANISMS, "PLAIN"] : SCRAM_MECHANISMS;
}

/** Undefined where the mechanism is not offered on this connection. */
export function conversationOf(name: string, connection: ConnectionState, parts: ScramParts): SaslConversation | undefined {
  if (!mechanismsOf(connection).includes(name)) return undefined;
  return name === "PLAIN" ? plainConversation(parts.tokens) : scramConversation(name as ScramMechanism, parts);
}
