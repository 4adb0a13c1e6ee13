/**
 * The HTTP side of the AWS clients: one exchange, told apart by what the outcome of a write depends on.
 *
 * W1  `Progress.sent` says whether the connection was there. Before, no byte of the request has left, and an error is
 *     a {@link NotSent}: certainly not applied. After that nothing is certain.
 * W2  Connections are kept and used again, the one used last first. One that has been idle for long is dropped instead:
 *     the other side may have closed it, and a request sent into it has an unknown outcome. Each has its own age, for one
 *     that is always in use leaves the others idle; and it is by the wall clock, so that it counts the time for which a
 *     Lambda was frozen, or a busy process did not get to hear that the other side has closed.
 * W3  One timer bounds the whole exchange, the reply's body included.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import type { Clock } from "../../ports/index.ts";

// An import of it makes every name that it exports, WebSocket too, and so loads Node's fetch: 20 ms of a cold start.
const { Agent: HttpAgent, request: httpRequest } = process.getBuiltinModule("node:http");

const CONNECT_TIMEOUT_MS = 3000;
const IDLE_MOST_MS = 15_000;
/** Without TLS it is an emulator, whose servers (Node's, Python's hypercorn) close connections after 5 s. */
const IDLE_MOST_PLAIN_MS = 4000;

/** The request did not leave this machine. */
export class NotSent extends Error {
  override readonly name = "NotSent";
  readonly host: string;

  constructor(host: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.host = host;
  }
}

/** The request was sent, and the answer did not come in time. */
export class NoReplyInTime extends Error {
  override readonly name = "NoReplyInTime";
}

/** A request as the SDK hands it over. */
interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: Record<string, string | string[] | null>;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

interface SdkResponse {
  readonly statusCode: number;
  readonly reason?: string;
  readonly headers: Record<string, string>;
  readonly body: IncomingMessage;
}

/** What the caller of a client hands through to here. */
export interface SendOptions {
  /** Milliseconds for the whole exchange. */
  readonly requestTimeout: number;
  /** Filled in here. An object of its own, for the clients may copy the options on their way. */
  readonly progress: Progress;
}

export interface Progress {
  /** Bytes of the request may have left this machine (W1). */
  sent: boolean;
}

export interface HttpOptions {
  readonly clock: Clock;
  /** As many connections at once. */
  readonly maxSockets: number;
  /** For requests that do not say. */
  readonly requestTimeoutMs: number;
  /** Sees the headers of every reply. */
  readonly onReply: (headers: Record<string, string>) => void;
}

/** What the SDK calls a request handler. */
export class AwsHttp {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #options: HttpOptions;
  readonly #http: InstanceType<typeof HttpAgent>;
  readonly #https: HttpsAgent;
  /** By the clock's `nowMs`. */
  readonly #idleSinceMs = new WeakMap<Duplex, number>();

  constructor(options: HttpOptions) {
    this.#options = options;
    const agent = { keepAlive: true, maxSockets: options.maxSockets, scheduling: "lifo" } as const;
    this.#http = new HttpAgent({ ...agent, timeout: IDLE_MOST_PLAIN_MS });
    this.#https = new HttpsAgent({ ...agent, timeout: IDLE_MOST_MS });
    for (const one of [this.#http, this.#https])
      one.on("free", (socket: Duplex) => this.#idleSinceMs.set(socket, options.clock.nowMs()));
  }

  handle(request: SdkRequest, options: Partial<SendOptions> = {}): Promise<{ response: SdkResponse }> {
    const secure = request.protocol === "https:";
    this.#dropIdle(secure);
    const host = request.port === undefined ? request.hostname : `${request.hostname}:${request.port}`;
    const timeoutMs = options.requestTimeout ?? this.#options.requestTimeoutMs;
    const progress = options.progress ?? { sent: false };
    return new Promise((resolve, reject) => {
      let reply: IncomingMessage | undefined;
      const req: ClientRequest = (secure ? httpsRequest : httpRequest)({
        hostname: request.hostname.replace(/^\[|\]$/g, ""),
        port: request.port,
        method: request.method,
        path: request.path + queryText(request.query),
        headers: request.headers,
        agent: secure ? this.#https : this.#http,
      });
      const timer = setTimeout(() => {
        (reply ?? req).destroy(new NoReplyInTime(`no answer from ${host} within ${Math.round(timeoutMs)} ms`));
      }, timeoutMs);
      req.once("close", () => clearTimeout(timer));
      req.once("socket", (socket) => {
        if (!socket.connecting) {
          progress.sent = true;
          return;
        }
        const connectTimer = setTimeout(
          () => req.destroy(new Error(`no connection to ${host} within ${CONNECT_TIMEOUT_MS} ms`)),
          CONNECT_TIMEOUT_MS,
        );
        socket.once(secure ? "secureConnect" : "connect", () => {
          progress.sent = true;
          clearTimeout(connectTimer);
        });
        socket.once("close", () => clearTimeout(connectTimer));
      });
      req.on("error", (error) => reject(progress.sent ? error : new NotSent(host, error)));
      req.once("response", (body) => {
        reply = body;
        // Whoever reads the body hears of it too; this keeps it from ending the process when nobody does yet.
        body.on("error", () => {});
        const headers = body.headers as Record<string, string>;
        this.#options.onReply(headers);
        resolve({ response: { statusCode: body.statusCode ?? 0, reason: body.statusMessage ?? "", headers, body } });
      });
      req.end(request.body);
    });
  }

  /** W2. */
  #dropIdle(secure: boolean): void {
    const latestMs = this.#options.clock.nowMs() - (secure ? IDLE_MOST_MS : IDLE_MOST_PLAIN_MS);
    for (const sockets of Object.values((secure ? this.#https : this.#http).freeSockets)) {
      // The one that was used last is the last.
      for (const socket of sockets ?? []) {
        if ((this.#idleSinceMs.get(socket) ?? 0) >= latestMs) break;
        socket.destroy();
      }
    }
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  destroy(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** As RFC 3986 has it, and as the signature was made. */
function queryText(query: SdkRequest["query"]): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null) parts.push(escaped(name));
    else for (const one of Array.isArray(value) ? value : [value]) parts.push(`${escaped(name)}=${escaped(one)}`);
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
