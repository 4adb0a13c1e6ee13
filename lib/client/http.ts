/**
 * Requests to a server: one `fetch`, and what became of it. Every failure is a `BrokerlessError` that keeps the outcome:
 * a request that may have reached the server and was not answered is `outcome_unknown` where it writes.
 * Nothing is tried again here.
 */
import { BrokerlessError } from "../base/errors.ts";
import { Deadline } from "./deadline.ts";
import { errorOfReply } from "./reply-errors.ts";

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** `http://127.0.0.1:8080`; a path is kept as a prefix. */
  readonly url: string;
  /** Sent as bearer token. A function is asked for every request: for tokens that are renewed. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** How long a request may take, its answer included. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Each part is escaped. */
  readonly path: readonly (string | number)[];
  readonly query?: Query | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Text is JSON already. */
  readonly body?: string | Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Would it change nothing if it were applied though nobody heard of it? Default: for GET alone. */
  readonly readOnly?: boolean | undefined;
}

export interface Http {
  readonly baseUrl: string;
  /** The whole answer as JSON; undefined for an empty one. Throws for every status that is not 2xx. */
  json(request: HttpRequest): Promise<unknown>;
  /**
   * The answer as soon as its headers are there; the caller reads the body. Throws for every status that is not 2xx.
   * No time-out but the caller's signal.
   */
  open(request: HttpRequest): Promise<Response>;
}

/** Throws `invalid_request` for an address that is none. */
export function createHttp(options: HttpOptions): Http {
  const baseUrl = parseBaseUrl(options.url);
  const send: Fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const timeoutMs = options.requestTimeoutMs ?? 30_000;
  const { token } = options;
  const fixed = typeof token === "string" ? bearer(token) : {};

  const call = async (request: HttpRequest, signal: AbortSignal | undefined): Promise<Response> => {
    const authorization = typeof token === "function" ? bearer(await askedFor(token)) : fixed;
    return send(`${baseUrl}/${request.path.map(pathPart).join("/")}${queryText(request.query)}`, {
      method: request.method,
      headers: {
        ...authorization,
        ...(typeof request.body === "string" ? { "content-type": "application/json" } : {}),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: request.body as BodyInit }),
      ...(signal === undefined ? {} : { signal }),
    });
  };

  return {
    baseUrl,
    async json(request) {
      const limit = new Deadline(timeoutMs, request.signal);
      let response: Response;
      let text: string;
      try {
        response = await call(request, limit.signal);
        text = await response.text();
      } catch (cause) {
        // A `fetch` that was handed in knows better.
        if (cause instanceof BrokerlessError) throw cause;
        throw lostRequest(request, baseUrl, cause, limit.isOver ? timeoutMs : undefined);
      } finally {
        limit.clear();
      }
      if (!response.ok) throw errorOfReply(response.status, response.headers, text, isReadOnly(request));
      if (text === "") return undefined;
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw strangeReply(request, baseUrl, cause);
      }
    },
    async open(request) {
      let response: Response;
      let text: string;
      try {
        response = await call(request, request.signal);
        if (response.ok) return response;
        text = await response.text();
      } catch (cause) {
        if (cause instanceof BrokerlessError) throw cause;
        throw lostRequest(request, baseUrl, cause, undefined);
      }
      throw errorOfReply(response.status, response.headers, text, isReadOnly(request));
    },
  };
}

/** What is wrong with a token is said without it: errors end up in logs. */
function bearer(token: string): Readonly<Record<string, string>> {
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new BrokerlessError(
      "invalid_request",
      "token: a token is printable ASCII without spaces; what was given is not (is there a line end in it?)",
      { field: "token" },
    );
  }
  return { authorization: `Bearer ${token}` };
}

async function askedFor(token: () => string | Promise<string>): Promise<string> {
  try {
    return await token();
  } catch (cause) {
    if (cause instanceof BrokerlessError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BrokerlessError("unauthenticated", `no token for the request: the token function failed: ${why}`, { cause });
  }
}

/** Escaped, but for the colon of `configs:alter`. */
function pathPart(part: string | number): string {
  return encodeURIComponent(part).replaceAll("%3A", ":");
}

function parseBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new BrokerlessError(
      "invalid_request",
      `url: an address begins with http:// or https://; it is ${JSON.stringify(text)}`,
      {
        field: "url",
      },
    );
  }
  if (url.search !== "" || url.hash !== "") {
    throw new BrokerlessError("invalid_request", `url: an address has no query and no fragment; it is ${JSON.stringify(text)}`, {
      field: "url",
    });
  }
  return url.href.replace(/\/+$/, "");
}

function queryText(query: Query | undefined): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) params.set(name, String(value));
  return params.size === 0 ? "" : `?${params}`;
}

function isReadOnly(request: HttpRequest): boolean {
  return request.readOnly ?? request.method === "GET";
}

/** The request got no answer. It was certainly not applied only where no connection came about. */
function lostRequest(request: HttpRequest, baseUrl: string, cause: unknown, timedOutMs: number | undefined): BrokerlessError {
  if (request.signal?.aborted) {
    return new BrokerlessError(isReadOnly(request) ? "timeout" : "outcome_unknown", "the request was given up by its caller", {
      outcome: isReadOnly(request) ? "not_applied" : "unknown",
      details: { aborted: true },
      cause,
    });
  }
  const why = timedOutMs === undefined ? reasonOf(cause) : `no answer within ${timedOutMs.toLocaleString("en-US")} ms`;
  if (isReadOnly(request) || neverConnected(cause)) {
    return new BrokerlessError("unavailable", `cannot reach ${baseUrl}: ${why}`, { details: { unreachable: true }, cause });
  }
  return new BrokerlessError(
    "outcome_unknown",
    `${baseUrl} did not answer: ${why}; the request may or may not have been applied`,
    {
      outcome: "unknown",
      details: { unreachable: true },
      cause,
    },
  );
}

function strangeReply(request: HttpRequest, baseUrl: string, cause: unknown): BrokerlessError {
  const message = `${baseUrl} answered with something that is not JSON: is it a Brokerless server?`;
  return isReadOnly(request)
    ? new BrokerlessError("unavailable", message, { cause })
    : new BrokerlessError("outcome_unknown", message, { outcome: "unknown", cause });
}

// What Node's fetch names in its cause when there was no connection at all. Browsers do not say.
const NO_CONNECTION = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function neverConnected(cause: unknown): boolean {
  const codes = causeCodes(cause);
  return codes.length > 0 && codes.every((code) => NO_CONNECTION.has(code));
}

function reasonOf(cause: unknown): string {
  const code = causeCodes(cause)[0];
  if (code === "ECONNREFUSED") return "connection refused";
  if (code === "ENOTFOUND") return "no such host";
  if (code !== undefined) return code;
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message : cause.message;
}

/** The system's error codes below an error: of each address that was tried, where there were several. */
function causeCodes(error: unknown): string[] {
  if (typeof error !== "object" || error === null) return [];
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.flatMap(causeCodes);
  if ("code" in error && typeof error.code === "string") return [error.code];
  return "cause" in error ? causeCodes(error.cause) : [];
}
