/** Whole record batches out of a body that arrives in pieces of any size. */
import { BrokerlessError } from "../../base/errors.ts";

/** Base offset and length: what has to be there to know how long a batch is. */
const PREFIX_BYTES = 12;
const LENGTH_AT = 8;
/** Far over any `max.message.bytes`: a larger one is not a length. */
const MAX_BATCH_BYTES = 1024 * 1024 * 1024;

export class BatchCutter {
  #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  /** Size of the batch that is begun; 0 while it is not known. */
  #wantedBytes = 0;

  /** Bytes of a batch that is not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes the next piece and answers the batches that are whole by now, one array each: views where a batch lies in one
   * piece, else a copy. Throws `corrupt_record` for a length that cannot be.
   */
  push(piece: Uint8Array): Uint8Array[] {
    const whole: Uint8Array[] = [];
    let at = 0;
    if (this.#heldBytes > 0) {
      if (this.#wantedBytes === 0) {
        const need = PREFIX_BYTES - this.#heldBytes;
        if (piece.byteLength < need) {
          this.#hold(piece);
          return whole;
        }
        this.#hold(piece.subarray(0, need));
        at = need;
        this.#pieces = [this.#joined(PREFIX_BYTES)];
        this.#wantedBytes = sizeAt(this.#pieces[0]!, 0);
      }
      const need = this.#wantedBytes - this.#heldBytes;
      if (piece.byteLength - at < need) {
        this.#hold(piece.subarray(at));
        return whole;
      }
      this.#hold(piece.subarray(at, at + need));
      at += need;
      whole.push(this.#joined(this.#wantedBytes));
      this.#pieces = [];
      this.#heldBytes = 0;
      this.#wantedBytes = 0;
    }
    while (piece.byteLength - at >= PREFIX_BYTES) {
      const size = sizeAt(piece, at);
      if (piece.byteLength - at < size) {
        this.#wantedBytes = size;
        break;
      }
      whole.push(piece.subarray(at, at + size));
      at += size;
    }
    if (at < piece.byteLength) this.#hold(piece.subarray(at));
    return whole;
  }

  #hold(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#heldBytes += piece.byteLength;
  }

  #joined(sizeBytes: number): Uint8Array {
    const out = new Uint8Array(sizeBytes);
    let at = 0;
    for (const piece of this.#pieces) {
      out.set(piece, at);
      at += piece.byteLength;
    }
    return out;
  }
}

function sizeAt(bytes: Uint8Array, at: number): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset + at + LENGTH_AT, 4).getInt32(0);
  const size = length + PREFIX_BYTES;
  if (length <= 0 || size > MAX_BATCH_BYTES) {
    throw new BrokerlessError(
      "corrupt_record",
      `the server sent a record batch that claims a length of ${length.toLocaleString("en-US")} bytes`,
    );
  }
  return size;
}
