/** The tunnel: a local TCP port for Kafka clients, whose frames go over `POST /kafka`. */
import { BrokerlessError } from "../base/errors.ts";
import type { Fetch } from "../client/http.ts";
import type { Clock } from "../ports/index.ts";
import { type Listener, listenTcp } from "../wire/tcp/listener.ts";
import type { FrameService, Peer, TcpLimits } from "../wire/tcp/types.ts";
import { takeTogether } from "./batch.ts";
import { Relay } from "./relay.ts";

export interface TunnelOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The server: `https://...`, without `/kafka`. */
  readonly url: string;
  /** Sent as bearer token for every client that does not say by SASL (PLAIN) who it is. */
  readonly token?: string | undefined;
  /** `host:port` that clients are told to find the broker at. Default: the address that each has called. */
  readonly advertise?: string | undefined;
  readonly clock: Clock;
  readonly fetch?: Fetch | undefined;
  /** How long a server that is not there is waited for. Default 20,000. */
  readonly patienceMs?: number | undefined;
  readonly limits?: Partial<TcpLimits>;
  readonly onEvent?: (event: TunnelEvent) => void;
}

/** What happens, for people and programs. */
export interface TunnelEvent {
  readonly event: "connected" | "disconnected" | "retrying" | "failed";
  /** Address of the client. */
  readonly client: string;
  readonly message?: string;
}

interface State {
  readonly client: string;
  readonly relay: Relay;
}

/** Resolves when it listens; rejects with the system's error when it cannot, and `invalid_request` for a wrong `url`. */
export async function startTunnel(options: TunnelOptions): Promise<Listener> {
  const { url, token, fetch, patienceMs, clock, onEvent = () => {} } = options;
  const relayTo = (advertise: string, client: string): Relay =>
    new Relay({
      url,
      token,
      fetch,
      patienceMs,
      advertise,
      onRetry: (error) => onEvent({ event: "retrying", client, message: error.message }),
    });
  // What is wrong with the address is told here, and not with every connection.
  relayTo("", "");
  const service: FrameService<State> = {
    open(peer) {
      const client = addressOf(peer.remoteHost, peer.remotePort);
      onEvent({ event: "connected", client });
      return { client, relay: relayTo(options.advertise ?? addressOf(peer.localHost, peer.localPort), client) };
    },
    take: takeTogether,
    answer: (frames, { relay }, signal) => relay.answer(frames, signal),
    close: ({ client }) => onEvent({ event: "disconnected", client }),
  };
  return await listenTcp({
    host: options.host,
    port: options.port,
    service,
    clock,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    onFailure: (error, peer: Peer) =>
      onEvent({ event: "failed", client: addressOf(peer.remoteHost, peer.remotePort), message: messageOf(error) }),
  });
}

function addressOf(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function messageOf(error: unknown): string {
  return error instanceof BrokerlessError || error instanceof Error ? error.message : String(error);
}
