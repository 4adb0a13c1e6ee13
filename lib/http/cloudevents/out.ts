/** Records as CloudEvents: those that came as such as they were, others with attributes made from their place. */
import type { RecordHeader, RecordView } from "../../kafka/index.ts";
import type { Place } from "../consume/representations.ts";
import type { JsonWriter } from "../consume/writer.ts";
import { EVENT_JSON, isJsonType } from "./event.ts";

const PLAIN_TYPE = "brokerless.record";

interface Attributes {
  readonly attributes: ReadonlyMap<string, string>;
  readonly contentType: string | undefined;
  readonly isEvent: boolean;
}

function attributesOf(headers: readonly RecordHeader[]): Attributes {
  const attributes = new Map<string, string>();
  let contentType: string | undefined;
  for (const { key, value } of headers) {
    if (value === null) continue;
    if (key === "content-type") contentType = Buffer.from(value).toString("utf8");
    else if (/^ce_[a-z0-9]+$/.test(key)) attributes.set(key.slice(3), Buffer.from(value).toString("utf8"));
  }
  return { attributes, contentType, isEvent: attributes.has("specversion") };
}

/** One event in the JSON format (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). */
export function writeCloudEvent(out: JsonWriter, place: Place, record: RecordView): void {
  const { attributes, contentType, isEvent } = attributesOf(record.headers());
  const value = record.value();
  // A record in structured mode is an event already.
  if (!isEvent && value !== null && contentType?.toLowerCase().startsWith(EVENT_JSON) && out.json(value)) return;
  let before = "{";
  const member = (name: string, text: string): void => {
    out.ascii(`${before}"${name}":`);
    out.text(text);
    before = ",";
  };
  if (isEvent) for (const [name, text] of attributes) member(name, text);
  else for (const [name, text] of plainAttributes(place, record)) member(name, text);
  if (!attributes.has("partitionkey")) {
    const key = record.key();
    if (key !== null) {
      const mark = out.mark();
      out.ascii(',"partitionkey":');
      if (!out.utf8(key)) out.rewind(mark);
    }
  }
  if (contentType !== undefined) member("datacontenttype", contentType);
  if (value !== null) writeData(out, value, contentType, isEvent);
  out.ascii("}");
}

function plainAttributes({ topic, partition }: Place, record: RecordView): [string, string][] {
  return [
    ["specversion", "1.0"],
    ["id", `${partition}-${record.offset}`],
    ["source", `/topics/${topic}/partitions/${partition}`],
    ["type", PLAIN_TYPE],
    ["time", new Date(Math.max(0, Math.min(record.timestampMs, LAST_FOUR_DIGIT_YEAR))).toISOString()],
  ];
}

/** RFC 3339 has years of four digits. */
const LAST_FOUR_DIGIT_YEAR = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

function writeData(out: JsonWriter, value: Uint8Array, contentType: string | undefined, isEvent: boolean): void {
  const mark = out.mark();
  if (isJsonType(contentType)) {
    out.ascii(',"data":');
    if (out.json(value)) return;
    out.rewind(mark);
  }
  // Text of no stated type would be read as JSON; so it is stated.
  const stated = contentType !== undefined || isEvent ? "" : ',"datacontenttype":"text/plain"';
  if (!isJsonType(contentType) || stated !== "") {
    out.ascii(`${stated},"data":`);
    if (out.utf8(value)) return;
    out.rewind(mark);
  }
  out.ascii(',"data_base64":');
  out.base64(value);
}

/** The headers of binary mode, for a record that is an event; undefined for others. */
export function eventHeaders(record: RecordView): Record<string, string> | undefined {
  const { attributes, contentType, isEvent } = attributesOf(record.headers());
  if (!isEvent) return undefined;
  const headers: Record<string, string> = {};
  for (const [name, value] of attributes) headers[`ce-${name}`] = encodeHeader(value);
  if (contentType !== undefined && /^[\x21-\x7e][\x20-\x7e]*$/.test(contentType)) headers["content-type"] = contentType;
  return headers;
}

/** Everything but visible ASCII, and the quote and percent signs, is percent-encoded (HTTP binding, 3.1.3.2). */
function encodeHeader(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/g, (run) =>
    Buffer.from(run, "utf8").reduce((text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, "0")}`, ""),
  );
}
