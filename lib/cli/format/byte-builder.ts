/** Bytes put together piece by piece in one growing buffer. */
export class ByteBuilder {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  bytes(piece: Uint8Array): void {
    this.#reserve(piece.byteLength);
    this.#buffer.set(piece, this.#size);
    this.#size += piece.byteLength;
  }

  text(piece: string): void {
    this.#reserve(piece.length * 3);
    this.#size += this.#buffer.write(piece, this.#size);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#size++] = value;
  }

  int32(value: number): void {
    this.#reserve(4);
    this.#size = this.#buffer.writeInt32BE(value, this.#size);
  }

  /** What was put together; the builder begins anew, and the bytes stay valid until it is used again. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#size);
    this.#size = 0;
    return taken;
  }

  #reserve(sizeBytes: number): void {
    if (this.#size + sizeBytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#size + sizeBytes));
    this.#buffer.copy(larger, 0, 0, this.#size);
    this.#buffer = larger;
  }
}
