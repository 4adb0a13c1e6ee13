/** Checks of what the caller hands in: the error names the field, its value and the limit. */
import { BrokerlessError } from "../base/errors.ts";

/** `value`, or `fallback` where there is none. Throws `invalid_request` when it is not a whole number in the range. */
export function wholeNumber(field: string, value: number | undefined, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalid(field, `must be a whole number from ${min.toLocaleString("en-US")} to ${max.toLocaleString("en-US")}`, value);
}

/** Throws `invalid_request` when `value` is not one of the choices. */
export function oneOf<T>(field: string, value: T | undefined, fallback: T, choices: readonly T[]): T {
  if (value === undefined) return fallback;
  if (choices.includes(value)) return value;
  throw invalid(field, `must be one of ${choices.join(", ")}`, value);
}

export function invalid(field: string, rule: string, value: unknown): BrokerlessError {
  return new BrokerlessError("invalid_request", `${field} ${rule}; it is ${shown(value)}`, { field });
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
