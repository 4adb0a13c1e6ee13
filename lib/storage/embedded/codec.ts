/**
 * Values as bytes: how an item lies in SQLite, and how requests and answers cross to the worker. One tag byte, then:
 *
 * | tag | value | what follows |
 * |---|---|---|
 * | 0, 1 | false, true | |
 * | 2, 3 | integer n >= 0; -1 - n | n as a varint (7 bits a byte, the low ones first) |
 * | 4 | any other number | IEEE 754, 8 bytes, big-endian |
 * | 5 | string | bytes as a varint, UTF-8 |
 * | 6 | bytes | their number as a varint, the bytes |
 * | 7 | list | its length as a varint, the values |
 * | 8 | map | its length as a varint, then name (as a string without tag) and value of each entry |
 *
 * Stored items depend on it: a change needs a new format version (`schema.ts`).
 */
import type { Item, Value } from "../../ports/index.ts";
import { setOwn } from "../../ports/values.ts";

/** A string up to this length is at most 126 bytes, so that its length is one byte. */
const SHORT_TEXT = 42;

/** Anything that can be a value, also with entries that are undefined: they are left out. */
export type Encodable =
  | string
  | number
  | boolean
  | Uint8Array
  | readonly Encodable[]
  | { readonly [name: string]: Encodable | undefined };

/** Writes one after the other into a buffer that grows. */
export class ByteWriter {
  #buffer: Buffer;
  #at = 0;

  constructor(capacityBytes = 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(capacityBytes);
  }

  get sizeBytes(): number {
    return this.#at;
  }

  /** What was written, in a buffer of its own that can be transferred; the writer begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#buffer.subarray(0, this.#at) as Uint8Array<ArrayBuffer>;
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(1024, Math.ceil(this.#at * 1.25)));
    this.#at = 0;
    return bytes;
  }

  /** What was written, valid until the writer is used again. */
  peek(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  /** Goes back to a size it had before. */
  rewind(sizeBytes = 0): void {
    this.#at = sizeBytes;
  }

  byte(value: number): void {
    this.#room(1);
    this.#buffer[this.#at++] = value;
  }

  varint(value: number): void {
    this.#room(8);
    while (value > 0x7fffffff) {
      this.#buffer[this.#at++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    while (value > 127) {
      this.#buffer[this.#at++] = (value & 127) | 128;
      value >>>= 7;
    }
    this.#buffer[this.#at++] = value;
  }

  double(value: number): void {
    this.#room(8);
    this.#at = this.#buffer.writeDoubleBE(value, this.#at);
  }

  text(value: string): void {
    this.#room(value.length * 3 + 8);
    if (value.length <= SHORT_TEXT) {
      const buffer = this.#buffer;
      const start = this.#at + 1;
      let at = start;
      for (let i = 0; i < value.length; i++) {
        const unit = value.charCodeAt(i);
        if (unit > 127) {
          at = start + buffer.write(value, start, "utf8");
          break;
        }
        buffer[at++] = unit;
      }
      buffer[this.#at] = at - start;
      this.#at = at;
      return;
    }
    this.varint(Buffer.byteLength(value));
    this.#at += this.#buffer.write(value, this.#at, "utf8");
  }

  bytes(value: Uint8Array): void {
    this.varint(value.byteLength);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#room(value.byteLength);
    this.#buffer.set(value, this.#at);
    this.#at += value.byteLength;
  }

  /** A value as bytes with their length, for who passes it on unread. */
  encoded(value: Encodable): void {
    SCRATCH.rewind();
    SCRATCH.value(value);
    this.bytes(SCRATCH.peek());
  }

  value(value: Encodable): void {
    switch (typeof value) {
      case "boolean":
        this.byte(value ? 1 : 0);
        return;
      case "number":
        this.#number(value);
        return;
      case "string":
        this.byte(5);
        this.text(value);
        return;
    }
    if (value instanceof Uint8Array) {
      this.byte(6);
      this.bytes(value);
    } else if (Array.isArray(value)) {
      this.byte(7);
      this.varint(value.length);
      for (const one of value as readonly Encodable[]) this.value(one);
    } else this.#map(value as { readonly [name: string]: Encodable | undefined });
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.byte(4);
      this.double(value);
    } else if (value >= 0) {
      this.byte(2);
      this.varint(value);
    } else {
      this.byte(3);
      this.varint(-1 - value);
    }
  }

  #map(map: { readonly [name: string]: Encodable | undefined }): void {
    const names = Object.keys(map).filter((name) => map[name] !== undefined);
    this.byte(8);
    this.varint(names.length);
    for (const name of names) {
      this.text(name);
      this.value(map[name] as Encodable);
    }
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.byteLength * 2));
    grown.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = grown;
  }
}

const SCRATCH = new ByteWriter();

/** Reads what {@link ByteWriter} wrote. */
export class ByteReader {
  readonly #buffer: Buffer;
  /** Whether byte values are copied out, so that keeping one does not keep the whole buffer. */
  readonly #copy: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, options: { readonly copy?: boolean } = {}) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#copy = options.copy ?? false;
  }

  get atEnd(): boolean {
    return this.#at >= this.#buffer.byteLength;
  }

  byte(): number {
    return this.#buffer[this.#at++] as number;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#buffer[this.#at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  double(): number {
    this.#at += 8;
    return this.#buffer.readDoubleBE(this.#at - 8);
  }

  text(): string {
    const size = this.varint();
    const start = this.#at;
    this.#at += size;
    if (size > 12) return this.#buffer.toString("utf8", start, this.#at);
    let text = "";
    for (let i = start; i < this.#at; i++) {
      const byte = this.#buffer[i] as number;
      if (byte > 127) return this.#buffer.toString("utf8", start, this.#at);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** A view of the buffer, whatever the reader's option says. */
  view(): Uint8Array {
    const size = this.varint();
    this.#at += size;
    return new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset + this.#at - size, size);
  }

  value(): Value {
    const tag = this.byte();
    switch (tag) {
      case 0:
        return false;
      case 1:
        return true;
      case 2:
        return this.varint();
      case 3:
        return -1 - this.varint();
      case 4:
        return this.double();
      case 5:
        return this.text();
      case 6:
        return this.#copy ? this.view().slice() : this.view();
      case 7:
        return this.#list();
      case 8:
        return this.#map();
      default:
        throw new RangeError(`unknown tag ${tag} at byte ${this.#at - 1} of ${this.#buffer.byteLength}`);
    }
  }

  #list(): Value[] {
    const length = this.varint();
    const list: Value[] = [];
    for (let i = 0; i < length; i++) list.push(this.value());
    return list;
  }

  #map(): Item {
    const map: Record<string, Value> = {};
    for (let left = this.varint(); left > 0; left--) setOwn(map, this.text(), this.value());
    return map;
  }
}

/** An item out of bytes that belong to it: its byte values are views of them. */
export function decodeItem(bytes: Uint8Array): Item {
  return new ByteReader(bytes).value() as Item;
}
