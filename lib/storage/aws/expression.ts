/**
 * Conditions and changes of the port in DynamoDB's expression language. Pure. What they mean is said once, in
 * `ports/table-semantics.ts`; this file says the same so that DynamoDB judges and changes the item in one step.
 *
 * X1  An expression never holds where the port's condition does not. Where DynamoDB would be more lenient (`contains` on
 *     text), or refuse to answer (`<` with a boolean), the expression is narrowed.
 * X2  What a change needs (a number, a list, a map) is part of the condition, so that DynamoDB answers with the item
 *     instead of a complaint about the request.
 * X3  An update is never made on an expired item: its old attributes must not show through. See `translate.ts`.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { type Change, type Condition, type Path, StorageError, type Value } from "../../ports/table.ts";
import { toAttribute } from "./marshal.ts";

/** DynamoDB's limits of one expression. */
const EXPRESSION_MOST_CHARACTERS = 4096;
const EXPRESSION_MOST_OPERATORS = 300;

const NEVER = "attribute_exists(pk) AND attribute_not_exists(pk)";

/** The expressions of one request and the placeholders they use. */
export class Expression {
  readonly #names = new Map<string, string>();
  readonly #values: Record<string, AttributeValue> = {};
  readonly #types = new Map<string, string>();
  #valueCount = 0;

