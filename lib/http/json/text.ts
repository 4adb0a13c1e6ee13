/** JSON text to values, with errors that say where. */
import { isUtf8 } from "node:buffer";
import { BrokerlessError } from "../../base/errors.ts";
import { JsonScanner, JsonSyntaxError } from "./scanner.ts";

/** Is it UTF-8 throughout? Throws `invalid_request` with the position where it is not. */
export function requireUtf8(bytes: Uint8Array): void {
  if (isUtf8(bytes)) return;
  throw new BrokerlessError(
    "invalid_request",
    `the body is not UTF-8 at byte ${firstInvalidUtf8(bytes)}; binary values are sent as base64`,
  );
}

function firstInvalidUtf8(bytes: Uint8Array): number {
  // Prefixes that are UTF-8 but for a character cut at their end: all up to the error and up to three bytes into it.
  let low = 0;
  let high = bytes.byteLength;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (longestPrefix(bytes, middle) >= 0) low = middle;
    else high = middle - 1;
  }
  return longestPrefix(bytes, low);
}

/** The longest of the prefixes of `length` to `length - 3` bytes that is UTF-8; -1 for none. */
function longestPrefix(bytes: Uint8Array, length: number): number {
  for (let cut = length; cut >= Math.max(0, length - 3); cut--) if (isUtf8(bytes.subarray(0, cut))) return cut;
  return -1;
}

/** One JSON value. Throws `invalid_request` with line and column. */
export function parseJson(bytes: Uint8Array): unknown {
  requireUtf8(bytes);
  checkJson(bytes);
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
}

function checkJson(bytes: Uint8Array): void {
  const scanner = new JsonScanner(bytes);
  try {
    scanner.value();
    if (scanner.peek() !== -1) scanner.unexpected("the end of the text");
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw jsonError(error, bytes);
    throw error;
  }
}

/** What a syntax error is to the caller. `base`: where in the whole body these bytes begin. */
export function jsonError(error: JsonSyntaxError, bytes: Uint8Array, base = 0): BrokerlessError {
  let line = 1;
  let lineStart = 0;
  for (let i = 0; i < error.at; i++) {
    if (bytes[i] === 0x0a) {
      line++;
      lineStart = i + 1;
    }
  }
  const at = base + error.at;
  return new BrokerlessError(
    "invalid_request",
    `the body is not JSON: ${error.message}, at byte ${at} (line ${line}, column ${error.at - lineStart + 1})`,
    { details: { position: at } },
  );
}
