/**
 * CloudEvents 1.0 as Kafka records, by its Kafka protocol binding, binary mode: attributes are headers `ce_<name>`, the
 * data's type is the header `content-type`, the data is the value, and the extension `partitionkey` is the key.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { RecordHeader } from "../../kafka/index.ts";
import { ParsedRecord } from "../json/records.ts";

export const EVENT_JSON = "application/cloudevents+json";
export const EVENT_BATCH_JSON = "application/cloudevents-batch+json";

/** What an event must have; what `/openapi.json` shows of it. */
export const eventSchema = z
  .looseObject({
    specversion: z.literal("1.0"),
    id: z.string().min(1),
    source: z.string().min(1),
    type: z.string().min(1),
    time: z.iso.datetime({ offset: true, error: "must be RFC 3339" }).optional(),
    datacontenttype: z.string().min(1).optional(),
    data: z.unknown().optional(),
    data_base64: z.base64().optional(),
  })
  .describe("a CloudEvent 1.0; further attributes are extensions; partitionkey is the record's key");

const attributesSchema = eventSchema.omit({ data: true, data_base64: true });

/** Is data of this type JSON? No type means JSON in structured mode. */
export function isJsonType(type: string | undefined): boolean {
  if (type === undefined) return true;
  const bare = (type.split(";")[0] as string).trim().toLowerCase();
  return bare === "application/json" || bare === "text/json" || bare.endsWith("+json");
}

/** Makes the record of an event. Throws `invalid_request` for attributes that are not as the specification has them. */
export function recordOfEvent(
  attributes: ReadonlyMap<string, string>,
  contentType: string | undefined,
  data: Uint8Array | null,
  field: string,
): ParsedRecord {
  const named: Record<string, string> = Object.fromEntries(attributes);
  const result = attributesSchema.safeParse(named);
  if (!result.success) {
    const issue = result.error.issues[0];
    const name = String(issue?.path[0]);
    const found = named[name] === undefined ? "it is missing" : `it is ${JSON.stringify(named[name])}`;
    throw invalidEvent(`${field}${name}`, `${issue?.message.replace(/^Invalid input: e/, "E")}; ${found}`);
  }
  const headers: RecordHeader[] = [];
  for (const [name, value] of attributes) {
    if (!/^[a-z0-9]{1,255}$/.test(name)) {
      throw invalidEvent(`${field}${name}`, "an attribute's name has only lower-case letters a-z and digits");
    }
    headers.push({ key: `ce_${name}`, value: Buffer.from(value, "utf8") });
  }
  if (contentType !== undefined) headers.push({ key: "content-type", value: Buffer.from(contentType, "utf8") });
  const record = new ParsedRecord();
  const key = attributes.get("partitionkey");
  record.key = key === undefined ? null : Buffer.from(key, "utf8");
  record.value = data;
  record.headers = headers;
  return record;
}

export function invalidEvent(field: string, message: string): BrokerlessError {
  return new BrokerlessError("invalid_request", `CloudEvent ${field}: ${message}`, { field });
}
