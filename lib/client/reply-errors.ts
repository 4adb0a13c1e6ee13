/** A reply that is an error, as the error that it tells of. */
import { BrokerlessError, type ErrorCode, type Outcome } from "../base/errors.ts";

/** Reads the server's JSON; what others answer on its behalf (a gateway) is judged by the status. */
export function errorOfReply(status: number, headers: Headers, text: string, readOnly: boolean): BrokerlessError {
  const body = parseObject(text);
  const retryAfterMs = retryAfter(headers.get("retry-after"));
  const { code, message, outcome } = body;
  if (typeof code === "string" && typeof message === "string") {
    return new BrokerlessError(code as ErrorCode, message, {
      outcome: isOutcome(outcome) ? outcome : readOnly ? "not_applied" : "unknown",
      details: camelCased(body["details"]),
      ...(typeof body["field"] === "string" ? { field: body["field"] } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  const applied = readOnly || (status < 500 && status !== 408) ? "not_applied" : "unknown";
  const said = typeof body["message"] === "string" ? body["message"] : oneLine(text);
  return new BrokerlessError(codeOfStatus(status, applied), `HTTP ${status}${said === "" ? "" : `: ${said}`}`, {
    outcome: applied,
    details: { status },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function codeOfStatus(status: number, outcome: Outcome): ErrorCode {
  if (outcome === "unknown") return "outcome_unknown";
  switch (status) {
    case 401:
      return "unauthenticated";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 413:
      return "request_too_large";
    case 408:
    case 429:
      return "throttled";
    default:
      return status >= 500 ? "unavailable" : "invalid_request";
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isOutcome(value: unknown): value is Outcome {
  return value === "not_applied" || value === "applied" || value === "unknown";
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

function camelCased(details: unknown): Record<string, unknown> {
  if (typeof details !== "object" || details === null) return {};
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}

function oneLine(text: string): string {
  const line = text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
