/** The TCP listener: connections, their limits, their rounds, and the end. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { type Clock, type Metrics, NO_METRICS } from "../../ports/index.ts";
import { Connection } from "./connection.ts";
import { Room } from "./room.ts";
import { DEFAULT_TCP_LIMITS, type FrameService, type Peer, type TcpLimits } from "./types.ts";

export interface ListenerOptions<State> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly service: FrameService<State>;
  readonly clock: Clock;
  readonly metrics?: Metrics;
  readonly limits?: Partial<TcpLimits>;
  /** PEM. Without it the listener speaks no TLS. */
  readonly tls?: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array } | undefined;
  /** A connection was closed because of this. */
  readonly onFailure?: (error: unknown, peer: Peer) => void;
}

export interface Listener {
  readonly port: number;
  readonly connections: number;
  /** Of requests and responses, over all connections. */
  readonly heldBytes: number;
  /** Takes no connection and no request any more, answers what is begun, and cuts after so long what is left. */
  close(timeoutMs: number): Promise<void>;
}

/** How often connections are looked after. */
const ROUND_MS = 1000;
/** Connections that wait to be accepted. */
const BACKLOG = 2048;
/** How long the first messages of TLS may take. */
const HANDSHAKE_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;

/** Resolves when it listens; rejects with the system's error when it cannot. */
export async function listenTcp<State>(options: ListenerOptions<State>): Promise<Listener> {
  const { service, clock, tls, onFailure = () => {} } = options;
  const metrics = options.metrics ?? NO_METRICS;
  const limits: TcpLimits = { ...DEFAULT_TCP_LIMITS, ...options.limits };
  const room = new Room(limits.inFlightBytes);
  const connections = new Set<Connection<State>>();
  const sockets = new Set<Socket>();
  let isClosing = false;
  let onLast = (): void => {};

  const accept = (socket: Socket): void => {
    if (isClosing || socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const peer = peerOf(socket, tls !== undefined);
    const connection: Connection<State> = new Connection({
      socket,
      service,
      state: service.open(peer),
      limits,
      clock,
      room,
      onFailure: (error) => {
        metrics.count("kafka_connections_failed_total");
        onFailure(error, peer);
      },
      onClose: () => {
        connections.delete(connection);
        metrics.gauge("kafka_connections", connections.size);
        if (connections.size === 0) onLast();
      },
    });
    connections.add(connection);
    metrics.gauge("kafka_connections", connections.size);
  };

  const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  const server: Server =
    tls === undefined
      ? createServer(socketOptions, accept)
      : createTlsServer(
          {
            ...socketOptions,
            cert: tls.cert as Buffer,
            key: tls.key as Buffer,
            minVersion: "TLSv1.2",
            handshakeTimeout: HANDSHAKE_MS,
          },
          accept,
        ).on("tlsClientError", (_error, socket: TLSSocket) => {
          metrics.count("kafka_connections_failed_total");
          socket.destroy();
        });
  server.maxConnections = limits.connections;
  server.on("drop", () => metrics.count("kafka_connections_refused_total"));
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port, host: options.host, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const rounds = setInterval(() => {
    const nowMs = clock.monotonicMs();
    for (const connection of connections) connection.check(nowMs);
    metrics.gauge("kafka_in_flight_bytes", room.heldBytes);
  }, ROUND_MS);
  rounds.unref();

  let closed: Promise<void> | undefined;
  const close = async (timeoutMs: number): Promise<void> => {
    isClosing = true;
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    const gone = new Promise<void>((resolve) => {
      if (connections.size === 0) resolve();
      else onLast = resolve;
    });
    for (const connection of connections) connection.finish();
    const deadline = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, timeoutMs);
    await Promise.all([ended, gone]);
    clearTimeout(deadline);
    clearInterval(rounds);
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections.size;
    },
    get heldBytes() {
      return room.heldBytes;
    },
    close: (timeoutMs) => {
      closed ??= close(timeoutMs);
      return closed;
    },
  };
}

function peerOf(socket: Socket, isEncrypted: boolean): Peer {
  return {
    remoteHost: plainHost(socket.remoteAddress),
    remotePort: socket.remotePort ?? 0,
    localHost: plainHost(socket.localAddress),
    localPort: socket.localPort ?? 0,
    isEncrypted,
  };
}

/** A socket for both families names IPv4 addresses in IPv6's form. */
function plainHost(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.)/, "");
}
