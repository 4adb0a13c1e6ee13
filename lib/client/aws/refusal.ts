/** Why AWS refused a request before it came to our server, in one line that says what to do. Pure. */
import { BrokerlessError } from "../../base/errors.ts";
import type { SigningScope } from "./place.ts";

export interface RefusedRequest {
  /** What it was signed for; undefined where it was not signed. */
  readonly scope: SigningScope | undefined;
  readonly accessKeyId: string | undefined;
  readonly signedAtMs: number;
}

/** AWS takes signatures that are so far from its own clock. */
const SKEW_MOST_MS = 5 * 60_000;

/** Undefined where it was our own server that answered. Nothing was applied in any case. */
export function refusalOf(status: number, headers: Headers, text: string, request: RefusedRequest): BrokerlessError | undefined {
  const said = wordsOf(text);
  if (said === undefined) return undefined;
  const kind = `${headers.get("x-amzn-errortype") ?? ""} ${said}`;
  const { scope, accessKeyId } = request;
  const error = (what: string, code: "forbidden" | "unauthenticated" = "unauthenticated"): BrokerlessError =>
    new BrokerlessError(code, said === "" ? what : `${what} (AWS says: ${said})`, { details: { status } });
  if (scope === undefined)
    return error(
      "AWS refused the request, which was not signed: name AWS credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID), or a token",
    );
  const aheadMs = request.signedAtMs - Date.parse(headers.get("date") ?? "");
  if (
    /signature (has )?expired|not yet current|RequestTimeTooSkewed|RequestExpired/i.test(kind) ||
    Math.abs(aheadMs) > SKEW_MOST_MS
  ) {
    const far = Number.isNaN(aheadMs)
      ? ""
      : `: it is ${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? "ahead" : "behind"}`;
    return error(`AWS refused the signature because of this machine's clock${far}; set it right (NTP)`);
  }
  if (/expired/i.test(kind)) return error('the AWS credentials have expired: get new ones, with "aws sso login" for one');
  if (/security token.*invalid|UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId/i.test(kind))
    return error(`AWS does not know the access key ${accessKeyId}: check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN or the profile`);
  if (/scoped to (a valid|correct)|scoped to a/i.test(kind))
    return error(
      `the request was signed for ${scope.service} in ${scope.region}: name the region (and service) where the log is`,
    );
  if (/signature we calculated|InvalidSignature|SignatureDoesNotMatch/i.test(kind))
    return error(
      "the AWS secret key does not fit the access key, or something on the way changed the request: check AWS_SECRET_ACCESS_KEY or the profile",
    );
  const action = scope.service === "lambda" ? "lambda:InvokeFunctionUrl" : "execute-api:Invoke";
  return error(
    `the AWS credentials (${accessKeyId}) may not call this: their policy must allow ${action}, as EventLog.grantCall does`,
    "forbidden",
  );
}

/** What a gateway says; undefined where the answer is ours. */
function wordsOf(text: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return text
      .replace(/<[^>]*>/g, " ")
      .replace(/\s+/g, " ")
      .trim()
      .slice(0, 200);
  }
  const { code, message, Message } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  if (typeof code === "string") return undefined;
  return String(message ?? Message ?? "")
    .replace(/\s+/g, " ")
    .slice(0, 300);
}
