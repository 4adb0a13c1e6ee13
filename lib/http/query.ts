/** Query parameters: text to values, by one strict schema a route. What a schema does not know is refused by name. */
import * as z from "zod";
import { BrokerlessError } from "../base/errors.ts";
import { check } from "./json/issues.ts";

/** A whole number in a query. */
export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^-?\d{1,16}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

export const flag = z.enum(["true", "false"]).transform((text) => text === "true");

/** Reads a query. Throws `invalid_request`, naming the parameter. */
export function parseQuery<Q extends z.ZodObject>(schema: Q, search: string): z.infer<Q> {
  const values: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(search)) {
    if (!Object.hasOwn(schema.shape, name)) {
      const known = Object.keys(schema.shape);
      throw new BrokerlessError(
        "invalid_request",
        `unknown query parameter ${JSON.stringify(name)}; ${known.length === 0 ? "this route takes none" : `this route takes ${known.join(", ")}`}`,
        { field: name },
      );
    }
    if (Object.hasOwn(values, name)) {
      throw new BrokerlessError("invalid_request", `the query parameter ${name} is given twice`, { field: name });
    }
    values[name] = value;
  }
  return check(schema, values) as z.infer<Q>;
}
