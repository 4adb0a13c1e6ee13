/**
 * Frames of the Kafka protocol: four bytes of length, big endian, then so many bytes
 * (https://kafka.apache.org/protocol#protocol_common).
 *
 * R1  What is held for a frame that is not whole is at most twice what has come of it: a length that lies costs
 *     its sender as much as us.
 * R2  A byte is copied at most twice on its way into its frame, however small the pieces are that it comes in; a frame
 *     that comes in one piece is not copied.
 */
import { BrokerlessError } from "../base/errors.ts";

export const LENGTH_BYTES = 4;

/** Api key, version and correlation id: the shortest header of a request. */
const REQUEST_BYTES = 8;
/** The correlation id: the shortest header of a response. */
export const RESPONSE_BYTES = 4;

/** How much memory a frame may get ahead of its bytes. */
const TRUST = 2;

const NONE: readonly Uint8Array[] = [];

/** Cuts a stream of bytes into frames, without their lengths. */
export class FrameReader {
  readonly #limitBytes: number;
  readonly #leastBytes: number;
  /** Of the length, while it is not whole. */
  readonly #head = new Uint8Array(LENGTH_BYTES);
  #headBytes = 0;
  /** Of the frame that is being read; -1 between frames. */
  #lengthBytes = -1;
  #frame: Uint8Array | undefined;
  #frameBytes = 0;
  #error: BrokerlessError | undefined;

  /** `leastBytes`: the shortest header there is in this direction. */
  constructor(limitBytes: number, leastBytes: number = REQUEST_BYTES) {
    this.#limitBytes = limitBytes;
    this.#leastBytes = leastBytes;
  }

  /** What is wrong with the length that came last; nothing is read after it. */
  get error(): BrokerlessError | undefined {
    return this.#error;
  }

  /** Memory held for a frame that is not whole. */
  get heldBytes(): number {
    return this.#frame?.byteLength ?? 0;
  }

  /** Has a frame begun that is not whole? */
  get isInside(): boolean {
    return this.#headBytes > 0 || this.#lengthBytes >= 0;
  }

  /**
   * The frames that are whole with this piece; they may share its memory. `request_too_large` or `invalid_request`
   * stands in `error` after a length that cannot be; the frames before it are answered all the same.
   */
  push(piece: Uint8Array): readonly Uint8Array[] {
    let frames: Uint8Array[] | undefined;
    let at = 0;
    while (at < piece.byteLength && this.#error === undefined) {
      if (this.#lengthBytes < 0) {
        at = this.#readLength(piece, at);
        if (this.#lengthBytes < 0) break;
      }
      const missing = this.#lengthBytes - this.#frameBytes;
      const end = Math.min(piece.byteLength, at + missing);
      let frame: Uint8Array | undefined;
      if (this.#frameBytes === 0 && end - at === missing) frame = piece.subarray(at, end);
      else if (end > at) {
        this.#gather(piece.subarray(at, end));
        if (this.#frameBytes === this.#lengthBytes) frame = this.#frame;
      }
      at = end;
      if (frame === undefined) continue;
      if (frames === undefined) frames = [frame];
      else frames.push(frame);
      this.#lengthBytes = -1;
      this.#frame = undefined;
      this.#frameBytes = 0;
    }
    return frames ?? NONE;
  }

  /** Answers where the frame begins. */
  #readLength(piece: Uint8Array, from: number): number {
    let at = from;
    while (this.#headBytes < LENGTH_BYTES && at < piece.byteLength) this.#head[this.#headBytes++] = piece[at++] as number;
    if (this.#headBytes < LENGTH_BYTES) return at;
    this.#headBytes = 0;
    const lengthBytes = readInt32(this.#head, 0);
    this.#error = wrongLength(lengthBytes, this.#limitBytes, this.#leastBytes);
    if (this.#error === undefined) this.#lengthBytes = lengthBytes;
    return at;
  }

  #gather(bytes: Uint8Array): void {
    const neededBytes = this.#frameBytes + bytes.byteLength;
    if (this.#frame === undefined || this.#frame.byteLength < neededBytes) {
      const grown = new Uint8Array(Math.min(this.#lengthBytes, neededBytes * TRUST));
      if (this.#frame !== undefined) grown.set(this.#frame.subarray(0, this.#frameBytes));
      this.#frame = grown;
    }
    this.#frame.set(bytes, this.#frameBytes);
    this.#frameBytes = neededBytes;
  }
}

/** The frames of a body, which holds nothing else. Throws `request_too_large`, and `invalid_request` where the last is cut short. */
export function framesOf(body: Uint8Array, limitBytes: number, leastBytes: number = REQUEST_BYTES): readonly Uint8Array[] {
  const frames: Uint8Array[] = [];
  let at = 0;
  while (at < body.byteLength) {
    if (body.byteLength - at < LENGTH_BYTES) throw cutShort(body.byteLength - at, LENGTH_BYTES);
    const lengthBytes = readInt32(body, at);
    const error = wrongLength(lengthBytes, limitBytes, leastBytes);
    if (error !== undefined) throw error;
    at += LENGTH_BYTES;
    if (body.byteLength - at < lengthBytes) throw cutShort(body.byteLength - at, lengthBytes);
    frames.push(body.subarray(at, at + lengthBytes));
    at += lengthBytes;
  }
  return frames;
}

/** A length as it stands before a frame of so many bytes. */
export function lengthPrefix(sizeBytes: number): Uint8Array {
  return Uint8Array.of(sizeBytes >>> 24, sizeBytes >>> 16, sizeBytes >>> 8, sizeBytes);
}

/** Which API a frame asks for. */
export function apiKeyOf(frame: Uint8Array): number {
  return (((frame[0] as number) << 24) | ((frame[1] as number) << 16)) >> 16;
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

function wrongLength(lengthBytes: number, limitBytes: number, leastBytes: number): BrokerlessError | undefined {
  if (lengthBytes > limitBytes) {
    return new BrokerlessError(
      "request_too_large",
      `a frame of ${lengthBytes} bytes; at most ${limitBytes} are taken (does the other side speak Kafka's protocol, without TLS?)`,
      { details: { limitBytes } },
    );
  }
  if (lengthBytes < leastBytes) {
    return new BrokerlessError("invalid_request", `a frame of ${lengthBytes} bytes; the shortest header has ${leastBytes}`);
  }
  return undefined;
}

function cutShort(haveBytes: number, lengthBytes: number): BrokerlessError {
  return new BrokerlessError("invalid_request", `the last frame is cut short: ${haveBytes} of ${lengthBytes} bytes are there`);
}
