/**
 * Requests signed with AWS Signature Version 4
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), as a `fetch` for the client.
 *
 * Signed are the method, path, query and host, the time, the session token and the whole body. Other headers are not:
 * browsers and proxies change some, and nothing that they say decides who may do what.
 */
import { AwsV4Signer } from "aws4fetch";
import { BrokerlessError } from "../../base/errors.ts";
import type { Fetch } from "../http.ts";
import { type SigningScope, scopeOfHost } from "./place.ts";
import { refusalOf } from "./refusal.ts";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface SigningOptions {
  /**
   * Or a function that is asked before each request, for credentials that change; those of the AWS SDK fit as they are.
   * Where it answers undefined, the request is sent without a signature.
   */
  readonly credentials: AwsCredentials | (() => Promise<AwsCredentials | undefined>);
  /** Default: what the host says. A domain of your own does not say. */
  readonly region?: string | undefined;
  /** Default: what the host says, else `execute-api`; a Function URL's is `lambda`. */
  readonly service?: string | undefined;
  /** What sends the requests. Default: the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly nowMs?: (() => number) | undefined;
}

/**
 * A `fetch` that signs. Bodies that are streams are read into memory first, since their hash comes before them. Throws
 * `BrokerlessError` (nothing was applied) where there is nothing to sign with, and for what AWS refuses: a wrong clock,
 * expired credentials, a missing right.
 */
export function signingFetch(options: SigningOptions): Fetch {
  const { credentials, nowMs = Date.now } = options;
  const send: Fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const keys = new Map<string, ArrayBuffer>();
  return async (input, init) => {
    const found = typeof credentials === "function" ? await asked(credentials) : credentials;
    const signedAtMs = nowMs();
    const signed = found === undefined ? undefined : await sign(input, init, found, options, signedAtMs, keys);
    const response = await send(signed?.url ?? input, signed?.init ?? init);
    if (response.status !== 401 && response.status !== 403) return response;
    const text = await response.text();
    const request = { scope: signed?.scope, accessKeyId: found?.accessKeyId, signedAtMs };
    const refusal = refusalOf(response.status, response.headers, text, request);
    if (refusal !== undefined) throw refusal;
    return new Response(text, { status: response.status, headers: response.headers });
  };
}

interface Signed {
  readonly url: string;
  readonly init: RequestInit;
  readonly scope: SigningScope;
}

async function sign(
  input: string,
  init: RequestInit,
  credentials: AwsCredentials,
  options: SigningOptions,
  atMs: number,
  keys: Map<string, ArrayBuffer>,
): Promise<Signed> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new BrokerlessError(
      "unauthenticated",
      "a request is signed with Web Crypto, which browsers give only to pages over https",
    );
  }
  const headers = new Headers(init.headers);
  if (headers.has("authorization")) {
    throw new BrokerlessError(
      "invalid_request",
      "a request is signed, or it carries a token: both need its Authorization header",
      {
        field: "token",
      },
    );
  }
  const url = new URL(input);
  // A plus is a space to us and a plus to AWS.
  url.search = url.search.replaceAll("+", "%20");
  const scope = scopeFor(url.host, options);
  const body = await wholeBody(init.body, headers);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const signer = new AwsV4Signer({
    method: init.method ?? "GET",
    url: url.href,
    ...scope,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(body === undefined ? {} : { body: body as BodyInit }),
    datetime: new Date(atMs).toISOString().replace(/[:-]|\.\d{3}/g, ""),
    cache: keys,
  });
  const { headers: added } = await signer.sign();
  for (const [name, value] of added) headers.set(name, value);
  const { body: _, ...rest } = init;
  return { url: url.href, scope, init: { ...rest, headers, ...(body === undefined ? {} : { body: body as BodyInit }) } };
}

function scopeFor(host: string, { region, service }: SigningOptions): SigningScope {
  const known = scopeOfHost(host);
  const where = region ?? known?.region;
  if (where === undefined) {
    throw new BrokerlessError("invalid_request", `region: ${host} does not say which AWS region to sign for: name it`, {
      field: "region",
    });
  }
  return { region: where, service: service ?? known?.service ?? "execute-api" };
}

async function asked(credentials: () => Promise<AwsCredentials | undefined>): Promise<AwsCredentials | undefined> {
  try {
    return await credentials();
  } catch (cause) {
    if (cause instanceof BrokerlessError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BrokerlessError("unauthenticated", `there are no AWS credentials to sign with: ${message}`, { cause });
  }
}

/** What can be hashed. */
async function wholeBody(body: RequestInit["body"], headers: Headers): Promise<string | Uint8Array | undefined> {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  const whole = new Response(body);
  const type = whole.headers.get("content-type");
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
  return new Uint8Array(await whole.arrayBuffer());
}
