/** The HTTP server under the app: time-outs, limits of the protocol, errors before there is a request, and its stop. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { BrokerlessError } from "../base/errors.ts";
import { type Address, formatAddress, isLoopback } from "./address.ts";

export interface ListenOptions {
  readonly address: Address;
  readonly listener: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  /** A body announced larger than this is refused before it is sent. */
  readonly maxBodyBytes: number;
  /** May requests name this server by any host name? */
  readonly anyHost: boolean;
}

/** How long a client may take to send its request's headers. */
const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** A connection on which nothing moves for so long is cut; long polls answer and event streams beat well before. */
const SILENCE_TIMEOUT_MS = 120_000;
/** More connections at once are closed as they come. */
const MAX_CONNECTIONS = 10_000;
/** All headers of a request together. */
const MAX_HEADER_BYTES = 16 * 1024;

export interface Listening {
  readonly server: Server;
  readonly port: number;
}

/** Resolves when it listens. Throws `invalid_config` when it cannot. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { address, maxBodyBytes } = options;
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // Bodies have time-outs of their own: a stream of records may last.
    requestTimeout: 0,
    connectionsCheckingInterval: 1000,
    noDelay: true,
  });
  server.timeout = SILENCE_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  const guarded = guardHost(options);
  server.on("request", guarded);
  server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const length = Number(incoming.headers["content-length"] ?? 0);
    if (!(length > maxBodyBytes)) outgoing.writeContinue();
    guarded(incoming, outgoing);
  });
  server.on("clientError", answerClientError);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(cannotListen(address, cause, "http")));
    server.listen(address.port, address.host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/**
 * A page anywhere can point a name of its own at 127.0.0.1 and so call what listens there (DNS rebinding): the local
 * server answers only to names of this machine.
 */
function guardHost({ address, listener, anyHost }: ListenOptions): ListenOptions["listener"] {
  if (anyHost || !isLoopback(address.host)) return listener;
  let known = "";
  return (incoming, outgoing) => {
    const host = incoming.headers.host ?? "";
    if (host !== known && host !== "") {
      const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
      if (!isLoopback(name)) {
        const message = `this server answers to names of this machine, as localhost; Host is ${JSON.stringify(host.slice(0, 200))}`;
        const body = JSON.stringify({ error_code: 40301, message, code: "forbidden", outcome: "not_applied", field: "Host" });
        outgoing.writeHead(403, {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          connection: "close",
        });
        outgoing.end(body);
        return;
      }
      known = host;
    }
    listener(incoming, outgoing);
  };
}

/** What kept a listener from its address, for people. */
export function cannotListen(address: Address, cause: NodeJS.ErrnoException, field: "http" | "kafka"): BrokerlessError {
  const where = formatAddress(address);
  const why =
    cause.code === "EADDRINUSE"
      ? `another program listens there already; stop it, or choose another port with --${field}${field === "kafka" ? " (off: no listener for Kafka clients)" : ""}`
      : cause.code === "EACCES"
        ? "this user may not use that port; choose one above 1023"
        : cause.code === "EADDRNOTAVAIL" || cause.code === "ENOTFOUND"
          ? "this machine has no such address"
          : cause.message;
  return new BrokerlessError("invalid_config", `cannot listen on ${where}: ${why}`, { field, cause });
}

/** What Node's parser refuses never becomes a request; it is answered in the same JSON all the same. */
const CLIENT_ERRORS: Readonly<Record<string, readonly [status: string, code: string, errorCode: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    "request_too_large",
    41301,
    `the request's line and headers are larger than ${MAX_HEADER_BYTES} bytes`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    "408 Request Timeout",
    "timeout",
    408,
    `the request's headers did not come within ${HEADERS_TIMEOUT_MS} ms`,
  ],
};

function answerClientError(error: NodeJS.ErrnoException & { reason?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = CLIENT_ERRORS[error.code ?? ""];
  const [status, code, errorCode, message] = known ?? [
    "400 Bad Request",
    "invalid_request",
    40002,
    `this is not HTTP/1.1: ${error.reason ?? error.message}`,
  ];
  const body = JSON.stringify({ error_code: errorCode, message, code, outcome: "not_applied" });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Stops accepting, waits for what is under way up to a deadline, then cuts it. */
export async function stopListening(server: Server, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Connections become idle as their replies end.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const deadline = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(deadline);
}
