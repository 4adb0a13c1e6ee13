/** Kafka's protocol as the listener and `POST /kafka` want it: a state for each connection, frames to sized answers. */
import { ANYONE, type Principal } from "../auth/index.ts";
import { totalBytes } from "../base/bytes.ts";
import { lengthPrefix } from "./framing.ts";
import { answerBody, takeInOrder } from "./over-http.ts";
import type { Answer, FrameService } from "./tcp/types.ts";
import { type ConnectionState, type KafkaApi, openConnection } from "./types.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Of the listener. Fetch takes Kafka's own default at most, and nobody waits longer than the time-outs around us. */
const LISTENER_LIMITS = { responseBytes: 50 * 1024 * 1024, waitMs: 30_000 };

/**
 * For the listener. `advertised`: where clients are told to go; else the address that each has called. `asks`: clients say by SASL who they are; else
 * everybody may do everything.
 */
export function kafkaService(api: KafkaApi, advertised: Address | undefined, asks: boolean): FrameService<ConnectionState> {
  return {
    open: ({ remoteHost, remotePort, localHost, localPort, isEncrypted }) =>
      openConnection({
        advertised: advertised ?? { host: localHost, port: localPort },
        peer: `${remoteHost}:${remotePort}`,
        isPrivate: isEncrypted || remoteHost === "::1" || remoteHost.startsWith("127."),
        principal: asks ? undefined : ANYONE,
        limits: LISTENER_LIMITS,
      }),
    take: takeInOrder,
    answer: (frames, state, signal) => answerAll(api, frames, state, signal),
  };
}

/** What one call of `POST /kafka` brings. */
export interface BodyCall {
  readonly advertised: Address;
  /** Undefined: nobody has said who asks. */
  readonly principal: Principal | undefined;
  readonly limits: { readonly readBytes: number; readonly waitMs: number };
}

/** For `POST /kafka`: the frames of a body to the pieces of the reply. */
export function kafkaBody(
  api: KafkaApi,
): (body: Uint8Array, call: BodyCall, signal: AbortSignal) => Promise<readonly Uint8Array[]> {
  const service = {
    take: takeInOrder,
    answer: (frames: readonly Uint8Array[], state: ConnectionState, signal: AbortSignal) => answerAll(api, frames, state, signal),
  };
  return (body, { advertised, principal, limits }, signal) =>
    answerBody(
      body,
      service,
      openConnection({
        advertised,
        peer: "http",
        principal,
        isPrivate: true,
        limits: { responseBytes: limits.readBytes, waitMs: limits.waitMs },
      }),
      signal,
    );
}

function answerAll(
  api: KafkaApi,
  frames: readonly Uint8Array[],
  state: ConnectionState,
  signal: AbortSignal,
): Promise<readonly Answer[]> {
  return Promise.all(
    frames.map(async (frame) => {
      const pieces = await api.handle(frame, state, signal);
      return pieces === undefined ? undefined : [lengthPrefix(totalBytes(pieces)), ...pieces];
    }),
  );
}
