/**
 * A scanner of JSON text (RFC 8259) over bytes. It finds where values begin and end and what their kind is, and leaves
 * the bytes where they are: record values go from the request into the batch without ever being JavaScript values, so
 * that numbers keep their digits and nothing is copied twice.
 *
 * The bytes must be valid UTF-8 (checked once for the whole body, natively). Positions are in bytes.
 */
import { firstControl, wordsOf } from "./control.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Deeper nesting is refused: nobody means it, and it could exhaust a stack elsewhere. */
const JSON_MAX_DEPTH = 512;

/** A string that is longer than this is searched natively. */
const SHORT_BYTES = 24;

/** 1: ends the plain run of a string (quote, backslash, control character). */
const STOPS_STRING = new Uint8Array(256);
for (let i = 0; i < 0x20; i++) STOPS_STRING[i] = 1;
STOPS_STRING[QUOTE] = 1;
STOPS_STRING[BACKSLASH] = 1;

/** Where and why a text is not JSON. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export class JsonScanner {
  readonly bytes: Uint8Array;
  /** The next byte to look at. */
  at: number;
  /** One after the last byte. */
  readonly end: number;
  /** Of the string scanned last: did it hold an escape? */
  escaped = false;
  /** Where the next backslash is; what is before it was looked through. */
  #backslash = -1;
  #words: Int32Array | undefined;

  constructor(bytes: Uint8Array, at = 0, end = bytes.byteLength) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Skips white space; answers the next byte without taking it, or -1 at the end. */
  peek(): number {
    const { bytes, end } = this;
    let at = this.at;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  /** Takes this byte, after white space, or throws. */
  expect(byte: number, what: string): void {
    if (this.peek() !== byte) this.unexpected(what);
    this.at++;
  }

  unexpected(wanted: string): never {
    if (this.at >= this.end) throw new JsonSyntaxError(`the text ends where ${wanted} should be`, this.at);
    const byte = this.bytes[this.at] as number;
    const shown = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, "0")}`;
    throw new JsonSyntaxError(`${shown} where ${wanted} should be`, this.at);
  }

  /** Takes a string, the scanner standing on its quote. Its inside is from the old `at + 1` to the new `at - 1`. */
  string(): void {
    const { bytes, end } = this;
    let at = this.at + 1;
    this.escaped = false;
    for (;;) {
      const near = Math.min(end, at + SHORT_BYTES);
      while (at < near && STOPS_STRING[bytes[at] as number] === 0) at++;
      if (at === near && at < end) at = this.#endOfRun(at);
      if (at >= end) throw new JsonSyntaxError("a string is not closed", this.at);
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.at = at + 1;
        return;
      }
      if (byte !== BACKSLASH) {
        throw new JsonSyntaxError("a control character in a string must be escaped", at);
      }
      this.escaped = true;
      at = this.#escape(at);
    }
  }

  /** The position of the quote, backslash or control character that ends a long run; the end where there is none. */
  #endOfRun(from: number): number {
    const { bytes, end } = this;
    let quote = bytes.indexOf(QUOTE, from);
    if (quote < 0 || quote > end) quote = end;
    if (this.#backslash < from) {
      const found = bytes.indexOf(BACKSLASH, from);
      this.#backslash = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    const stop = Math.min(quote, this.#backslash);
    this.#words ??= wordsOf(bytes);
    const control = firstControl(bytes, this.#words, from, stop);
    return control < 0 ? stop : control;
  }

  /** Answers the position after the escape that begins at `at`. */
  #escape(at: number): number {
    const letter = at + 1 < this.end ? (this.bytes[at + 1] as number) : -1;
    switch (letter) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return at + 2;
      case 0x75: // u
        for (let i = at + 2; i < at + 6; i++) {
          if (i >= this.end || !isHex(this.bytes[i] as number))
            throw new JsonSyntaxError("\\u takes four hexadecimal digits", at);
        }
        return at + 6;
      default:
        throw new JsonSyntaxError("an unknown escape in a string", at);
    }
  }

  /** Takes one value of any kind, after white space. */
  value(): void {
    // The kinds of the open containers, one bit each would do; a number a level is simple.
    let depth = 0;
    const open: number[] = [];
    for (;;) {
      const byte = this.peek();
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (depth >= JSON_MAX_DEPTH) throw new JsonSyntaxError(`nested deeper than ${JSON_MAX_DEPTH} levels`, this.at);
        this.at++;
        open[depth++] = byte;
        if (byte === OPEN_BRACE) {
          if (this.peek() === CLOSE_BRACE) {
            this.at++;
            depth--;
          } else {
            this.#memberName();
            continue;
          }
        } else if (this.peek() === CLOSE_BRACKET) {
          this.at++;
          depth--;
        } else continue;
      } else if (byte === QUOTE) this.string();
      else this.#scalar(byte);
      // A value has ended; so may the containers around it.
      for (;;) {
        if (depth === 0) return;
        const kind = open[depth - 1] as number;
        const next = this.peek();
        if (next === COMMA) {
          this.at++;
          if (kind === OPEN_BRACE) this.#memberName();
          break;
        }
        if (next !== (kind === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
          this.unexpected(kind === OPEN_BRACE ? '"," or "}"' : '"," or "]"');
        }
        this.at++;
        depth--;
      }
    }
  }

  #memberName(): void {
    if (this.peek() !== QUOTE) this.unexpected("a quoted field name");
    this.string();
    this.expect(COLON, '":"');
  }

  #scalar(byte: number): void {
    if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) this.#number();
    else if (byte === 0x74) this.#word("true");
    else if (byte === 0x66) this.#word("false");
    else if (byte === 0x6e) this.#word("null");
    else this.unexpected("a value");
  }

  #word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.at + i >= this.end || this.bytes[this.at + i] !== word.charCodeAt(i)) this.unexpected("a value");
    }
    this.at += word.length;
  }

  #number(): void {
    if (this.bytes[this.at] === 0x2d) this.at++;
    if (this.at < this.end && this.bytes[this.at] === 0x30) this.at++;
    else this.#digits();
    if (this.at < this.end && this.bytes[this.at] === 0x2e) {
      this.at++;
      this.#digits();
    }
    const byte = this.at < this.end ? (this.bytes[this.at] as number) : 0;
    if (byte === 0x65 || byte === 0x45) {
      this.at++;
      const sign = this.at < this.end ? (this.bytes[this.at] as number) : 0;
      if (sign === 0x2b || sign === 0x2d) this.at++;
      this.#digits();
    }
  }

  #digits(): void {
    const from = this.at;
    while (this.at < this.end && isDigit(this.bytes[this.at] as number)) this.at++;
    if (this.at === from) this.unexpected("a digit");
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
