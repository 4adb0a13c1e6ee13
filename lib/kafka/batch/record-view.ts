/**
 * Walks the records of one batch without an object for each: one view moves from record to record. Every length is
 * checked against what is there before it is believed, so bytes of any kind can be walked.
 */
import type { BrokerlessError } from "../../base/errors.ts";
import { type BatchPlace, batchError, grouped, recordError } from "./errors.ts";
import type { BatchHeader, RecordHeader } from "./types.ts";
import { readUtf8 } from "./utf8.ts";

export interface RecordView {
  readonly offset: number;
  /** With LogAppendTime the time of the batch. */
  readonly timestampMs: number;
  /** -1 for a null key. */
  readonly keyBytes: number;
  /** -1 for a null value. */
  readonly valueBytes: number;
  readonly headerCount: number;
  /** As views. */
  key(): Uint8Array | null;
  value(): Uint8Array | null;
  headers(): RecordHeader[];
}

export class RecordWalker implements RecordView {
  offset = 0;
  timestampMs = 0;
  keyBytes = -1;
  valueBytes = -1;
  headerCount = 0;
  /** Of the record that the view is on; -1 before the first. */
  index = -1;
  offsetDelta = 0;
  /** Of all records, decompressed. */
  readonly sizeBytes: number;
  /** Where in `source` the record begins (with its length), where what follows its timestamp does, and where it ends. */
  from = 0;
  afterTimestamp = 0;
  to = 0;

  private readonly bytes: Uint8Array;
  private readonly end: number;
  private readonly header: BatchHeader;
  private readonly place: BatchPlace;
  private readonly fixedTimestamp: boolean;
  private position: number;
  private keyAt = 0;
  private valueAt = 0;
  private headersAt = 0;

  /** Over the records of a batch, already decompressed, which fill `bytes` from `from` up to `end`. */
  constructor(header: BatchHeader, place: BatchPlace, bytes: Uint8Array, from: number, end: number) {
    this.header = header;
    this.place = place;
    this.bytes = bytes;
    this.position = from;
    this.end = end;
    this.sizeBytes = end - from;
    this.fixedTimestamp = header.timestampType === "LogAppendTime";
    this.timestampMs = header.maxTimestampMs;
  }

  /** What the records are in, decompressed. */
  get source(): Uint8Array {
    return this.bytes;
  }

  /** Moves on to the next record; false after the last one, where nothing may be left. Throws `corrupt_record`. */
  next(): boolean {
    if (this.index + 1 >= this.header.recordCount) {
      this.checkEnd();
      return false;
    }
    this.index++;
    this.from = this.position;
    const size = this.varint();
    const bodyAt = this.position;
    if (size < 0 || size > this.end - bodyAt) throw this.cut("", size);
    const bodyEnd = bodyAt + size;
    this.to = bodyEnd;
    this.position = bodyAt + 1; // attributes: unused by Kafka
    const timestampDeltaMs = this.varint();
    if (!this.fixedTimestamp) this.timestampMs = this.header.baseTimestampMs + timestampDeltaMs;
    this.afterTimestamp = this.position;
    this.offsetDelta = this.varint();
    this.offset = this.header.baseOffset + this.offsetDelta;
    this.keyBytes = this.varint();
    this.keyAt = this.position;
    if (this.keyBytes !== -1) this.skip(this.keyBytes, bodyEnd, "key");
    this.valueBytes = this.varint();
    this.valueAt = this.position;
    if (this.valueBytes !== -1) this.skip(this.valueBytes, bodyEnd, "value");
    this.headerCount = this.varint();
    this.headersAt = this.position;
    if (this.headerCount !== 0) this.skipHeaders(bodyEnd);
    if (this.position !== bodyEnd) {
      throw this.corrupt(`says that it has ${grouped(size)} bytes; its fields take ${grouped(this.position - bodyAt)}`);
    }
    return true;
  }

  key(): Uint8Array | null {
    return this.keyBytes < 0 ? null : this.bytes.subarray(this.keyAt, this.keyAt + this.keyBytes);
  }

  value(): Uint8Array | null {
    return this.valueBytes < 0 ? null : this.bytes.subarray(this.valueAt, this.valueAt + this.valueBytes);
  }

  headers(): RecordHeader[] {
    const headers: RecordHeader[] = [];
    if (this.headerCount === 0) return headers;
    const after = this.position;
    this.position = this.headersAt;
    for (let i = 0; i < this.headerCount; i++) {
      const keyBytes = this.varint();
      const key = readUtf8(this.bytes, this.position, this.position + keyBytes);
      this.position += keyBytes;
      const valueBytes = this.varint();
      const value = valueBytes < 0 ? null : this.bytes.subarray(this.position, this.position + valueBytes);
      if (valueBytes > 0) this.position += valueBytes;
      headers.push({ key, value });
    }
    this.position = after;
    return headers;
  }

  private skip(size: number, bodyEnd: number, what: string): void {
    if (size < 0 || size > bodyEnd - this.position) throw this.cut(`${what} `, size);
    this.position += size;
  }

  private skipHeaders(bodyEnd: number): void {
    // A header takes two bytes at least.
    if (this.headerCount < 0 || this.headerCount > (bodyEnd - this.position) / 2) {
      throw this.corrupt(`says that it has ${grouped(this.headerCount)} headers; its bytes cannot hold them`);
    }
    for (let i = 0; i < this.headerCount; i++) {
      this.skip(this.varint(), bodyEnd, "header key");
      const valueBytes = this.varint();
      if (valueBytes !== -1) this.skip(valueBytes, bodyEnd, "header value");
    }
  }

  /** A zig-zag varint that is a safe integer. */
  private varint(): number {
    const { bytes, end } = this;
    let p = this.position;
    if (p >= end) throw this.corrupt("is cut");
    let byte = bytes[p++]!;
    const negative = (byte & 1) !== 0;
    let value = (byte & 127) >>> 1;
    let scale = 64;
    while (byte > 127) {
      if (p >= end) throw this.corrupt("is cut");
      byte = bytes[p++]!;
      value += (byte & 127) * scale;
      scale *= 128;
      if (value > Number.MAX_SAFE_INTEGER || scale > MAX_SCALE) throw this.corrupt("has a varint that is too long");
    }
    this.position = p;
    return negative ? -value - 1 : value;
  }

  private checkEnd(): void {
    if (this.position === this.end) return;
    const left = grouped(this.end - this.position);
    throw batchError(
      "corrupt_record",
      this.place,
      `has ${left} bytes left after its ${grouped(this.header.recordCount)} records`,
    );
  }

  private cut(what: string, size: number): BrokerlessError {
    return this.corrupt(
      `says that its ${what}size is ${grouped(size)} bytes; ${grouped(this.end - this.position)} are left in the batch`,
    );
  }

  private corrupt(what: string): BrokerlessError {
    return recordError("corrupt_record", this.place, this.index, this.header.recordCount, what);
  }
}

/** Ten bytes are the most that a 64-bit varint takes: after them the next would be scaled by this. */
const MAX_SCALE = 64 * 128 ** 9;
