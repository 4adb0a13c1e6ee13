/** A growing buffer that JSON is written into, bytes by bytes: what is plain is copied, never made a string. */
import { isUtf8 } from "node:buffer";
import { firstControl, wordsOf } from "../json/control.ts";
import { JsonScanner, JsonSyntaxError } from "../json/scanner.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What a byte means for a JSON string: 1 needs an escape, 2 is part of a longer UTF-8 character. */
const CLASS = new Uint8Array(256);
for (let i = 0; i < 0x20; i++) CLASS[i] = 1;
CLASS[QUOTE] = 1;
CLASS[BACKSLASH] = 1;
for (let i = 0x80; i < 256; i++) CLASS[i] = 2;

const SHORT_ESCAPES = new Uint8Array(128);
for (const [byte, letter] of [
  [0x08, "b"],
  [0x09, "t"],
  [0x0a, "n"],
  [0x0c, "f"],
  [0x0d, "r"],
  [QUOTE, '"'],
  [BACKSLASH, "\\"],
] as const) {
  SHORT_ESCAPES[byte] = letter.charCodeAt(0);
}

/** Shorter strings are looked at byte by byte. */
const SHORT_BYTES = 48;

const HEX = "0123456789abcdef";

export class JsonWriter {
  #buffer: Buffer;
  #at = 0;
  #words: Int32Array | undefined;

  constructor(sizeBytes = 64 * 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(sizeBytes);
  }

  get sizeBytes(): number {
    return this.#at;
  }

  /** What was written, the caller's to keep; the writer begins afresh. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#at);
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(64 * 1024, this.#at + 4096));
    this.#at = 0;
    return taken;
  }

  /** Where the writer stands, to go back to. */
  mark(): number {
    return this.#at;
  }

  rewind(mark: number): void {
    this.#at = mark;
  }

  /** Text that is ASCII and valid where it is put. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.#at += this.#buffer.write(text, this.#at, "latin1");
  }

  /** Text that is JSON already. */
  raw(json: string): void {
    this.#reserve(json.length * 3);
    this.#at += this.#buffer.write(json, this.#at, "utf8");
  }

  /** A JSON string of text. */
  text(value: string): void {
    const json = JSON.stringify(value);
    this.#reserve(json.length * 3);
    this.#at += this.#buffer.write(json, this.#at, "utf8");
  }

  /** Bytes as a JSON string; answers false, with nothing written, where they are not UTF-8. */
  utf8(bytes: Uint8Array): boolean {
    const length = bytes.byteLength;
    if (length > SHORT_BYTES) {
      if (!isUtf8(bytes)) return false;
      const plain =
        bytes.indexOf(QUOTE) < 0 && bytes.indexOf(BACKSLASH) < 0 && firstControl(bytes, this.#wordsOf(bytes), 0, length) < 0;
      return this.#string(bytes, plain);
    }
    let classes = 0;
    for (let i = 0; i < length; i++) classes |= CLASS[bytes[i] as number] as number;
    if (classes >= 2 && !isUtf8(bytes)) return false;
    return this.#string(bytes, (classes & 1) === 0);
  }

  /** Values of one batch are views into the same memory. */
  #wordsOf(bytes: Uint8Array): Int32Array {
    if (this.#words?.buffer !== bytes.buffer) this.#words = wordsOf(bytes);
    return this.#words as Int32Array;
  }

  #string(bytes: Uint8Array, plain: boolean): true {
    if (plain) {
      const length = bytes.byteLength;
      this.#reserve(length + 2);
      const buffer = this.#buffer;
      buffer[this.#at] = QUOTE;
      buffer.set(bytes, this.#at + 1);
      this.#at += length + 2;
      buffer[this.#at - 1] = QUOTE;
      return true;
    }
    this.#escaped(bytes);
    return true;
  }

  /** Bytes as a JSON string of base64. */
  base64(bytes: Uint8Array): void {
    this.#reserve(Math.ceil(bytes.byteLength / 3) * 4 + 2);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
    this.#buffer[this.#at] = QUOTE;
    this.#at += 1 + this.#buffer.write(text, this.#at + 1, "latin1");
    this.#buffer[this.#at++] = QUOTE;
  }

  /** Bytes that are JSON, on one line; answers false, with nothing written, where they are not JSON. */
  json(bytes: Uint8Array): boolean {
    if (!isJson(bytes)) return false;
    this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, this.#at);
    // Line breaks can only be white space between tokens: in a string they are escaped.
    for (let i = this.#at; i < this.#at + bytes.byteLength; i++) {
      if (this.#buffer[i] === 0x0a || this.#buffer[i] === 0x0d) this.#buffer[i] = 0x20;
    }
    this.#at += bytes.byteLength;
    return true;
  }

  #escaped(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength * 6 + 2);
    const buffer = this.#buffer;
    let at = this.#at;
    buffer[at++] = QUOTE;
    for (let i = 0; i < bytes.byteLength; i++) {
      const byte = bytes[i] as number;
      if (CLASS[byte] !== 1) {
        buffer[at++] = byte;
        continue;
      }
      buffer[at++] = BACKSLASH;
      const short = SHORT_ESCAPES[byte] as number;
      if (short !== 0) {
        buffer[at++] = short;
        continue;
      }
      buffer[at++] = 0x75;
      buffer[at++] = 0x30;
      buffer[at++] = 0x30;
      buffer[at++] = HEX.charCodeAt(byte >> 4);
      buffer[at++] = HEX.charCodeAt(byte & 15);
    }
    buffer[at++] = QUOTE;
    this.#at = at;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.byteLength * 2, this.#at + more));
    grown.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = grown;
  }
}

/** Are these bytes one JSON value? */
export function isJson(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false;
  const scanner = new JsonScanner(bytes);
  try {
    scanner.value();
    return scanner.peek() === -1;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return false;
    throw error;
  }
}
