/** kcat's format strings (`-f`), compiled once. */
import { InvalidArgumentError } from "commander";
import { unescapeBytes } from "../values/parsers.ts";
import type { ByteBuilder } from "./byte-builder.ts";
import type { FormattedRecord, RecordFormat } from "./types.ts";

export const FORMAT_HELP = `Format tokens:
  %s  value            %S  value's size, -1 for null    %R  value's size, 4 bytes big-endian
  %k  key              %K  key's size, -1 for null      %T  timestamp in ms, -1 for none
  %t  topic            %p  partition                    %o  offset
  %h  headers, as name=value,name=value                 %%  a percent sign
  \\n \\r \\t \\0 \\\\ \\xFF  bytes`;

export interface FormatOptions {
  /** Print `NULL` for a null key, value or header value, in place of nothing. */
  readonly showNulls: boolean;
}

/** Throws `InvalidArgumentError` for a token that is none. */
export function compileFormat(format: string, options: FormatOptions): RecordFormat {
  const parts: RecordFormat[] = [];
  for (const [piece, token] of format.matchAll(/%(.?)|[^%]+/gs)) {
    if (token === undefined || token === "%") {
      const bytes = token === "%" ? Buffer.from("%") : unescapeBytes(piece);
      parts.push((out) => out.bytes(bytes));
    } else {
      const make = TOKENS[token];
      if (make === undefined) {
        throw new InvalidArgumentError(
          `%${token} is no token; there are ${Object.keys(TOKENS)
            .map((t) => `%${t}`)
            .join(" ")} %%.`,
        );
      }
      parts.push(make(options));
    }
  }
  return (out, record) => {
    for (const part of parts) part(out, record);
  };
}

/** Without `-f`: the value, after its key where a separator is given, and a delimiter. */
export function plainFormat(delimiter: Uint8Array, keySeparator: Uint8Array | undefined, options: FormatOptions): RecordFormat {
  return (out, record) => {
    if (keySeparator !== undefined) {
      blob(out, record.key, options);
      out.bytes(keySeparator);
    }
    blob(out, record.value, options);
    out.bytes(delimiter);
  };
}

const TOKENS: Readonly<Record<string, (options: FormatOptions) => RecordFormat>> = {
  s: (options) => (out, record) => blob(out, record.value, options),
  S: () => number((record) => record.value?.byteLength ?? -1),
  R: () => (out, record) => out.int32(record.value?.byteLength ?? -1),
  k: (options) => (out, record) => blob(out, record.key, options),
  K: () => number((record) => record.key?.byteLength ?? -1),
  T: () => number((record) => record.timestampMs),
  t: () => (out, record) => out.text(record.topic),
  p: () => number((record) => record.partition),
  o: () => number((record) => record.offset),
  h: (options) => (out, record) => {
    record.headers.forEach((header, i) => {
      out.text(i === 0 ? `${header.key}=` : `,${header.key}=`);
      blob(out, header.value, options);
    });
  },
};

function number(of: (record: FormattedRecord) => number): RecordFormat {
  return (out, record) => out.text(String(of(record)));
}

function blob(out: ByteBuilder, bytes: Uint8Array | null, { showNulls }: FormatOptions): void {
  if (bytes !== null) out.bytes(bytes);
  else if (showNulls) out.text("NULL");
}
