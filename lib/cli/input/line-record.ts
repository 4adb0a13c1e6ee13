/** A record out of a line of text. */
import type { ProducerRecord } from "../../client/index.ts";

export interface LineOptions {
  /** What is before the first one is the key; a line without one has no key (as in kcat). */
  readonly keyDelimiter: Uint8Array | undefined;
  /** The key of every record that has none of its own. */
  readonly key: string | undefined;
  /** Empty keys and values become null. */
  readonly emptyIsNull: boolean;
}

export function lineRecord(line: Uint8Array, options: LineOptions): Pick<ProducerRecord, "key" | "value"> {
  const { keyDelimiter, emptyIsNull } = options;
  const orNull = (bytes: Uint8Array): Uint8Array | null => (emptyIsNull && bytes.byteLength === 0 ? null : bytes);
  const at = keyDelimiter === undefined ? -1 : buffer(line).indexOf(keyDelimiter);
  if (at < 0) return { key: options.key ?? null, value: orNull(line) };
  return { key: orNull(line.subarray(0, at)), value: orNull(line.subarray(at + (keyDelimiter as Uint8Array).byteLength)) };
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
