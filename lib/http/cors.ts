/**
 * Who may call from a browser (https://fetch.spec.whatwg.org/#http-cors-protocol). Without configuration only pages of the
 * server itself: a page of another origin can neither read nor, with its cookies-free simple requests, write.
 */
import { BrokerlessError } from "../base/errors.ts";
import type { Call, Reply } from "./call.ts";
import { addVary } from "./compress.ts";

const EXPOSED =
  "etag, location, retry-after, kafka-acks, kafka-next-offset, kafka-log-start-offset, kafka-log-end-offset, kafka-consumer-sequence, content-encoding";

const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

function sameOrigin(call: Call, origin: string): boolean {
  const host = call.origin.slice(call.origin.indexOf("://") + 3);
  return origin === `http://${host}` || origin === `https://${host}`;
}

function allowed(call: Call, origin: string, cors: ReadonlySet<string>): boolean {
  return cors.has("*") || cors.has(origin) || sameOrigin(call, origin);
}

/** Throws `forbidden` for a change that a page of a foreign origin asks for. */
export function checkOrigin(call: Call, cors: ReadonlySet<string>): void {
  const origin = call.header("origin");
  if (origin === undefined || SAFE.has(call.method) || allowed(call, origin, cors)) return;
  throw foreign(origin);
}

function foreign(origin: string): BrokerlessError {
  return new BrokerlessError(
    "forbidden",
    `pages of ${JSON.stringify(origin)} may not call this server; --cors lists those that may`,
    {
      field: "Origin",
    },
  );
}

/** Adds what the browser wants to see. */
export function addCors(call: Call, headers: Record<string, string>, cors: ReadonlySet<string>): void {
  if (cors.size === 0) return;
  const origin = call.header("origin");
  if (!cors.has("*")) addVary(headers, "origin");
  if (origin === undefined || !allowed(call, origin, cors)) return;
  headers["access-control-allow-origin"] = cors.has("*") ? "*" : origin;
  headers["access-control-expose-headers"] = EXPOSED;
}

/** Answers OPTIONS: a browser's preflight, or a plain question for the methods. */
export function optionsReply(call: Call, methods: readonly string[], cors: ReadonlySet<string>): Reply {
  const headers: Record<string, string> = { allow: methods.join(", ") };
  const origin = call.header("origin");
  if (origin !== undefined && call.header("access-control-request-method") !== undefined) {
    if (!allowed(call, origin, cors)) throw foreign(origin);
    headers["access-control-allow-origin"] = cors.has("*") ? "*" : origin;
    headers["access-control-allow-methods"] = methods.join(", ");
    const asked = call.header("access-control-request-headers");
    if (asked !== undefined && /^[\w!#$%&'*+.^`|~, -]{1,2048}$/.test(asked)) headers["access-control-allow-headers"] = asked;
    headers["access-control-max-age"] = "600";
    addVary(headers, "origin");
  }
  return { status: 204, headers, body: null, compressible: false };
}
