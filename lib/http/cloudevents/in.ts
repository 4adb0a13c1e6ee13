/** CloudEvents over HTTP to records: binary mode (`ce-*` headers), structured mode, and batches. */
import type { Call } from "../call.ts";
import { requireBase64 } from "../json/base64.ts";
import { CLOSE_BRACE, CLOSE_BRACKET, JsonReader, LETTER_N, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "../json/reader.ts";
import type { ParsedRecord } from "../json/records.ts";
import { isWellFormed } from "../json/shapes.ts";
import { parseJson } from "../json/text.ts";
import { invalidEvent, isJsonType, recordOfEvent } from "./event.ts";

/** Binary mode: attributes in headers, the body is the data. */
export function binaryEvent(call: Call, body: Uint8Array): ParsedRecord {
  const attributes = new Map<string, string>();
  for (const header of call.headerNames()) {
    if (header.startsWith("ce-")) attributes.set(header.slice(3), decodeHeader(header, call.header(header) as string));
  }
  if (attributes.has("datacontenttype")) throw invalidEvent("ce-datacontenttype", "the data's type is said by Content-Type");
  const empty = body.byteLength === 0 && call.header("content-type") === undefined;
  return recordOfEvent(attributes, call.header("content-type"), empty ? null : body, "ce-");
}

/** Header values are percent-encoded UTF-8 (HTTP binding, 3.1.3.2). */
function decodeHeader(name: string, value: string): string {
  const unquoted = /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  try {
    return unquoted.replace(/(%[0-9a-fA-F]{2})+/g, (run) => decodeURIComponent(run));
  } catch {
    throw invalidEvent(name, `percent-encoded bytes must be UTF-8; it is ${JSON.stringify(value)}`);
  }
}

/** Structured mode: one event, or a batch of them. Throws `invalid_request`. */
export function structuredEvents(body: Uint8Array, batch: boolean): ParsedRecord[] {
  // Checked whole first, so that what follows only walks over valid JSON.
  parseJson(body);
  const reader = new JsonReader(body);
  if (!batch) return [structuredEvent(reader, "")];
  if (reader.peek() !== OPEN_BRACKET) throw invalidEvent("body", "a batch is a JSON array of events");
  if (!reader.open(OPEN_BRACKET)) throw invalidEvent("body", "the batch is empty");
  const records: ParsedRecord[] = [];
  do records.push(structuredEvent(reader, `[${records.length}].`));
  while (reader.more(CLOSE_BRACKET));
  return records;
}

function structuredEvent(reader: JsonReader, field: string): ParsedRecord {
  if (reader.peek() !== OPEN_BRACE) {
    throw invalidEvent(field === "" ? "body" : field.slice(0, -1), "an event is a JSON object");
  }
  const members = new Map<string, Buffer>();
  if (reader.open(OPEN_BRACE)) {
    do {
      reader.name();
      const name = reader.nameText();
      members.set(name, reader.raw() as Buffer);
    } while (reader.more(CLOSE_BRACE));
  }
  const attributes = new Map<string, string>();
  for (const [name, written] of members) {
    if (name === "data" || name === "data_base64") continue;
    const value: unknown = JSON.parse(written.toString("utf8"));
    if (value === null) continue;
    if (typeof value !== "string" && typeof value !== "boolean" && !Number.isSafeInteger(value)) {
      throw invalidEvent(`${field}${name}`, "an attribute is a string, a whole number or a boolean");
    }
    const text = String(value);
    if (!isWellFormed(text)) throw invalidEvent(`${field}${name}`, "holds half of a surrogate pair");
    attributes.set(name, text);
  }
  const type = attributes.get("datacontenttype");
  attributes.delete("datacontenttype");
  const data = eventData(members.get("data"), members.get("data_base64"), type, field);
  const contentType = type ?? (members.has("data") ? "application/json" : undefined);
  return recordOfEvent(attributes, contentType, data, field);
}

/** The data as bytes: JSON as it is written, text as UTF-8, `data_base64` decoded. */
function eventData(
  data: Buffer | undefined,
  encoded: Buffer | undefined,
  type: string | undefined,
  field: string,
): Uint8Array | null {
  if (data !== undefined && encoded !== undefined) {
    throw invalidEvent(`${field}data_base64`, "an event has data or data_base64, not both");
  }
  if (encoded !== undefined) {
    const text: unknown = JSON.parse(encoded.toString("utf8"));
    const decoded = typeof text === "string" ? requireBase64(Buffer.from(text, "utf8")) : undefined;
    if (decoded === undefined) throw invalidEvent(`${field}data_base64`, "must be base64 (RFC 4648 section 4, padded)");
    return decoded;
  }
  if (data === undefined || data[0] === LETTER_N) return null;
  if (isJsonType(type) || data[0] !== QUOTE) return data;
  const text = JSON.parse(data.toString("utf8")) as string;
  if (!isWellFormed(text)) throw invalidEvent(`${field}data`, "holds half of a surrogate pair");
  return Buffer.from(text, "utf8");
}
