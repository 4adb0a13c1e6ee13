/** The conversation of one SASL mechanism, as the server has it (RFC 4422). */
import type { Principal } from "../../auth/index.ts";

export interface SaslStep {
  /** What the client gets. */
  readonly bytes: Uint8Array;
  /** Who the client is; undefined: it goes on. */
  readonly principal: Principal | undefined;
}

export interface SaslConversation {
  /** Takes what the client says next. Throws `unauthenticated`: the conversation is over. */
  step(bytes: Uint8Array): Promise<SaslStep>;
}