  get names(): Record<string, string> | undefined {
    if (this.#names.size === 0) return undefined;
    const out: Record<string, string> = {};
    for (const [name, placeholder] of this.#names) out[placeholder] = name;
    return out;
  }

  get values(): Record<string, AttributeValue> | undefined {
    return this.#valueCount === 0 ? undefined : this.#values;
  }

  /** The placeholder of a name: many attribute names are words of the language. */
  name(name: string): string {
    let placeholder = this.#names.get(name);
    if (placeholder === undefined) {
      placeholder = `#${this.#names.size.toString(36)}`;
      this.#names.set(name, placeholder);
    }
    return placeholder;
  }

  value(value: Value): string {
    const placeholder = `:${(this.#valueCount++).toString(36)}`;
    this.#values[placeholder] = toAttribute(value);
    return placeholder;
  }

  path(path: Path): string {
    return typeof path === "string" ? this.name(path) : `${this.name(path[0])}.${this.name(path[1])}`;
  }

  isType(path: string, type: "L" | "M" | "N"): string {
    let placeholder = this.#types.get(type);
    if (placeholder === undefined) {
      placeholder = this.value(type);
      this.#types.set(type, placeholder);
    }
    return `attribute_type(${path}, ${placeholder})`;
  }

  condition(condition: Condition): string {
    if ("item" in condition) return condition.item === "exists" ? "attribute_exists(pk)" : "attribute_not_exists(pk)";
    if ("value" in condition && isComparison(condition.is) && !hasOrder(condition.value)) return NEVER;
    const path = this.path(condition.path);
    switch (condition.is) {
      case "exists":
        return `attribute_exists(${path})`;
      case "absent":
        return `attribute_not_exists(${path})`;
      case "=":
        return `${path} = ${this.value(condition.value)}`;
      case "!=":
        return `(attribute_not_exists(${path}) OR ${path} <> ${this.value(condition.value)})`;
      // On text and bytes DynamoDB would look for a part of them.
      case "contains":
        return `${this.isType(path, "L")} AND contains(${path}, ${this.value(condition.value)})`;
      case "lacks":
        return `NOT (${this.isType(path, "L")} AND contains(${path}, ${this.value(condition.value)}))`;
      default:
        return `${path} ${condition.is} ${this.value(condition.value)}`;
    }
  }

  /** What must be there for a change (X2); undefined where nothing need be. */
  need(change: Change): string | undefined {
    if ("set" in change) return typeof change.set === "string" ? undefined : this.isType(this.name(change.set[0]), "M");
    if ("remove" in change) return typeof change.remove === "string" ? undefined : this.isType(this.name(change.remove[0]), "M");
    if ("append" in change) return this.isType(this.name(change.append), "L");
    if ("dropFirst" in change) return this.isType(this.name(change.dropFirst), "L");
    if ("copy" in change) {
      const number = this.isType(this.name(change.from), "N");
      return typeof change.copy === "string" ? number : `${number} AND ${this.isType(this.name(change.copy[0]), "M")}`;
    }
    const name = this.name(change.add);
    return `(attribute_not_exists(${name}) OR ${this.isType(name, "N")})`;
  }

  /** An update expression; undefined where there is nothing to change. */
  update(changes: readonly Change[], expiresAtS: number | undefined): string | undefined {
    const sets: string[] = [];
    const adds: string[] = [];
    const removes: string[] = [];
    for (const change of changes) {
      if ("set" in change) sets.push(`${this.path(change.set)} = ${this.value(change.to)}`);
      else if ("add" in change) adds.push(`${this.name(change.add)} ${this.value(change.by)}`);
      else if ("copy" in change) {
        sets.push(`${this.path(change.copy)} = ${this.name(change.from)} + ${this.value(change.plus)}`);
      } else if ("append" in change) {
        const list = this.name(change.append);
        sets.push(`${list} = list_append(${list}, ${this.value(change.values)})`);
      } else if ("dropFirst" in change) {
        const list = this.name(change.dropFirst);
        // From the last to the first: some emulators take one out at a time, and the places after it move.
        for (let i = change.count - 1; i >= 0; i--) removes.push(`${list}[${i}]`);
      } else removes.push(this.path(change.remove));
    }
    if (expiresAtS !== undefined) sets.push(`${this.name("ttl")} = ${this.value(expiresAtS)}`);
    const parts: string[] = [];
    if (sets.length > 0) parts.push(`SET ${sets.join(", ")}`);
    if (removes.length > 0) parts.push(`REMOVE ${removes.join(", ")}`);
    if (adds.length > 0) parts.push(`ADD ${adds.join(", ")}`);
    return parts.length === 0 ? undefined : checkSize(parts.join(" "));
  }

  /** The item is absent, does not expire, or expires later than now. */
  live(nowS: number): string {
    const ttl = this.name("ttl");
    return `(attribute_not_exists(${ttl}) OR ${ttl} > ${this.value(nowS)})`;
  }

  expired(nowS: number): string {
    return `${this.name("ttl")} <= ${this.value(nowS)}`;
  }
}

/** Clauses joined by AND, each once; undefined where there are none. */
export function allOf(clauses: readonly (string | undefined)[]): string | undefined {
  const given = new Set(clauses.filter((clause) => clause !== undefined));
  return given.size === 0 ? undefined : checkSize([...given].join(" AND "));
}

function isComparison(is: string): boolean {
  return is.startsWith("<") || is.startsWith(">");
}

/** Numbers, text and bytes have an order; with anything else DynamoDB refuses to compare. */
function hasOrder(value: Value): boolean {
  return typeof value === "number" || typeof value === "string" || value instanceof Uint8Array;
}

function checkSize(expression: string): string {
  if (expression.length > EXPRESSION_MOST_CHARACTERS) {
    throw new StorageError(
      "too_large",
      `an expression of ${expression.length} characters; at most ${EXPRESSION_MOST_CHARACTERS}`,
    );
  }
  // Far below the limit there is nothing to count.
  if (expression.length < EXPRESSION_MOST_OPERATORS * 4) return expression;
  const operators = expression.match(/ (?:AND|OR|=|<>|<|<=|>|>=|\+|-) |NOT |[a-z_]+\(/g)?.length ?? 0;
  if (operators > EXPRESSION_MOST_OPERATORS) {
    throw new StorageError("too_large", `an expression of ${operators} operators; at most ${EXPRESSION_MOST_OPERATORS}`);
  }
  return expression;
}
