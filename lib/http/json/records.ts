/**
 * Records out of JSON, straight from the bytes of the request: keys and values are views into the body wherever they
 * need no unescaping. Takes what the schemas of `shapes.ts` take; when it does not, the schema words the error.
 */
import type * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { RecordHeader, RecordInput } from "../../kafka/index.ts";
import { formatCount, type Limits } from "../limits.ts";
import { firstIssue } from "./issues.ts";
import { CLOSE_BRACE, CLOSE_BRACKET, JsonReader, LETTER_N, MISMATCH, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./reader.ts";
import { JsonScanner, JsonSyntaxError } from "./scanner.ts";
import {
  commitsSchema,
  isoTimeSchema,
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

export interface ParsedDocument {
  readonly records: ParsedRecord[];
  /** Was it one record, not a list? */
  readonly single: boolean;
  /** What is committed with them. */
  readonly commit?: z.infer<typeof commitsSchema>;
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
  readonly #in: JsonReader;
  readonly #shape: RecordShape;
  readonly #limits: Limits;
  /** Of the payload parsed last. */
  #payloadType: PayloadType | undefined = undefined;

  constructor(bytes: Uint8Array, shape: RecordShape, limits: Limits) {
    this.#in = new JsonReader(bytes);
    this.#shape = shape;
    this.#limits = limits;
  }

  document(): ParsedDocument {
    const { list, single, strict, commits } = this.#shape;
    let records: ParsedRecord[] | undefined;
    let commit: ParsedDocument["commit"];
    let lone: ParsedRecord | undefined;
    if (this.#in.open(OPEN_BRACE)) {
      do {
        this.#in.name();
        if (list !== undefined && this.#in.nameIs(list)) records = this.#list();
        else if (commits && this.#in.nameIs("commit")) commit = this.#commit();
        else if (!single) this.#unknown();
        else {
          lone ??= new ParsedRecord();
          this.#member(lone);
        }
      } while (this.#in.more(CLOSE_BRACE));
    }
    if (this.#in.peek() !== -1) this.#in.unexpected("the end of the text");
    if (records !== undefined) {
      if ((records.length === 0 && commit === undefined) || (lone !== undefined && strict)) throw MISMATCH;
      return commit === undefined ? { records, single: false } : { records, single: false, commit };
    }
    if (!single) throw MISMATCH;
    return { records: [this.#checked(lone ?? new ParsedRecord(), -1)], single: true };
  }

  #commit(): z.infer<typeof commitsSchema> {
    const value = JSON.parse(Buffer.from(this.#in.raw()).toString("utf8")) as unknown;
    const result = commitsSchema.safeParse(value);
    if (!result.success) throw MISMATCH;
    return result.data;
  }

  #list(): ParsedRecord[] {
    const records: ParsedRecord[] = [];
    if (!this.#in.open(OPEN_BRACKET)) return records;
    do {
      if (records.length >= this.#limits.recordsPerRequest) {
        throw new BrokerlessError(
          "request_too_large",
          `the request has more than ${formatCount(this.#limits.recordsPerRequest)} records, the most that one may have`,
          { field: this.#shape.list ?? "records" },
        );
      }
      records.push(this.#checked(this.#record(), records.length));
    } while (this.#in.more(CLOSE_BRACKET));
    return records;
  }

  #record(): ParsedRecord {
    const record = new ParsedRecord();
    if (!this.#in.open(OPEN_BRACE)) return record;
    do {
      this.#in.name();
      this.#member(record);
    } while (this.#in.more(CLOSE_BRACE));
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
  #member(record: ParsedRecord): void {
    const { partition, topic, id } = this.#shape;
    if (this.#in.nameIs("value")) {
      record.value = this.#payload();
      record.valueType = this.#payloadType;
    } else if (this.#in.nameIs("key")) {
      record.key = this.#payload();
      record.keyType = this.#payloadType;
    } else if (this.#in.nameIs("headers")) record.headers = this.#headers();
    else if (this.#in.nameIs("timestamp")) record.timestampMs = this.#timestamp();
    else if (partition !== undefined && this.#in.nameIs(partition)) {
      record.partition = this.#in.takeNull() ? -1 : this.#in.integer(PARTITION_MAX);
    } else if (topic && this.#in.nameIs("topic")) record.topic = this.#in.text();
    else if (id && this.#in.nameIs("id")) {
      record.id = this.#in.text();
      if (record.id.length < 1 || record.id.length > 80) throw MISMATCH;
    } else this.#unknown();
  }

  #payload(): Uint8Array | null {
    this.#payloadType = undefined;
    if (this.#in.takeNull()) return null;
    switch (this.#shape.payload) {
      case "json":
        this.#payloadType = "JSON";
        return this.#in.raw();
      case "binary":
        this.#payloadType = "BINARY";
        return this.#in.base64();
      default:
        if (this.#in.peek() !== QUOTE) return this.#typed();
        this.#payloadType = "STRING";
        return this.#in.textBytes();
    }
  }

  /** `{"type": ..., "data": ...}`, in any order: the data is read when the type is known. */
  #typed(): Uint8Array | null {
    let type: string | undefined;
    let dataAt = -1;
    if (!this.#in.open(OPEN_BRACE)) throw MISMATCH;
    do {
      this.#in.name();
      if (this.#in.nameIs("type")) type = this.#in.text();
      else if (this.#in.nameIs("data")) {
        this.#in.peek();
        dataAt = this.#in.at;
        this.#in.value();
      } else this.#unknown();
    } while (this.#in.more(CLOSE_BRACE));
    if (type !== "BINARY" && type !== "JSON" && type !== "STRING") throw MISMATCH;
    this.#payloadType = type;
    if (dataAt < 0 || this.#in.buffer[dataAt] === LETTER_N) return null;
    const after = this.#in.at;
    this.#in.at = dataAt;
    const data = type === "JSON" ? this.#in.raw() : type === "STRING" ? this.#in.textBytes() : this.#in.base64();
    this.#in.at = after;
    return data;
  }

  #headers(): RecordHeader[] | undefined {
    if (this.#in.takeNull()) return undefined;
    const headers: RecordHeader[] = [];
    if (!this.#in.open(OPEN_BRACKET)) return headers;
    do headers.push(this.#header());
    while (this.#in.more(CLOSE_BRACKET));
    return headers;
  }

  #header(): RecordHeader {
    let key: string | undefined;
    let value: Uint8Array | null = null;
    if (!this.#in.open(OPEN_BRACE)) throw MISMATCH;
    do {
      this.#in.name();
      if (this.#in.nameIs("name")) key = this.#in.text();
      else if (this.#in.nameIs("value")) value = this.#in.takeNull() ? null : this.#in.base64();
      else this.#unknown();
    } while (this.#in.more(CLOSE_BRACE));
    if (key === undefined) throw MISMATCH;
    return { key, value };
  }

  #timestamp(): number | undefined {
    if (this.#in.takeNull()) return undefined;
    if (this.#in.peek() !== QUOTE) return this.#in.integer(TIMESTAMP_MAX);
    const text = this.#in.text();
    if (!isoTimeSchema.safeParse(text).success) throw MISMATCH;
    return Date.parse(text);
  }

  /** The value of a field that the shape does not have. */
  #unknown(): void {
    if (this.#shape.strict) throw MISMATCH;
    this.#in.value();
  }
}

function nameOf(index: number): string {
  return index < 0 ? "the record" : `record ${index + 1}`;
}
