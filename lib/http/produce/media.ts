/** Media types of produce requests. */
import { BrokerlessError } from "../../base/errors.ts";
import type { RecordShape } from "../json/shapes.ts";
import { V2_BINARY, V2_JSON } from "../json/shapes.ts";

/** Kafka's own record batches, magic 2, one after the other. */
export const RAW_BATCHES = "application/vnd.kafka.recordbatch.v2";
export const JSON_TYPE = "application/json";
export const V2_JSON_TYPE = "application/vnd.kafka.json.v2+json";
export const V2_BINARY_TYPE = "application/vnd.kafka.binary.v2+json";

/** The JSON shape that a Content-Type stands for; a body without a type is JSON. Throws `unsupported_media_type`. */
export function shapeOfType(type: string | undefined, plain: RecordShape, v2: boolean): RecordShape {
  if (type === undefined || type === JSON_TYPE) return plain;
  if (v2 && type === V2_JSON_TYPE) return V2_JSON;
  if (v2 && type === V2_BINARY_TYPE) return V2_BINARY;
  throw unsupportedType(type, v2 ? [JSON_TYPE, RAW_BATCHES, V2_JSON_TYPE, V2_BINARY_TYPE] : [JSON_TYPE, RAW_BATCHES]);
}

export function unsupportedType(type: string, supported: readonly string[]): BrokerlessError {
  return new BrokerlessError("unsupported_media_type", `Content-Type is ${JSON.stringify(type)}; send ${supported.join(", ")}`, {
    field: "Content-Type",
  });
}
