/** A record out of a JSON line: the plain names, and those that `consume --json` (and kcat) writes. */
import type { ProducerRecord } from "../../client/index.ts";

type Parts = Pick<ProducerRecord, "key" | "value" | "headers" | "partition" | "timestampMs">;

/** Where a record was, which says nothing about where it goes. */
const IGNORED = new Set(["topic", "offset", "tstype", "broker"]);
const TAKEN = new Set([
  "key",
  "key_encoding",
  "value",
  "value_encoding",
  "payload",
  "payload_encoding",
  "headers",
  "partition",
  "timestamp",
  "ts",
]);

/** Throws an `Error` whose message says what is wrong with the line. */
export function parseJsonRecord(line: Uint8Array): Parts {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch (error) {
    throw new Error(`not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not a JSON object");
  const fields = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (!TAKEN.has(name) && !IGNORED.has(name))
      throw new Error(`the field ${JSON.stringify(name)} is not known; there are key, value, headers, partition, timestamp`);
  }
  if ("value" in fields && "payload" in fields) throw new Error("value and payload are the same: give one of them");
  const valueName = "payload" in fields ? "payload" : "value";
  return {
    key: bytesOf("key", fields["key"], fields["key_encoding"]),
    value: bytesOf(valueName, fields[valueName], fields[`${valueName}_encoding`]),
    ...(fields["headers"] === undefined || fields["headers"] === null ? {} : { headers: headersOf(fields["headers"]) }),
    ...(fields["partition"] === undefined ? {} : { partition: wholeOf("partition", fields["partition"]) }),
    ...timestampOf(fields),
  };
}

function timestampOf(fields: Readonly<Record<string, unknown>>): { timestampMs?: number } {
  const name = fields["timestamp"] === undefined ? "ts" : "timestamp";
  const value = fields[name];
  // kcat writes -1 where a record has none.
  return value === undefined || (name === "ts" && value === -1) ? {} : { timestampMs: wholeOf(name, value) };
}

/** Text as it is, null for nothing; any other JSON value is the value, as JSON. */
function bytesOf(name: string, value: unknown, encoding: unknown): string | Uint8Array | null {
  if (encoding !== undefined && encoding !== "base64")
    throw new Error(`${name}_encoding must be "base64"; it is ${JSON.stringify(encoding)}`);
  if (encoding === "base64") return fromBase64(name, value);
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function headersOf(value: unknown): { key: string; value: string | Uint8Array | null }[] {
  if (Array.isArray(value)) {
    if (value.length % 2 !== 0) throw new Error(`headers must be name and value in turn; there are ${value.length} of them`);
    return Array.from({ length: value.length / 2 }, (_, i) => {
      const key: unknown = value[2 * i];
      if (typeof key !== "string") throw new Error(`headers[${2 * i}] must be a name; it is ${JSON.stringify(key)}`);
      return { key, value: headerValue(`headers[${2 * i + 1}]`, value[2 * i + 1]) };
    });
  }
  if (typeof value !== "object") throw new Error("headers must be an object, or a list of name and value in turn");
  return Object.entries(value as object).map(([key, one]) => ({ key, value: headerValue(`headers.${key}`, one) }));
}

function headerValue(name: string, value: unknown): string | Uint8Array | null {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "object" && Object.keys(value as object).join() === "base64") {
    return fromBase64(name, (value as { base64: unknown }).base64);
  }
  throw new Error(`${name} must be text, null or {"base64": "..."}; it is ${JSON.stringify(value)}`);
}

function fromBase64(name: string, value: unknown): Uint8Array {
  if (typeof value === "string" && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value))
    return Buffer.from(value, "base64");
  throw new Error(`${name} must be base64; it is ${JSON.stringify(value)?.slice(0, 60)}`);
}

function wholeOf(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new Error(`${name} must be a whole number from 0; it is ${JSON.stringify(value)}`);
}
