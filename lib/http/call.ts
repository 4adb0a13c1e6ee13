/** A request and a reply as the routes see them, whatever carries them (Node's server, or a Lambda event). */

/** What is sent as a body: text is UTF-8; pieces are sent as they come, at the speed of the reader. */
export type ReplyBody = string | Uint8Array | AsyncIterable<Uint8Array> | null;

export interface Reply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Record<string, string>;
  readonly body: ReplyBody;
  /** May it be compressed? False for what is compressed already, and for live streams. */
  readonly compressible: boolean;
  /** The request's body was not read to its end: say so and close the connection. */
  readonly close?: boolean;
}

export interface Call {
  readonly method: string;
  /** Without the query, as it was sent. */
  readonly path: string;
  /** The query without its `?`, as it was sent. */
  readonly search: string;
  /** By its name in lower case. */
  header(name: string): string | undefined;
  /** The names of all headers, in lower case. */
  headerNames(): readonly string[];
  /** Scheme and host as the client called them: `http://127.0.0.1:8080`. */
  readonly origin: string;
  /** What a gateway took off the front of the path, `/prod`: links begin with it. Usually empty. */
  readonly base: string;
  /** As the client announced it; undefined for a streamed body. */
  readonly contentLength: number | undefined;
  /**
   * The whole body as it was sent. Throws `request_too_large` over the limit, `timeout` for a slow client,
   * `invalid_request` for a body that was cut short.
   */
  body(limitBytes: number): Promise<Uint8Array>;
  /** The body piece by piece, at the speed of the reader. Throws as `body` does, without a limit of size. */
  pieces(): AsyncIterable<Uint8Array>;
  /** Aborts when the client goes away. */
  signal(): AbortSignal;
}

/** A path with `%3A` as the colon that it means: careful clients escape the one in `records:batch`. */
export function plainPath(path: string): string {
  return path.includes("%3") ? path.replace(/%3a/gi, ":") : path;
}

const JSON_TYPE = "application/json";

/** JSON that was made already. */
export function jsonText(text: string, status = 200, type = JSON_TYPE): Reply {
  return { status, headers: { "content-type": type }, body: text, compressible: true };
}

export function json(value: unknown, status = 200, headers?: Record<string, string>): Reply {
  return { status, headers: { "content-type": JSON_TYPE, ...headers }, body: JSON.stringify(value), compressible: true };
}

export function noContent(): Reply {
  return { status: 204, headers: {}, body: null, compressible: false };
}
