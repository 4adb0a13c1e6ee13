/** The media types of Confluent's REST API v2 that are not records. */
import type * as z from "zod";
import { json, type Reply } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { chooseType } from "./negotiate.ts";
import { JSON_TYPE } from "./produce/media.ts";

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
