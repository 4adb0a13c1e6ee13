/** The media types of Confluent's REST API v2 that are not records, and bodies in them. */
import type * as z from "zod";
import { json, type Reply } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { check, requireUnicode } from "./json/issues.ts";
import { parseJson } from "./json/text.ts";
import { chooseType } from "./negotiate.ts";
import { JSON_TYPE, unsupportedType } from "./produce/media.ts";

export const V2_TYPE = "application/vnd.kafka.v2+json";
const TYPES: readonly string[] = [V2_TYPE, JSON_TYPE, "application/vnd.kafka+json"];

/** As `responses` and `body` of an operation have it. */
export function v2Content<T extends z.ZodType>(schema: T): Record<string, T> {
  return { [V2_TYPE]: schema, [JSON_TYPE]: schema };
}

/** Answered in the type that Accept asks for. Throws `not_acceptable`. */
export function v2Json(exchange: Exchange, value: unknown, status = 200): Reply {
  const type = chooseType(exchange.call.header("accept"), TYPES);
  return json(value, status, { "content-type": type, vary: "accept, accept-encoding" });
}

/** The body as a schema has it; an empty one as `{}`. Throws `invalid_request`, `unsupported_media_type`. */
export async function v2Body<T>(exchange: Exchange, schema: z.ZodType<T>): Promise<T> {
  const type = exchange.contentType();
  if (type !== undefined && !TYPES.includes(type)) throw unsupportedType(type, TYPES);
  const bytes = await exchange.body();
  const value = check(schema, bytes.byteLength === 0 ? {} : parseJson(bytes));
  requireUnicode(value);
  return value;
}
