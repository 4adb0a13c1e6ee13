/** Splits a stream of bytes into the JSON objects that are in it, one after the other, wherever the pieces are cut. */
import { BrokerlessError } from "../../base/errors.ts";
import { formatCount } from "../limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** 1: opens, 2: closes, 3: begins a string. */
const STRUCTURE = new Uint8Array(256);
STRUCTURE[0x7b] = 1;
STRUCTURE[0x5b] = 1;
STRUCTURE[0x7d] = 2;
STRUCTURE[0x5d] = 2;
STRUCTURE[QUOTE] = 3;

const ENDS_RUN = new Uint8Array(256);
ENDS_RUN[QUOTE] = 1;
ENDS_RUN[BACKSLASH] = 1;

export interface JsonDocument {
  readonly bytes: Uint8Array;
  /** Where in the whole stream it begins. */
  readonly position: number;
}

export class DocumentSplitter {
  readonly #limitBytes: number;
  /** Of the document that is not complete yet. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Bytes of the stream before the piece at hand. */
  #position = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** What is wrong with the stream: `invalid_request`, `request_too_large`. The documents before it are good. */
  failure: BrokerlessError | undefined;

  /** The documents that this piece completes. After a failure there are no more. */
  push(piece: Uint8Array): JsonDocument[] {
    const documents: JsonDocument[] = [];
    if (this.failure !== undefined) return documents;
    try {
      this.#take(piece, documents);
    } catch (error) {
      if (!(error instanceof BrokerlessError)) throw error;
      this.failure = error;
    }
    return documents;
  }

  #take(piece: Uint8Array, documents: JsonDocument[]): void {
    const end = piece.byteLength;
    let at = 0;
    let from = 0;
    while (at < end) {
      if (this.#depth === 0) {
        const byte = piece[at] as number;
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
          at++;
          continue;
        }
        if (byte !== 0x7b) throw notAnObject(byte, this.#position + at);
        this.#depth = 1;
        from = at++;
        continue;
      }
      at = this.#inside(piece, at);
      if (this.#depth === 0) {
        documents.push(this.#complete(piece, from, at));
        from = at;
      }
    }
    if (this.#depth > 0) this.#hold(piece.subarray(from));
    this.#position += end;
  }

  /** Throws the failure, and `invalid_request` when the stream ended within a document. */
  end(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.#depth > 0) {
      throw new BrokerlessError(
        "invalid_request",
        `the body was cut short: the JSON document that begins at byte ${this.#position - this.#heldBytes} does not end`,
        { details: { position: this.#position } },
      );
    }
  }

  /** Goes on to the end of the document or of the piece; answers where it stopped. */
  #inside(piece: Uint8Array, at: number): number {
    const end = piece.byteLength;
    while (at < end) {
      if (this.#inString) {
        if (this.#escaped) {
          this.#escaped = false;
          at++;
          continue;
        }
        while (at < end && ENDS_RUN[piece[at] as number] === 0) at++;
        if (at >= end) return at;
        if (piece[at] === QUOTE) this.#inString = false;
        else this.#escaped = true;
        at++;
        continue;
      }
      const kind = STRUCTURE[piece[at++] as number];
      if (kind === 3) this.#inString = true;
      else if (kind === 1) this.#depth++;
      else if (kind === 2 && --this.#depth === 0) return at;
    }
    return at;
  }

  #complete(piece: Uint8Array, from: number, to: number): JsonDocument {
    const position = this.#position + from - this.#heldBytes;
    if (this.#heldBytes === 0) {
      if (to - from > this.#limitBytes) throw documentTooLarge(this.#limitBytes);
      return { bytes: piece.subarray(from, to), position };
    }
    this.#hold(piece.subarray(from, to));
    const bytes = Buffer.concat(this.#held, this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    return { bytes, position };
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.byteLength;
    if (this.#heldBytes > this.#limitBytes) throw documentTooLarge(this.#limitBytes);
  }
}

function notAnObject(byte: number, position: number): BrokerlessError {
  const shown = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16).padStart(2, "0")}`;
  return new BrokerlessError(
    "invalid_request",
    `the body is not JSON: ${shown} where a record's "{" should be, at byte ${position}`,
    {
      details: { position },
    },
  );
}

function documentTooLarge(limitBytes: number): BrokerlessError {
  return new BrokerlessError(
    "request_too_large",
    `one record's JSON is larger than the limit of ${formatCount(limitBytes)} bytes`,
    {
      details: { limitBytes },
    },
  );
}
