/** Keys and values in JSON: typed as they are, or as the reader wants them. */
import { BrokerlessError } from "../../base/errors.ts";
import type { RecordView } from "../../kafka/index.ts";
import type { JsonWriter } from "./writer.ts";

/** `auto`: a string where it is UTF-8, base64 else. */
export const FORMATS = ["auto", "json", "string", "binary"] as const;
export type Format = (typeof FORMATS)[number];

/** `{"type": ..., "data": ...}`, or null. */
export function writeTyped(
  out: JsonWriter,
  bytes: Uint8Array | null,
  format: Format,
  record: RecordView,
  part: "key" | "value",
): void {
  if (bytes === null) {
    out.ascii("null");
    return;
  }
  const mark = out.mark();
  if (format === "json") {
    out.ascii('{"type":"JSON","data":');
    if (!out.json(bytes)) throw notThat(record, part, "JSON");
  } else if (format === "binary") {
    out.ascii('{"type":"BINARY","data":');
    out.base64(bytes);
  } else {
    out.ascii('{"type":"STRING","data":');
    if (!out.utf8(bytes)) {
      if (format === "string") throw notThat(record, part, "UTF-8");
      out.rewind(mark);
      out.ascii('{"type":"BINARY","data":');
      out.base64(bytes);
    }
  }
  out.ascii("}");
}

/** Confluent's v2 shape: the JSON itself, or base64. */
export function writeBare(
  out: JsonWriter,
  bytes: Uint8Array | null,
  format: "json" | "binary",
  record: RecordView,
  part: "key" | "value",
): void {
  if (bytes === null) out.ascii("null");
  else if (format === "binary") out.base64(bytes);
  else if (!out.json(bytes)) throw notThat(record, part, "JSON");
}

export function writeHeaders(out: JsonWriter, record: RecordView): void {
  if (record.headerCount === 0) {
    out.ascii("[]");
    return;
  }
  let before = "[";
  for (const { key, value } of record.headers()) {
    out.ascii(`${before}{"name":`);
    out.text(key);
    out.ascii(',"value":');
    if (value === null) out.ascii("null");
    else out.base64(value);
    out.ascii("}");
    before = ",";
  }
  out.ascii("]");
}

function notThat(record: RecordView, part: string, wanted: string): BrokerlessError {
  return new BrokerlessError(
    "not_acceptable",
    `the ${part} of the record at offset ${record.offset} is not ${wanted}; ask with format=auto or format=binary`,
    { field: "format", details: { offset: record.offset } },
  );
}
