/**
 * Writes the values of a message one after the other. What is large is not copied: the message comes out as pieces that
 * belong one behind the other (`writev`).
 */
import { invariant } from "../../base/assert.ts";
import { writeInt16, writeInt32, writeInt64 } from "../batch/layout.ts";
import { utf8Bytes, writeUtf8 } from "../batch/utf8.ts";

/** Bytes from this size on are handed on as they are. */
const BY_REFERENCE_BYTES = 4096;
const FIRST_BYTES = 256;
const MAX_INT16 = 32_767;

/** Most messages are some dozen bytes: they are cut from one array, each its own part of it, which is not given out again. */
const SLAB_BYTES = 16_384;
let slab = new Uint8Array(SLAB_BYTES);
let slabAt = 0;

export class Writer {
  readonly #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  #chunk: Uint8Array<ArrayBuffer>;
  #from: number;
  #at: number;
  /** What of the chunk is this writer's. */
  #end: number;

  constructor() {
    if (slabAt + FIRST_BYTES > SLAB_BYTES) {
      slab = new Uint8Array(SLAB_BYTES);
      slabAt = 0;
    }
    this.#chunk = slab;
    this.#from = slabAt;
    this.#at = slabAt;
    slabAt += FIRST_BYTES;
    this.#end = slabAt;
  }

  /** How many bytes were written. */
  get sizeBytes(): number {
    return this.#piecesBytes + this.#at - this.#from;
  }

  /** Makes room for `size` bytes; answers where they go. */
  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#end) {
      const grown = new Uint8Array(Math.max((this.#end - this.#from) * 2, at - this.#from + size, FIRST_BYTES));
      grown.set(this.#chunk.subarray(this.#from, at));
      this.#end = grown.byteLength;
      this.#at = at - this.#from + size;
      this.#from = 0;
      this.#chunk = grown;
      return this.#at - size;
    }
    this.#at = at + size;
    return at;
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int8(value: number): void {
    const at = this.#take(1);
    this.#chunk[at] = value;
  }

  int16(value: number): void {
    const at = this.#take(2);
    writeInt16(this.#chunk, at, value);
  }

  int32(value: number): void {
    const at = this.#take(4);
    writeInt32(this.#chunk, at, value);
  }

  int64(value: number): void {
    const at = this.#take(8);
    writeInt64(this.#chunk, at, value);
  }

  uuid(text: string): void {
    const at = this.#take(16);
    writeUuid(this.#chunk, at, text);
  }

  unsignedVarint(value: number): void {
    let left = value;
    while (left > 127) {
      this.int8((left % 128) | 128);
      left = Math.floor(left / 128);
    }
    this.int8(left);
  }

  string(text: string): void {
    const size = utf8Bytes(text);
    invariant(size <= MAX_INT16, "a string of the Kafka protocol has at most 32,767 bytes");
    this.int16(size);
    this.#text(text, size);
  }

  compactString(text: string): void {
    const size = utf8Bytes(text);
    this.unsignedVarint(size + 1);
    this.#text(text, size);
  }

  #text(text: string, size: number): void {
    const at = this.#take(size);
    writeUtf8(this.#chunk, at, text, size);
  }

  /** Small ones are copied, large ones become pieces of their own: they must stay as they are until they are sent. */
  raw(bytes: Uint8Array): void {
    if (bytes.byteLength < BY_REFERENCE_BYTES) {
      const at = this.#take(bytes.byteLength);
      this.#chunk.set(bytes, at);
      return;
    }
    this.#cut();
    this.#pieces.push(bytes);
    this.#piecesBytes += bytes.byteLength;
  }

  #cut(): void {
    if (this.#at === this.#from) return;
    this.#pieces.push(this.#chunk.subarray(this.#from, this.#at));
    this.#piecesBytes += this.#at - this.#from;
    this.#from = this.#at;
  }

  /** Everything written so far. The writer is not to be used after this. */
  finish(): Uint8Array[] {
    this.#cut();
    // What is left of its part of the slab is the next writer's.
    if (this.#chunk === slab && slabAt === this.#end) slabAt = this.#at;
    this.#end = this.#at;
    return this.#pieces;
  }
}

function writeUuid(bytes: Uint8Array, at: number, text: string): void {
  invariant(text.length === 22, "a UUID has 22 characters");
  let bits = 0;
  let buffer = 0;
  for (let i = 0; i < 22; i++) {
    buffer = (buffer << 6) | sixBitsOf(text.charCodeAt(i));
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = buffer >>> bits;
      buffer &= (1 << bits) - 1;
    }
  }
}

/** Of one character of base64url. */
function sixBitsOf(c: number): number {
  if (c >= 97) return c - 71;
  if (c === 95) return 63;
  if (c >= 65) return c - 65;
  if (c >= 48) return c + 4;
  return 62;
}
