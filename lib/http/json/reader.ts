/**
 * Reads JSON whose shape is known, on top of the scanner: field names, and values of the kind that is expected. Where the
 * kind is another it throws MISMATCH, and a schema finds the words for it.
 */
import { requireBase64 } from "./base64.ts";
import { JsonScanner } from "./scanner.ts";
import { isWellFormed } from "./shapes.ts";

/** Thrown where the text is JSON but not of the shape. One for all: it is caught, never shown. */
export const MISMATCH: Error = new Error("not of the shape");

export const QUOTE = 0x22;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const LETTER_N = 0x6e;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;

export class JsonReader extends JsonScanner {
  readonly buffer: Buffer;
  #nameFrom = 0;
  #nameTo = 0;
  /** Of a name with escapes. */
  #nameText: string | undefined;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Takes the bytes that open an object or array; answers whether anything is in it. */
  open(byte: number): boolean {
    if (this.peek() !== byte) throw MISMATCH;
    this.at++;
    // Both closing bytes are two above their opening ones.
    if (this.peek() !== byte + 2) return true;
    this.at++;
    return false;
  }

  /** After a member or element: is there another? Takes the comma, or the closing byte. */
  more(close: number): boolean {
    const byte = this.peek();
    if (byte !== COMMA && byte !== close) this.unexpected(close === CLOSE_BRACE ? '"," or "}"' : '"," or "]"');
    this.at++;
    return byte === COMMA;
  }

  /** Takes a field name and its colon. */
  name(): void {
    if (this.peek() !== QUOTE) this.unexpected("a quoted field name");
    const from = this.at;
    this.string();
    this.#nameFrom = from + 1;
    this.#nameTo = this.at - 1;
    this.#nameText = this.escaped ? (JSON.parse(this.buffer.toString("utf8", from, this.at)) as string) : undefined;
    this.expect(COLON, '":"');
  }

  /** Was the name taken last this one? */
  nameIs(word: string): boolean {
    if (this.#nameText !== undefined) return this.#nameText === word;
    const from = this.#nameFrom;
    if (this.#nameTo - from !== word.length) return false;
    for (let i = 0; i < word.length; i++) if (this.buffer[from + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  /** The name taken last. */
  nameText(): string {
    return this.#nameText ?? this.buffer.toString("utf8", this.#nameFrom, this.#nameTo);
  }

  /** Takes `null` when it is next. */
  takeNull(): boolean {
    if (this.peek() !== LETTER_N) return false;
    this.value();
    return true;
  }

  /** A string as text. */
  text(): string {
    const from = this.#takeString();
    return this.escaped ? this.#unescaped(from) : this.buffer.toString("utf8", from + 1, this.at - 1);
  }

  /** A string as UTF-8. */
  textBytes(): Uint8Array {
    const from = this.#takeString();
    return this.escaped ? Buffer.from(this.#unescaped(from), "utf8") : this.buffer.subarray(from + 1, this.at - 1);
  }

  /** A string of base64 as what it stands for. */
  base64(): Uint8Array {
    const decoded = requireBase64(this.textBytes() as Buffer);
    if (decoded === undefined) throw MISMATCH;
    return decoded;
  }

  /** A whole number from 0 to `max`, however JSON writes it. */
  integer(max: number): number {
    const byte = this.peek();
    if (byte !== MINUS && (byte < 0x30 || byte > 0x39)) throw MISMATCH;
    const from = this.at;
    this.value();
    const number = Number(this.buffer.toString("latin1", from, this.at));
    if (!Number.isSafeInteger(number) || number < 0 || number > max) throw MISMATCH;
    return number;
  }

  /** Any value, as it is written. */
  raw(): Uint8Array {
    this.peek();
    const from = this.at;
    this.value();
    return this.buffer.subarray(from, this.at);
  }

  #takeString(): number {
    if (this.peek() !== QUOTE) throw MISMATCH;
    const from = this.at;
    this.string();
    return from;
  }

  /** The string from `from` up to here. Half a surrogate pair has no UTF-8. */
  #unescaped(from: number): string {
    const text = JSON.parse(this.buffer.toString("utf8", from, this.at)) as string;
    if (!isWellFormed(text)) throw MISMATCH;
    return text;
  }
}
