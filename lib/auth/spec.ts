/** What a new token is asked to be, and its check. Pure. */
import { BrokerlessError } from "../base/errors.ts";
import { type Grant, OPERATIONS, RESOURCES } from "./rights.ts";

export interface TokenSpec {
  /** For people: 1 to 100 printable characters. */
  readonly name: string;
  /** 1 to 100. */
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970; undefined: it does not expire. */
  readonly expiresAtMs?: number;
}

const NAME_MOST = 100;
const GRANTS_MOST = 100;
/** Kafka's, of topics; groups are held to the same. */
const RESOURCE_NAME_MOST = 249;
/** The last millisecond of the year 9999. */
const TIME_MOST_MS = 253_402_300_799_999;

/** Throws `invalid_request`, naming the field, its value and what it may be. Answers the grants with nothing in them twice. */
export function checkTokenSpec(spec: TokenSpec, nowMs: number): readonly Grant[] {
  const { name, grants, expiresAtMs } = spec;
  if (name.length < 1 || name.length > NAME_MOST || !/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(name))
    throw wrong("name", `takes 1 to ${NAME_MOST} printable characters; it is ${shown(name)}`);
  if (expiresAtMs !== undefined && !(Number.isSafeInteger(expiresAtMs) && expiresAtMs > nowMs && expiresAtMs <= TIME_MOST_MS))
    throw wrong("expires_at", `must be in the future, and before the year 10000; it is ${timeText(expiresAtMs)}`);
  if (grants.length < 1 || grants.length > GRANTS_MOST)
    throw wrong("grants", `takes 1 to ${GRANTS_MOST} grants; it has ${grants.length}`);
  return grants.map((grant, i) => checkGrant(grant, `grants[${i}]`));
}

function checkGrant(grant: Grant, field: string): Grant {
  const { resource, name, prefix } = grant;
  if (!RESOURCES.includes(resource))
    throw wrong(`${field}.resource`, `takes ${RESOURCES.join(", ")}; it is ${shown(String(resource))}`);
  const operations = OPERATIONS.filter((operation) => grant.operations.includes(operation));
  const unknown = grant.operations.find((operation) => !OPERATIONS.includes(operation));
  if (unknown !== undefined || operations.length === 0)
    throw wrong(`${field}.operations`, `takes one or more of ${OPERATIONS.join(", ")}; it has ${shown(unknown ?? "")}`);
  if (resource === "cluster") {
    if (name !== undefined || prefix !== undefined)
      throw wrong(field, "of the cluster has neither name nor prefix: there is one cluster");
    return { resource, operations };
  }
  if ((name === undefined) === (prefix === undefined))
    throw wrong(field, `of a ${resource} has either a name, of one ${resource}, or a prefix ("" is every ${resource})`);
  if (name !== undefined) {
    checkResourceName(resource, name, `${field}.name`);
    if (name === "") throw wrong(`${field}.name`, 'is empty; every one is a prefix of ""');
    return { resource, name, operations };
  }
  checkResourceName(resource, prefix as string, `${field}.prefix`);
  return { resource, prefix: prefix as string, operations };
}

function checkResourceName(resource: "topic" | "group", text: string, field: string): void {
  if (text.length > RESOURCE_NAME_MOST)
    throw wrong(field, `has ${text.length} characters; at most ${RESOURCE_NAME_MOST} are allowed`);
  // A star would be taken for a pattern, and would match nothing.
  if (resource === "topic" && !/^[a-zA-Z0-9._-]*$/.test(text))
    throw wrong(field, `takes the characters of topic names, a-z A-Z 0-9 . _ - and no patterns; it is ${shown(text)}`);
  if (!/^[^\p{C}]*$/u.test(text)) throw wrong(field, `takes printable characters; it is ${shown(text)}`);
}

function wrong(field: string, rule: string): BrokerlessError {
  return new BrokerlessError("invalid_request", `${field} ${rule}`, { field });
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

function timeText(ms: number): string {
  return Number.isSafeInteger(ms) && Math.abs(ms) <= TIME_MOST_MS ? new Date(ms).toISOString() : String(ms);
}
