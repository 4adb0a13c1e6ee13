/**
 * Who may do what. Pure. A token carries grants; a request needs rights; a right is there when one grant covers it.
 *
 * R1  Nothing is allowed that no grant names. `admin` on the cluster is every right there is: who has it could make itself
 *     any token.
 * R2  `read`, `write` and `admin` do not imply each other. Each of them lets see that its topic or group is there, and
 *     its offsets and configs (`describe`), as in Kafka. The cluster itself may be seen by every token.
 * R3  A denial depends on the grants and on the names in the request alone, never on what there is: a topic that is not
 *     there and one that may not be seen are refused in the same words.
 */
import { BrokerlessError } from "../base/errors.ts";

export const RESOURCES = ["topic", "group", "cluster"] as const;
export type Resource = (typeof RESOURCES)[number];

/** What a grant can give: read records, write records, change or delete the thing itself. */
export const OPERATIONS = ["read", "write", "admin"] as const;
export type GrantedOperation = (typeof OPERATIONS)[number];

/** One grant. Of topics and groups it names one (`name`) or all whose names begin so (`prefix`; "" is every one). */
export interface Grant {
  readonly resource: Resource;
  readonly name?: string;
  readonly prefix?: string;
  readonly operations: readonly GrantedOperation[];
}

/** What a request needs. */
export interface Right {
  readonly resource: Resource;
  /** `describe`: to see that it is there. Any other operation on it gives that too. */
  readonly operation: GrantedOperation | "describe";
  /** Of the topic or group. Undefined: on one at least, whichever it is. */
  readonly name?: string;
}

/** Who asks. */
export interface Principal {
  /** Of the token; empty for `ANYONE`. */
  readonly id: string;
  /** What the token was named by who made it. */
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAtMs?: number;
}

/** Everybody, where nobody is asked for a token. */
export const ANYONE: Principal = { id: "", name: "anyone", grants: [{ resource: "cluster", operations: ["admin"] }] };

/** Does one of the grants cover the right? */
export function allows({ grants }: Principal, right: Right): boolean {
  for (const grant of grants) {
    if (grant.resource === "cluster" && grant.operations.includes("admin")) return true;
    if (grant.resource === right.resource && covers(grant, right.name) && gives(grant, right.operation)) return true;
  }
  return right.resource === "cluster" && right.operation === "describe";
}

/** Throws `forbidden`, naming the right that is missing, unless the principal has it. */
export function authorize(principal: Principal, right: Right): void {
  if (!allows(principal, right)) throw new BrokerlessError("forbidden", `this token lacks ${describeRight(right)}`);
}

/** A right in words: `write on topic "clicks"`, `read on any topic`, `admin on the cluster`. */
export function describeRight({ resource, operation, name }: Right): string {
  const on =
    resource === "cluster"
      ? "the cluster"
      : name === undefined
        ? `any ${resource}`
        : `${resource} ${JSON.stringify(shown(name))}`;
  return `${operation === "describe" ? OPERATIONS.join(", ").replace(/, (\w+)$/, " or $1") : operation} on ${on}`;
}

function covers({ resource, name, prefix }: Grant, asked: string | undefined): boolean {
  if (resource === "cluster" || asked === undefined) return true;
  return name === undefined ? asked.startsWith(prefix as string) : name === asked;
}

function gives({ operations }: Grant, operation: Right["operation"]): boolean {
  return operation === "describe" ? operations.length > 0 : operations.includes(operation);
}

function shown(name: string): string {
  return name.length > 255 ? `${name.slice(0, 255)}...` : name;
}
