/** What is wrong with a run of batches: pure, so that whole segments can be checked piece by piece. */
import { BATCH_OVERHEAD_BYTES, batchSizeOf, crcMatches, readBatchHeader } from "../../kafka/index.ts";

export interface Problem {
  /** Offsets that are concerned. */
  readonly base: number;
  readonly last: number;
  readonly what: string;
}

/** Of a batch that was found. */
export interface Seen {
  readonly positionBytes: number;
  readonly baseOffset: number;
  readonly maxTimestampMs: number;
}

/**
 * Checks batches as they come, in any pieces: structure, CRC, offsets that go on without a gap (with `holes`: that only
 * grow), and records as many as the header says. What cannot be read any further ends the check of this object.
 */
export class BatchChecker {
  readonly #last: number;
  readonly #holes: boolean;
  readonly #onBatch: (seen: Seen) => void;
  readonly problems: Problem[] = [];
  records = 0;
  maxTimestampMs = Number.NEGATIVE_INFINITY;
  #next: number;
  #positionBytes = 0;
  #left: Uint8Array = new Uint8Array(0);
  #ended = false;
  #lost = false;

  /** `base` and `last`: the offsets that the bytes should cover. */
  constructor(base: number, last: number, holes: boolean, onBatch: (seen: Seen) => void = () => {}) {
    this.#next = base;
    this.#last = last;
    this.#holes = holes;
    this.#onBatch = onBatch;
  }

  /** Takes the next bytes. False when there is no sense in going on. */
  add(bytes: Uint8Array): boolean {
    if (this.#ended) return false;
    let all = bytes;
    if (this.#left.byteLength > 0) {
      all = new Uint8Array(this.#left.byteLength + bytes.byteLength);
      all.set(this.#left);
      all.set(bytes, this.#left.byteLength);
    }
    let at = 0;
    try {
      while (at + BATCH_OVERHEAD_BYTES <= all.byteLength) {
        const sizeBytes = batchSizeOf(all, at);
        if (at + sizeBytes > all.byteLength) break;
        this.#check(all, at);
        at += sizeBytes;
        this.#positionBytes += sizeBytes;
      }
    } catch (error) {
      this.#say(this.#next, this.#last, `byte ${this.#positionBytes}: ${(error as Error).message}`);
      this.#ended = true;
      return false;
    }
    this.#left = all.subarray(at);
    return true;
  }

  /** All bytes were handed over. */
  end(): void {
    if (this.#ended) return;
    if (this.#left.byteLength > 0) {
      this.#say(this.#next, this.#last, `byte ${this.#positionBytes}: ${this.#left.byteLength} bytes that are no whole batch`);
    } else if (!this.#holes && !this.#lost && this.#next <= this.#last)
      this.#say(this.#next, this.#last, "the records are missing at the end");
  }

  #check(bytes: Uint8Array, at: number): void {
    const header = readBatchHeader(bytes, at);
    const { baseOffset, lastOffsetDelta, maxTimestampMs, recordCount } = header;
    const last = baseOffset + lastOffsetDelta;
    if (!crcMatches(bytes, at)) {
      // Only its place is to be trusted: the next one says where the offsets go on.
      this.#say(this.#next, Math.max(this.#next, Math.min(last, this.#last)), "the batch does not match its CRC");
      this.#lost = true;
      return;
    }
    if (this.#lost) this.#next = Math.max(this.#next, baseOffset);
    this.#lost = false;
    if (baseOffset < this.#next)
      this.#say(baseOffset, last, `the batch begins below ${this.#next}, where the one before it ended`);
    else if (baseOffset > this.#next && !this.#holes) this.#say(this.#next, baseOffset - 1, "the records are missing");
    if (last > this.#last) this.#say(this.#last + 1, last, `the batch goes beyond ${this.#last}, where the index ends it`);
    if (!this.#holes && recordCount !== lastOffsetDelta + 1)
      this.#say(baseOffset, last, `the batch has ${recordCount} records for ${lastOffsetDelta + 1} offsets`);
    this.#onBatch({ positionBytes: this.#positionBytes, baseOffset, maxTimestampMs });
    this.records += recordCount;
    this.maxTimestampMs = Math.max(this.maxTimestampMs, maxTimestampMs);
    this.#next = Math.max(this.#next, last + 1);
  }

  #say(base: number, last: number, what: string): void {
    this.problems.push({ base, last, what });
  }
}
