/** zod's findings as one line for the caller: the field, what is wrong, and the value that it is. */
import type * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";

type Issue = z.core.$ZodIssue;

/** The first thing that the schema has against the value; undefined when it has nothing. */
export function firstIssue(schema: z.ZodType, value: unknown): BrokerlessError | undefined {
  const result = schema.safeParse(value);
  if (result.success) return undefined;
  return issueError(result.error.issues[0] as Issue, value);
}

/** The value as the schema has it. Throws `invalid_request`. */
export function check<T>(schema: z.ZodType<T>, value: unknown, prefix = ""): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw issueError(result.error.issues[0] as Issue, value, prefix);
}

/**
 * Throws `invalid_request` for text that is not Unicode (a lone surrogate, which JSON can escape): no storage keeps it. For
 * what a schema has let through.
 */
export function requireUnicode(value: unknown, path: readonly PropertyKey[] = []): void {
  if (typeof value === "string") {
    if (value.isWellFormed()) return;
    const field = fieldName(path, "");
    throw new BrokerlessError("invalid_request", `${field}: must be Unicode; it is ${shorten(value)}`, { field });
  }
  if (typeof value !== "object" || value === null) return;
  const entries: [PropertyKey, unknown][] = Array.isArray(value) ? value.map((one, i) => [i, one]) : Object.entries(value);
  for (const [key, one] of entries) requireUnicode(one, [...path, key]);
}

function issueError(outer: Issue, root: unknown, prefix = ""): BrokerlessError {
  const { issue, path } = innermost(outer, []);
  const field = fieldName(path, prefix);
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys.map((key) => JSON.stringify(key)).join(", ");
    const where = field === "" ? "" : ` in ${field}`;
    return new BrokerlessError("invalid_request", `unknown field ${unknown}${where}`, {
      field: fieldName([...path, issue.keys[0] as string], prefix),
    });
  }
  const found = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], root);
  const name = field === "" ? "the body" : field;
  const shown = found === undefined ? "it is missing" : `it is ${shorten(found)}`;
  return new BrokerlessError("invalid_request", `${name}: ${lowered(issue.message)}; ${shown}`, {
    field: field === "" ? "body" : field,
  });
}

/** Of a union, what its closest branch says: the one that came furthest into the value. */
function innermost(issue: Issue, base: readonly PropertyKey[]): { issue: Issue; path: PropertyKey[] } {
  const path = [...base, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return { issue, path };
  let best: Issue | undefined;
  for (const branch of issue.errors) {
    const first = branch[0];
    if (first === undefined) continue;
    if (best === undefined || rank(first) > rank(best)) best = first;
  }
  return best === undefined ? { issue, path } : innermost(best, path);
}

/** A branch that fails at its root by type was not meant. */
function rank(issue: Issue): number {
  return issue.path.length * 2 + (issue.code === "invalid_type" ? 0 : 1);
}

function fieldName(path: readonly PropertyKey[], prefix: string): string {
  let name = prefix;
  for (const key of path) name += typeof key === "number" ? `[${key}]` : name === "" ? String(key) : `.${String(key)}`;
  return name;
}

function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
