/**
 * From what invokes a Lambda to a request: API Gateway's HTTP API and Function URLs (payload format 2.0), and its
 * REST API (format 1.0). https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import { BrokerlessError } from "../../base/errors.ts";
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
  readonly requestContext?: { readonly domainName?: string };
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
  const path = isHttpEvent(event) ? withoutStage(event) : event.path;
  const escaped = path.replace(/%(?![0-9A-Fa-f]{2})/g, "%25").replace(/[?#\\]/g, encodeURIComponent);
  return escaped.startsWith("/") ? escaped : `/${escaped}`;
}

/**
 * The request that an event stands for. Throws `request_too_large` over Lambda's limit, and `invalid_request` for what
 * is no HTTP request.
 */
export function toRequest(event: LambdaEvent, signal: AbortSignal): Request {
  const body = bodyOf(event);
  const method = methodOf(event);
  try {
    const headers = headersOf(event);
    // As the gateway got it; what counts here is what came.
    headers.delete("transfer-encoding");
    headers.set("content-length", String(body.byteLength));
    const query = queryOf(event);
    const host = event.requestContext?.domainName ?? headers.get("host") ?? "localhost";
    return new Request(`https://${host}${pathOf(event)}${query === "" ? "" : `?${query}`}`, {
      method,
      headers,
      signal,
      body: body.byteLength === 0 || method === "GET" || method === "HEAD" ? null : body,
    });
  } catch (cause) {
    throw new BrokerlessError("invalid_request", `the gateway handed over what is no HTTP request: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function isHttpEvent(event: LambdaEvent): event is HttpEvent {
  return event.version === "2.0";
}

function withoutStage({ rawPath, requestContext: { stage } }: HttpEvent): string {
  const prefix = `/${stage}`;
  if (stage === undefined || stage === "$default" || !rawPath.startsWith(prefix)) return rawPath;
  const rest = rawPath.slice(prefix.length);
  return rest === "" || rest.startsWith("/") ? rest : rawPath;
}

function queryOf(event: LambdaEvent): string {
  if (isHttpEvent(event)) return event.rawQueryString ?? "";
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    for (const value of values) query.append(name, value);
  }
  return query.toString();
}

function headersOf(event: LambdaEvent): Headers {
  const headers = new Headers();
  const many = isHttpEvent(event) ? undefined : event.multiValueHeaders;
  if (many) for (const [name, values] of Object.entries(many)) for (const value of values) headers.append(name, value);
  else for (const [name, value] of Object.entries(event.headers ?? {})) headers.set(name, value);
  return headers;
}

function bodyOf({ body, isBase64Encoded }: LambdaEvent): Uint8Array<ArrayBuffer> {
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
