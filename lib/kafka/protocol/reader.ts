/** Reads the values of a message, one after the other, out of the bytes of a frame. Never past its end. */
import { BrokerlessError } from "../../base/errors.ts";
import { readInt16, readInt32, readInt64 } from "../batch/layout.ts";
import { readUtf8 } from "../batch/utf8.ts";

/**
 * All arrays of one message together may have so many elements: an element can be a byte on the wire, and an object of a
 * hundred bytes here.
 */
const ELEMENTS_MOST = 1_000_000;
const VARINT_BYTES_MOST = 5;

export class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
  #elements = 0;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.byteLength) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Moves over `size` bytes that must be there; answers where they begin. */
  take(size: number): number {
    const at = this.at;
    if (size > this.end - at) throw malformed(`is cut: ${size} bytes are needed at byte ${at}, ${this.end - at} are there`);
    this.at = at + size;
    return at;
  }

  bool(): boolean {
    return this.bytes[this.take(1)] !== 0;
  }

  int8(): number {
    return ((this.bytes[this.take(1)] as number) << 24) >> 24;
  }

  int16(): number {
    return readInt16(this.bytes, this.take(2));
  }

  int32(): number {
    return readInt32(this.bytes, this.take(4));
  }

  int64(): number {
    return readInt64(this.bytes, this.take(8));
  }

  uuid(): string {
    const at = this.take(16);
    return uuidText(this.bytes, at);
  }

  unsignedVarint(): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MOST; i++) {
      const byte = this.bytes[this.take(1)] as number;
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    throw malformed(`has a varint of more than ${VARINT_BYTES_MOST} bytes before byte ${this.at}`);
  }

  /** A length as flexible versions have it: one more than it is, 0 for null. -1 is null. */
  compactLength(): number {
    return this.unsignedVarint() - 1;
  }

  text(length: number): string {
    const at = this.take(length);
    return readUtf8(this.bytes, at, at + length);
  }

  view(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** States that an array of so many elements, each at least `leastBytes` long, can be there, before it is made. */
  elements(count: number, leastBytes: number): void {
    if (count * leastBytes > this.end - this.at) {
      throw malformed(`has an array of ${count} elements at byte ${this.at}; ${this.end - this.at} bytes are left`);
    }
    this.#elements += count;
    if (this.#elements > ELEMENTS_MOST) throw malformed(`has more than ${ELEMENTS_MOST} array elements`);
  }

  /** Skips tagged fields that nobody asked for. */
  skipTags(): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      this.unsignedVarint();
      this.take(this.unsignedVarint());
    }
  }
}

/** The message is not what its API and version say. */
export function malformed(what: string): BrokerlessError {
  return new BrokerlessError("invalid_request", `Kafka message ${what}`);
}

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function uuidText(bytes: Uint8Array, at: number): string {
  let text = "";
  for (let i = 0; i < 15; i += 3) {
    const n = ((bytes[at + i] as number) << 16) | ((bytes[at + i + 1] as number) << 8) | (bytes[at + i + 2] as number);
    text += BASE64URL[n >> 18]! + BASE64URL[(n >> 12) & 63]! + BASE64URL[(n >> 6) & 63]! + BASE64URL[n & 63]!;
  }
  const last = bytes[at + 15] as number;
  return text + BASE64URL[last >> 2]! + BASE64URL[(last & 3) << 4]!;
}
