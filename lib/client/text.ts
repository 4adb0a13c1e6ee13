/** Text and JSON to bytes and back. */
import { BrokerlessError } from "../base/errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type Bytes = string | Uint8Array | null;

/** UTF-8 of text; bytes as they are; null for nothing. */
export function toBytes(value: Bytes | undefined): Uint8Array | null {
  if (typeof value === "string") return encoder.encode(value);
  return value ?? null;
}

/** The text of UTF-8 bytes; null stays null. Throws `invalid_record` for bytes that are not UTF-8. */
export function text(bytes: Uint8Array): string;
export function text(bytes: Uint8Array | null): string | null;
export function text(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new BrokerlessError("invalid_record", "the bytes are not UTF-8 text", { cause });
  }
}

/** A value as JSON text. Throws `invalid_record` for what JSON cannot hold. */
export function json(value: unknown): string {
  let made: string | undefined;
  try {
    made = JSON.stringify(value);
  } catch (cause) {
    throw new BrokerlessError("invalid_record", `the value cannot be JSON: ${(cause as Error).message}`, { cause });
  }
  if (made === undefined) throw new BrokerlessError("invalid_record", `the value cannot be JSON: it is ${typeof value}`);
  return made;
}

/** The value in JSON bytes; null bytes are null. Throws `invalid_record`. */
export function parseJson(bytes: Uint8Array | null): unknown {
  const written = text(bytes);
  if (written === null) return null;
  try {
    return JSON.parse(written);
  } catch (cause) {
    throw new BrokerlessError("invalid_record", `the bytes are not JSON: ${(cause as Error).message}`, { cause });
  }
}
