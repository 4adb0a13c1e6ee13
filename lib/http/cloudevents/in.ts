/** CloudEvents over HTTP to records: binary mode (`ce-*` headers), structured mode, and batches. */
import type { Call } from "../call.ts";
import { requireBase64 } from "../json/base64.ts";
import type { ParsedRecord } from "../json/records.ts";
import { JsonScanner } from "../json/scanner.ts";
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
  const scanner = new JsonScanner(body);
  if (!batch) return [structuredEvent(scanner, "")];
  if (scanner.peek() !== OPEN_BRACKET) throw invalidEvent("body", "a batch is a JSON array of events");
  scanner.at++;
  const records: ParsedRecord[] = [];
  if (scanner.peek() === CLOSE_BRACKET) throw invalidEvent("body", "the batch is empty");
  do {
    records.push(structuredEvent(scanner, `[${records.length}].`));
  } while (more(scanner));
  return records;
}

interface Slice {
  readonly from: number;
  readonly to: number;
}

function structuredEvent(scanner: JsonScanner, field: string): ParsedRecord {
  if (scanner.peek() !== OPEN_BRACE) throw invalidEvent(field === "" ? "body" : field.slice(0, -1), "an event is a JSON object");
  const bytes = Buffer.from(scanner.bytes.buffer, scanner.bytes.byteOffset, scanner.bytes.byteLength);
  const members = new Map<string, Slice>();
  scanner.at++;
  if (scanner.peek() === CLOSE_BRACE) scanner.at++;
  else {
    do {
      scanner.peek();
      const nameFrom = scanner.at;
      scanner.string();
      const name = JSON.parse(bytes.toString("utf8", nameFrom, scanner.at)) as string;
      scanner.expect(COLON, '":"');
      scanner.peek();
      const from = scanner.at;
      scanner.value();
      members.set(name, { from, to: scanner.at });
    } while (more(scanner));
  }
  const attributes = new Map<string, string>();
  for (const [name, { from, to }] of members) {
    if (name === "data" || name === "data_base64") continue;
    const value: unknown = JSON.parse(bytes.toString("utf8", from, to));
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
  const data = eventData(bytes, members, type, field);
  const contentType = type ?? (members.has("data") ? "application/json" : undefined);
  return recordOfEvent(attributes, contentType, data, field);
}

/** The data as bytes: JSON as it is written, text as UTF-8, `data_base64` decoded. */
function eventData(
  bytes: Buffer,
  members: ReadonlyMap<string, Slice>,
  type: string | undefined,
  field: string,
): Uint8Array | null {
  const data = members.get("data");
  const encoded = members.get("data_base64");
  if (data !== undefined && encoded !== undefined)
    throw invalidEvent(`${field}data_base64`, "an event has data or data_base64, not both");
  if (encoded !== undefined) {
    const text: unknown = JSON.parse(bytes.toString("utf8", encoded.from, encoded.to));
    const decoded = typeof text === "string" ? requireBase64(Buffer.from(text, "utf8")) : undefined;
    if (decoded === undefined) throw invalidEvent(`${field}data_base64`, "must be base64 (RFC 4648 section 4, padded)");
    return decoded;
  }
  if (data === undefined || bytes[data.from] === LETTER_N) return null;
  if (isJsonType(type) || bytes[data.from] !== QUOTE) return bytes.subarray(data.from, data.to);
  const text = JSON.parse(bytes.toString("utf8", data.from, data.to)) as string;
  if (!isWellFormed(text)) throw invalidEvent(`${field}data`, "holds half of a surrogate pair");
  return Buffer.from(text, "utf8");
}

/** After a member or element of valid JSON: takes the comma or the closing byte. */
function more(scanner: JsonScanner): boolean {
  const comma = scanner.peek() === COMMA;
  scanner.at++;
  return comma;
}

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const LETTER_N = 0x6e;
