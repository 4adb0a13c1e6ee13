/** Values of options: text to what it means, or a message that says what it should be. Nothing is guessed. */
import { InvalidArgumentError } from "commander";
import { COMPRESSION_NAMES, type CompressionName } from "../../kafka/index.ts";

/** A whole number in a range. */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const limit = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max.toLocaleString("en-US")}`;
    throw new InvalidArgumentError(`It must be a whole number ${limit}.`);
  };
}

/** Repeated, or separated by commas: `-p 0,2 -p 5`. */
export function partitions(text: string, before: readonly number[] = []): number[] {
  return [...new Set([...before, ...text.split(",").map(whole(0, 2 ** 31 - 1))])];
}

/** `name=value`; the value may be empty and may hold `=`. */
export function pair(text: string): readonly [name: string, value: string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("It must be name=value.");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Collects `name=value`, each name once. */
export function configs(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [name, value] = pair(text);
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: value };
}

/** Collects headers in order; a name may come again. Without `=` the value is null, as in kcat. */
export function headers(
  text: string,
  before: readonly { readonly key: string; readonly value: string | null }[] = [],
): { key: string; value: string | null }[] {
  if (text === "" || text.startsWith("="))
    throw new InvalidArgumentError("It must be name=value, or a name alone for a null value.");
  const at = text.indexOf("=");
  return [...before, at < 0 ? { key: text, value: null } : { key: text.slice(0, at), value: text.slice(at + 1) }];
}

export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

const OPERATIONS = ["read", "write", "admin"] as const;

/** What a token allows: `read,write`. */
export function operations(text: string): (typeof OPERATIONS)[number][] {
  const asked = text.split(",").map((word) => word.trim());
  if (asked.every((word) => (OPERATIONS as readonly string[]).includes(word)))
    return OPERATIONS.filter((operation) => asked.includes(operation));
  throw new InvalidArgumentError("It must be one or more of read, write, admin, with commas between.");
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** When something ends, in milliseconds since 1970: `30d` from now, or a time. */
export function expiry(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const atMs =
    unit !== undefined
      ? Date.now() + Number(count) * (UNIT_MS[unit] as number)
      : /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text)
        ? Date.parse(text)
        : Number.NaN;
  if (atMs > Date.now()) return atMs;
  throw new InvalidArgumentError("It must be how long, as 90m, 12h or 30d, or a time to come, as 2027-01-31T00:00:00Z.");
}

export function codec(text: string): CompressionName {
  if ((COMPRESSION_NAMES as readonly string[]).includes(text)) return text as CompressionName;
  throw new InvalidArgumentError(`It must be one of ${COMPRESSION_NAMES.join(", ")}.`);
}

export function acks(text: string): 0 | 1 | "all" {
  if (text === "0") return 0;
  if (text === "1") return 1;
  if (text === "all" || text === "-1") return "all";
  throw new InvalidArgumentError("It must be 0, 1 or all.");
}

export function httpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text;
  throw new InvalidArgumentError("It must be an address that begins with http:// or https://.");
}

/** A delimiter with escapes: `\n`, `\t`, `\r`, `\0`, `\\`, `\xFF`. Not empty. */
export function delimiter(text: string): Uint8Array {
  const bytes = unescapeBytes(text);
  if (bytes.byteLength === 0) throw new InvalidArgumentError("It must not be empty.");
  return bytes;
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, "0": 0, "\\": 92 };

/** Text with escapes as bytes. Throws for an escape that is none. */
export function unescapeBytes(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [piece, code] of text.matchAll(/\\(x[0-9a-fA-F]{2}|.?)|[^\\]+/gs)) {
    if (code === undefined) parts.push(Buffer.from(piece));
    else if (code.length === 3) parts.push(Uint8Array.of(Number.parseInt(code.slice(1), 16)));
    else if (ESCAPES[code] !== undefined) parts.push(Uint8Array.of(ESCAPES[code]));
    else throw new InvalidArgumentError(`${piece} is no escape; there are \\n \\r \\t \\0 \\\\ \\xFF.`);
  }
  return Buffer.concat(parts);
}
