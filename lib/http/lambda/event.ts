/**
 * From what invokes a Lambda to a call: API Gateway's HTTP API and Function URLs (payload format 2.0), and its
 * REST API (format 1.0). https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import { BrokerlessError } from "../../base/errors.ts";
import { tooLarge } from "../body.ts";
import { type Call, plainPath } from "../call.ts";
import { formatCount } from "../limits.ts";

/** What we use of payload format 2.0. */
export interface HttpEvent {
  readonly version: "2.0";
  readonly rawPath: string;
  readonly rawQueryString?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: {
    readonly domainName?: string;
    readonly stage?: string;
    readonly http: { readonly method: string };
  };
}

/** What we use of payload format 1.0. */
export interface RestEvent {
  readonly version?: "1.0";
  readonly httpMethod: string;
  /** Without the stage. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>> | null;
  /** Decoded by the gateway. */
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[]>> | null;
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly requestContext?: {
    readonly domainName?: string;
    /** With the stage, as the caller wrote it. */
    readonly path?: string;
  };
}

export type LambdaEvent = HttpEvent | RestEvent;

/** What Lambda itself takes and answers in one piece, with everything around the body. */
const PAYLOAD_BYTES = 6 * 1024 * 1024;
/** For headers, query and the context of the call. */
const ENVELOPE_BYTES = 64 * 1024;

/** A body as Lambda carries it: text, or base64, which makes three bytes four. */
export const CARRIED_BYTES: number = PAYLOAD_BYTES - ENVELOPE_BYTES;

export function methodOf(event: LambdaEvent): string {
  return isHttpEvent(event) ? event.requestContext.http.method : event.httpMethod;
}

/** The path without a stage, as a URL has it: the gateway decodes it, so what would end it is escaped again. */
export function pathOf(event: LambdaEvent): string {
  const path = isHttpEvent(event) ? event.rawPath.slice(baseOf(event).length) : event.path;
  const escaped = path.replace(/%(?![0-9A-Fa-f]{2})/g, "%25").replace(/[?#\\]/g, encodeURIComponent);
  return escaped.startsWith("/") ? escaped : `/${escaped}`;
}

/** A call as an event carries it. Making one throws `request_too_large` over Lambda's limit. */
export class EventCall implements Call {
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly origin: string;
  readonly base: string;
  readonly contentLength: number;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #body: Uint8Array;
  readonly #signal: AbortSignal;

  constructor(event: LambdaEvent, signal: AbortSignal) {
    this.#body = bodyOf(event);
    this.#headers = headersOf(event);
    this.#signal = signal;
    this.method = methodOf(event);
    this.path = plainPath(pathOf(event));
    this.search = queryOf(event);
    this.origin = `https://${event.requestContext?.domainName ?? this.#headers.get("host") ?? "localhost"}`;
    this.base = baseOf(event);
    // Of what came, not of what the gateway got.
    this.contentLength = this.#body.byteLength;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  headerNames(): readonly string[] {
    return [...this.#headers.keys()];
  }

  async body(limitBytes: number): Promise<Uint8Array> {
    if (this.contentLength > limitBytes) throw tooLarge(this.contentLength, limitBytes);
    return this.#body;
  }

  async *pieces(): AsyncIterable<Uint8Array> {
    if (this.contentLength > 0) yield this.#body;
  }

  signal(): AbortSignal {
    return this.#signal;
  }
}

function isHttpEvent(event: LambdaEvent): event is HttpEvent {
  return event.version === "2.0";
}

/** The stage, or what a domain of one's own maps to it: the path that the caller wrote has it, and ours has not. */
function baseOf(event: LambdaEvent): string {
  if (!isHttpEvent(event)) {
    const asCalled = event.requestContext?.path ?? "";
    return asCalled.endsWith(event.path) ? asCalled.slice(0, -event.path.length) : "";
  }
  const { stage } = event.requestContext;
  if (stage === undefined || stage === "$default") return "";
  const base = `/${stage}`;
  return event.rawPath === base || event.rawPath.startsWith(`${base}/`) ? base : "";
}

function queryOf(event: LambdaEvent): string {
  if (isHttpEvent(event)) return event.rawQueryString ?? "";
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    for (const value of values) query.append(name, value);
  }
  return query.toString();
}

/** By their names in lower case. */
function headersOf(event: LambdaEvent): Map<string, string> {
  const headers = new Map<string, string>();
  const many = isHttpEvent(event) ? undefined : event.multiValueHeaders;
  if (many) for (const [name, values] of Object.entries(many)) headers.set(name.toLowerCase(), values.join(", "));
  else for (const [name, value] of Object.entries(event.headers ?? {})) headers.set(name.toLowerCase(), value);
  return headers;
}

function bodyOf({ body, isBase64Encoded }: LambdaEvent): Uint8Array {
  if (body === undefined || body === null || body === "") return new Uint8Array(0);
  const bytes = Buffer.from(body, isBase64Encoded === true ? "base64" : "utf8");
  const carriedBytes = isBase64Encoded === true ? body.length : bytes.byteLength;
  if (carriedBytes > CARRIED_BYTES) {
    throw new BrokerlessError(
      "request_too_large",
      `the body is ${formatCount(carriedBytes)} bytes as Lambda carries it; it carries at most ${formatCount(CARRIED_BYTES)}: ` +
        "send smaller batches, or compress them",
      { details: { limitBytes: CARRIED_BYTES } },
    );
  }
  return bytes;
}
