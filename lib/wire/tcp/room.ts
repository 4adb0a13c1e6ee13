/**
 * The bytes that all connections of a listener hold, and who may read on when they are too many.
 *
 * M1  Whole frames and answers have three quarters of the room, frames in their middle the last one: those who begin large
 *     frames and do not end them stop large frames, and nothing else.
 * M2  Where frames in their middle fill their share, one of them at a time goes on: they cannot wait for each other.
 * M3  What is held exceeds the room by what each socket had read when it was full, by one frame, and by the answers of
 *     what is under way. Whoever waited reads again a few at a time.
 */
export interface Reader {
  readonly isInsideFrame: boolean;
  /** Whether it may read has changed: it asks again. */
  review(): void;
}

/** What one reader takes from its socket before it asks again. */
const READ_BYTES = 64 * 1024;

export class Room {
  readonly #wholeLimitBytes: number;
  readonly #partialLimitBytes: number;
  readonly #readers = new Set<Reader>();
  /** Those that wait between frames, and in the middle of one. */
  readonly #outside = new Set<Reader>();
  readonly #inside = new Set<Reader>();
  #wholeBytes = 0;
  #partialBytes = 0;
  #chosen: Reader | undefined;
  #isWaking = false;

  constructor(limitBytes: number) {
    this.#partialLimitBytes = limitBytes / 4;
    this.#wholeLimitBytes = limitBytes - this.#partialLimitBytes;
  }

  get heldBytes(): number {
    return this.#wholeBytes + this.#partialBytes;
  }

  enter(reader: Reader): void {
    this.#readers.add(reader);
  }

  /** It reads no more. */
  leave(reader: Reader): void {
    this.#readers.delete(reader);
    this.#outside.delete(reader);
    this.#inside.delete(reader);
    this.step(reader);
  }

  /** Adds what is held, or takes it away: of whole frames and answers, and of a frame in its middle. */
  hold(wholeBytes: number, partialBytes: number): void {
    const wasFull = this.#isFull;
    const wasPartialFull = this.#isPartialFull;
    this.#wholeBytes += wholeBytes;
    this.#partialBytes += partialBytes;
    if ((this.#isFull && !wasFull) || (this.#isPartialFull && !wasPartialFull)) {
      for (const reader of this.#readers) reader.review();
    }
    this.#wake();
  }

  /** May it read on? Otherwise it is told when it can ask again. */
  mayRead(reader: Reader): boolean {
    const waiting = reader.isInsideFrame ? this.#inside : this.#outside;
    const isFree = reader.isInsideFrame ? !this.#isPartialFull || this.#chosen === reader : true;
    if (!this.#isFull && isFree && !waiting.has(reader)) return true;
    waiting.add(reader);
    return false;
  }

  /** Does it go on though there is no room, because one must? */
  isChosen(reader: Reader): boolean {
    return this.#chosen === reader;
  }

  /** It is at the end of a frame, or cannot go on with it: the next may. */
  step(reader: Reader): void {
    if (this.#chosen !== reader) return;
    this.#chosen = undefined;
    this.#wake();
  }

  get #isFull(): boolean {
    return this.#wholeBytes >= this.#wholeLimitBytes;
  }

  get #isPartialFull(): boolean {
    return this.#partialBytes >= this.#partialLimitBytes;
  }

  #wake(): void {
    if (this.#isFull || this.#isWaking || this.#outside.size + this.#inside.size === 0) return;
    let count = Math.ceil((this.#wholeLimitBytes - this.#wholeBytes) / READ_BYTES);
    for (const reader of this.#outside) {
      if (count-- <= 0) break;
      this.#outside.delete(reader);
      reader.review();
    }
    count = Math.ceil((this.#partialLimitBytes - this.#partialBytes) / READ_BYTES);
    for (const reader of this.#inside) {
      if (count-- <= 0) {
        if (this.#chosen !== undefined || !this.#isPartialFull) break;
        this.#chosen = reader;
      }
      this.#inside.delete(reader);
      reader.review();
    }
    if (this.#outside.size === 0 && (this.#inside.size === 0 || this.#isPartialFull)) return;
    // Those who were woken read first.
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      this.#wake();
    });
  }
}
