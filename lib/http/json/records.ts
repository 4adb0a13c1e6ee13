/**
 * Records out of JSON, straight from the bytes of the request: keys and values are views into the body wherever they
 * need no unescaping. Takes what the schemas of `shapes.ts` take; when it does not, the schema words the error.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { RecordHeader, RecordInput } from "../../kafka/index.ts";
import { formatCount, type Limits } from "../limits.ts";
import { requireBase64 } from "./base64.ts";
import { firstIssue } from "./issues.ts";
import { JsonScanner, JsonSyntaxError } from "./scanner.ts";
import {
  isoTimeSchema,
  isWellFormed,
  listSchema,
  PARTITION_MAX,
  type RecordShape,
  recordSchema,
  TIMESTAMP_MAX,
} from "./shapes.ts";
import { jsonError, requireUtf8 } from "./text.ts";

export type PayloadType = "BINARY" | "JSON" | "STRING";

/** A record as the log takes it, with what the request says of it besides. */
export class ParsedRecord implements RecordInput {
  key: Uint8Array | null = null;
  value: Uint8Array | null = null;
  headers: RecordHeader[] | undefined = undefined;
  timestampMs: number | undefined = undefined;
  /** -1: for the server to choose. */
  partition = -1;
  keyType: PayloadType | undefined = undefined;
  valueType: PayloadType | undefined = undefined;
  topic: string | undefined = undefined;
  id: string | undefined = undefined;
}

/** Thrown where the text is JSON but not of the shape; the schema finds out what to say. */
class Mismatch extends Error {}

const MISMATCH = new Mismatch("not of the shape");

export interface ParsedDocument {
  readonly records: ParsedRecord[];
  /** Was it one record, not a list? */
  readonly single: boolean;
}

/**
 * All records of one document. Throws `invalid_request` naming field and value, `request_too_large` and
 * `record_too_large` for limits.
 */
export function parseRecords(bytes: Uint8Array, shape: RecordShape, limits: Limits): ParsedDocument {
  requireUtf8(bytes);
  return parseDocument(bytes, shape, limits);
}

/** As `parseRecords`, of bytes that are known to be UTF-8. `base`: where in the body they begin, for errors. */
export function parseDocument(bytes: Uint8Array, shape: RecordShape, limits: Limits, base = 0): ParsedDocument {
  try {
    return new RecordParser(bytes, shape, limits).document();
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw jsonError(error, bytes, base);
    if (error === MISMATCH) throw shapeError(bytes, shape, limits, base);
    throw error;
  }
}

/** What the schema says against it. */
function shapeError(bytes: Uint8Array, shape: RecordShape, limits: Limits, base: number): BrokerlessError {
  const scanner = new JsonScanner(bytes);
  try {
    scanner.value();
    if (scanner.peek() !== -1) scanner.unexpected("the end of the text");
  } catch (error) {
    if (error instanceof JsonSyntaxError) return jsonError(error, bytes, base);
    throw error;
  }
  const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  const isList = shape.list !== undefined && typeof value === "object" && value !== null && Object.hasOwn(value, shape.list);
  const schema =
    shape.single && !isList ? recordSchema(shape) : shape.list === undefined ? recordSchema(shape) : listSchema(shape, limits);
  const issue = firstIssue(schema, value);
  return issue ?? new BrokerlessError("invalid_request", "the body is not as /openapi.json describes it");
}

class RecordParser {
  readonly #scanner: JsonScanner;
  readonly #bytes: Buffer;
  readonly #shape: RecordShape;
  readonly #limits: Limits;
  /** Of the payload parsed last. */
  #payloadType: PayloadType | undefined = undefined;

  constructor(bytes: Uint8Array, shape: RecordShape, limits: Limits) {
    this.#scanner = new JsonScanner(bytes);
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#shape = shape;
    this.#limits = limits;
  }

  document(): ParsedDocument {
    const scanner = this.#scanner;
    const { list, single } = this.#shape;
    if (scanner.peek() !== OPEN_BRACE) throw MISMATCH;
    let records: ParsedRecord[] | undefined;
    let lone: ParsedRecord | undefined;
    scanner.at++;
    if (scanner.peek() === CLOSE_BRACE) scanner.at++;
    else {
      do {
        const from = this.#name();
        if (list !== undefined && this.#nameIs(from, list)) records = this.#list();
        else if (!single) this.#unknown();
        else {
          lone ??= new ParsedRecord();
          this.#member(lone, from);
        }
      } while (this.#more(CLOSE_BRACE));
    }
    if (scanner.peek() !== -1) scanner.unexpected("the end of the text");
    if (records !== undefined) {
      if (lone !== undefined && this.#shape.strict) throw MISMATCH;
      if (records.length === 0) throw MISMATCH;
      return { records, single: false };
    }
    if (!single) throw MISMATCH;
    return { records: [this.#checked(lone ?? new ParsedRecord(), -1)], single: true };
  }

  #list(): ParsedRecord[] {
    const scanner = this.#scanner;
    if (scanner.peek() !== OPEN_BRACKET) throw MISMATCH;
    const records: ParsedRecord[] = [];
    scanner.at++;
    if (scanner.peek() === CLOSE_BRACKET) {
      scanner.at++;
      return records;
    }
    do {
      if (records.length >= this.#limits.recordsPerRequest) {
        throw new BrokerlessError(
          "request_too_large",
          `the request has more than ${formatCount(this.#limits.recordsPerRequest)} records, the most that one may have`,
          { field: this.#shape.list ?? "records" },
        );
      }
      records.push(this.#checked(this.#record(), records.length));
    } while (this.#more(CLOSE_BRACKET));
    return records;
  }

  #record(): ParsedRecord {
    const scanner = this.#scanner;
    if (scanner.peek() !== OPEN_BRACE) throw MISMATCH;
    const record = new ParsedRecord();
    scanner.at++;
    if (scanner.peek() === CLOSE_BRACE) scanner.at++;
    else {
      do this.#member(record, this.#name());
      while (this.#more(CLOSE_BRACE));
    }
    return record;
  }

  /** What must be there, and the limits of one record. */
  #checked(record: ParsedRecord, index: number): ParsedRecord {
    const { keyBytes, headersPerRecord } = this.#limits;
    if ((this.#shape.topic && record.topic === undefined) || (this.#shape.id && record.id === undefined)) throw MISMATCH;
    if (record.key !== null && record.key.byteLength > keyBytes) {
      throw new BrokerlessError(
        "record_too_large",
        `the key of ${nameOf(index)} is ${formatCount(record.key.byteLength)} bytes; a key takes at most ${formatCount(keyBytes)}`,
        { field: this.#path(index, "key") },
      );
    }
    if (record.headers !== undefined && record.headers.length > headersPerRecord) {
      throw new BrokerlessError(
        "record_too_large",
        `${nameOf(index)} has ${formatCount(record.headers.length)} headers; it may have at most ${formatCount(headersPerRecord)}`,
        { field: this.#path(index, "headers") },
      );
    }
    return record;
  }

  #path(index: number, field: string): string {
    return index < 0 ? field : `${this.#shape.list}[${index}].${field}`;
  }

  /** One field of a record, its name taken already. */
  #member(record: ParsedRecord, from: number): void {
    if (this.#nameIs(from, "value")) {
      record.value = this.#payload();
      record.valueType = this.#payloadType;
    } else if (this.#nameIs(from, "key")) {
      record.key = this.#payload();
      record.keyType = this.#payloadType;
    } else if (this.#nameIs(from, "headers")) record.headers = this.#headers();
    else if (this.#nameIs(from, "timestamp")) record.timestampMs = this.#timestamp();
    else if (this.#shape.partition !== undefined && this.#nameIs(from, this.#shape.partition)) {
      record.partition = this.#null() ? -1 : this.#integer(PARTITION_MAX);
    } else if (this.#shape.topic && this.#nameIs(from, "topic")) record.topic = this.#text();
    else if (this.#shape.id && this.#nameIs(from, "id")) {
      record.id = this.#text();
      if (record.id.length < 1 || record.id.length > 80) throw MISMATCH;
    } else this.#unknown();
  }

  #payload(): Uint8Array | null {
    this.#payloadType = undefined;
    if (this.#null()) return null;
    const scanner = this.#scanner;
    const byte = scanner.peek();
    const { payload } = this.#shape;
    if (payload === "json") {
      this.#payloadType = "JSON";
      return this.#raw();
    }
    if (byte === QUOTE) {
      const from = scanner.at;
      scanner.string();
      return payload === "binary" ? this.#binary(from) : this.#string(from);
    }
    if (payload === "binary" || byte !== OPEN_BRACE) throw MISMATCH;
    return this.#typed();
  }

  /** `{"type": ..., "data": ...}`, in any order. */
  #typed(): Uint8Array | null {
    const scanner = this.#scanner;
    let type: string | undefined;
    let from = -1;
    let to = -1;
    let escaped = false;
    scanner.at++;
    if (scanner.peek() === CLOSE_BRACE) throw MISMATCH;
    do {
      const name = this.#name();
      if (this.#nameIs(name, "type")) type = this.#text();
      else if (this.#nameIs(name, "data")) {
        scanner.peek();
        from = scanner.at;
        scanner.value();
        to = scanner.at;
        escaped = scanner.escaped;
      } else this.#unknown();
    } while (this.#more(CLOSE_BRACE));
    const absent = from < 0 || this.#bytes[from] === LETTER_N;
    const isString = !absent && this.#bytes[from] === QUOTE;
    const after = scanner.at;
    try {
      scanner.at = to;
      scanner.escaped = escaped;
      if (type === "JSON") {
        this.#payloadType = "JSON";
        return absent ? null : this.#bytes.subarray(from, to);
      }
      if ((type !== "BINARY" && type !== "STRING") || (!absent && !isString)) throw MISMATCH;
      this.#payloadType = type;
      if (absent) return null;
      return type === "STRING" ? this.#string(from) : this.#binary(from);
    } finally {
      scanner.at = after;
    }
  }

  /** The text of the string that the scanner has just taken from `from` on, as UTF-8. */
  #string(from: number): Uint8Array {
    this.#payloadType = "STRING";
    if (!this.#scanner.escaped) return this.#bytes.subarray(from + 1, this.#scanner.at - 1);
    return Buffer.from(this.#unescaped(from), "utf8");
  }

  #unescaped(from: number): string {
    const text = JSON.parse(this.#bytes.toString("utf8", from, this.#scanner.at)) as string;
    if (!isWellFormed(text)) throw MISMATCH;
    return text;
  }

  #binary(from: number): Uint8Array {
    this.#payloadType = "BINARY";
    const text = this.#scanner.escaped
      ? Buffer.from(this.#unescaped(from), "utf8")
      : this.#bytes.subarray(from + 1, this.#scanner.at - 1);
    const decoded = requireBase64(text);
    if (decoded === undefined) throw MISMATCH;
    return decoded;
  }

  #headers(): RecordHeader[] | undefined {
    if (this.#null()) return undefined;
    const scanner = this.#scanner;
    if (scanner.peek() !== OPEN_BRACKET) throw MISMATCH;
    const headers: RecordHeader[] = [];
    scanner.at++;
    if (scanner.peek() === CLOSE_BRACKET) {
      scanner.at++;
      return headers;
    }
    do headers.push(this.#header());
    while (this.#more(CLOSE_BRACKET));
    return headers;
  }

  #header(): RecordHeader {
    const scanner = this.#scanner;
    if (scanner.peek() !== OPEN_BRACE) throw MISMATCH;
    scanner.at++;
    if (scanner.peek() === CLOSE_BRACE) throw MISMATCH;
    let key: string | undefined;
    let value: Uint8Array | null = null;
    do {
      const from = this.#name();
      if (this.#nameIs(from, "name")) key = this.#text();
      else if (this.#nameIs(from, "value")) {
        if (this.#null()) value = null;
        else {
          if (scanner.peek() !== QUOTE) throw MISMATCH;
          const at = scanner.at;
          scanner.string();
          value = this.#binary(at);
        }
      } else this.#unknown();
    } while (this.#more(CLOSE_BRACE));
    if (key === undefined) throw MISMATCH;
    return { key, value };
  }

  #timestamp(): number | undefined {
    if (this.#null()) return undefined;
    if (this.#scanner.peek() !== QUOTE) return this.#integer(TIMESTAMP_MAX);
    const text = this.#text();
    if (!isoTimeSchema.safeParse(text).success) throw MISMATCH;
    return Date.parse(text);
  }

  #integer(max: number): number {
    const scanner = this.#scanner;
    const byte = scanner.peek();
    if (byte !== MINUS && (byte < 0x30 || byte > 0x39)) throw MISMATCH;
    const from = scanner.at;
    scanner.value();
    const number = Number(this.#bytes.toString("latin1", from, scanner.at));
    if (!Number.isSafeInteger(number) || number < 0 || number > max) throw MISMATCH;
    return number;
  }

  /** A string as text. */
  #text(): string {
    const scanner = this.#scanner;
    if (scanner.peek() !== QUOTE) throw MISMATCH;
    const from = scanner.at;
    scanner.string();
    return scanner.escaped ? this.#unescaped(from) : this.#bytes.toString("utf8", from + 1, scanner.at - 1);
  }

  /** Any value, as its bytes. */
  #raw(): Uint8Array {
    const scanner = this.#scanner;
    scanner.peek();
    const from = scanner.at;
    scanner.value();
    return this.#bytes.subarray(from, scanner.at);
  }

  /** Takes `null` when it is next. */
  #null(): boolean {
    if (this.#scanner.peek() !== LETTER_N) return false;
    this.#scanner.value();
    return true;
  }

  /** Takes a field name and its colon; answers where the name begins (after the quote). */
  #name(): number {
    const scanner = this.#scanner;
    if (scanner.peek() !== QUOTE) scanner.unexpected("a quoted field name");
    const from = scanner.at + 1;
    scanner.string();
    this.#nameEnd = scanner.at - 1;
    this.#nameText = scanner.escaped ? (JSON.parse(this.#bytes.toString("utf8", from - 1, scanner.at)) as string) : undefined;
    scanner.expect(COLON, '":"');
    return from;
  }

  #nameEnd = 0;
  #nameText: string | undefined = undefined;

  #nameIs(from: number, word: string): boolean {
    if (this.#nameText !== undefined) return this.#nameText === word;
    if (this.#nameEnd - from !== word.length) return false;
    for (let i = 0; i < word.length; i++) if (this.#bytes[from + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  /** After a member or element: is there another? Takes the comma or the closing byte. */
  #more(close: number): boolean {
    const scanner = this.#scanner;
    const byte = scanner.peek();
    if (byte === COMMA) {
      scanner.at++;
      return true;
    }
    if (byte !== close) scanner.unexpected(close === CLOSE_BRACE ? '"," or "}"' : '"," or "]"');
    scanner.at++;
    return false;
  }

  /** The value of a field that the shape does not have. */
  #unknown(): void {
    if (this.#shape.strict) throw MISMATCH;
    this.#scanner.value();
  }
}

function nameOf(index: number): string {
  return index < 0 ? "the record" : `record ${index + 1}`;
}

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const LETTER_N = 0x6e;
