/** A segment object against its item in the index: every byte of it, in pieces of a bounded size. */
import type { Bucket } from "../../ports/index.ts";
import type { Segment } from "../items/segment.ts";
import { type Entry, indexEntries, NO_TIMESTAMP } from "../items/segment-index.ts";
import { BatchChecker, type Problem, type Seen } from "./batches.ts";

const PIECE_BYTES = 4 * 2 ** 20;

export interface SegmentVerdict {
  readonly records: number;
  readonly problems: readonly Problem[];
}

/** Undefined when the object is not there. `holes`: compaction may have taken records out. */
export async function verifySegment(
  bucket: Bucket,
  key: string,
  segment: Segment,
  holes: boolean,
): Promise<SegmentVerdict | undefined> {
  const { base, last, sizeBytes } = segment;
  const index = new IndexChecker(indexEntries(segment));
  const checker = new BatchChecker(base, last, holes, (seen) => index.add(seen));
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    // One byte more than there should be, so that what is too long is noticed.
    const bytes = await bucket.get(key, { from: at, to: Math.min(at + PIECE_BYTES, sizeBytes + 1) });
    if (bytes === undefined) return undefined;
    if (bytes.byteLength < Math.min(PIECE_BYTES, sizeBytes - at)) {
      checker.problems.push({ base, last, what: `the object has ${at + bytes.byteLength} bytes; the index says ${sizeBytes}` });
      checker.add(bytes);
      break;
    }
    if (at + bytes.byteLength > sizeBytes) {
      checker.problems.push({ base, last, what: `the object has more than the ${sizeBytes} bytes that the index says` });
    }
    if (!checker.add(bytes.subarray(0, sizeBytes - at))) break;
  }
  checker.end();
  // What the index says can only be judged against bytes that are right.
  if (checker.problems.length > 0) return { records: checker.records, problems: checker.problems };
  const problems = [...index.end(last)];
  if (checker.maxTimestampMs !== segment.maxTimestampMs) {
    const what = `the largest timestamp is ${checker.maxTimestampMs}; the index says ${segment.maxTimestampMs}`;
    problems.push({ base, last, what });
  }
  return { records: checker.records, problems };
}

/** Entries of the sparse index against the batches, both in order. */
class IndexChecker {
  readonly #entries: readonly Entry[];
  readonly #problems: Problem[] = [];
  #next = 0;
  #maxTimestampMs = NO_TIMESTAMP;

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  add({ positionBytes, baseOffset, maxTimestampMs }: Seen): void {
    const entry = this.#entries[this.#next];
    if (entry !== undefined && entry.positionBytes <= positionBytes) {
      this.#next++;
      const { offset, maxBeforeMs } = entry;
      if (entry.positionBytes < positionBytes) this.#say(offset, `points to byte ${entry.positionBytes}, where no batch begins`);
      else if (offset !== baseOffset) this.#say(offset, `points to a batch that begins at offset ${baseOffset}`);
      if (maxBeforeMs !== this.#maxTimestampMs)
        this.#say(offset, `says ${maxBeforeMs} for the largest timestamp before it, which is ${this.#maxTimestampMs}`);
    }
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, maxTimestampMs);
  }

  end(last: number): readonly Problem[] {
    if (this.#next < this.#entries.length) this.#say(last, "points beyond the last batch");
    return this.#problems;
  }

  #say(offset: number, what: string): void {
    this.#problems.push({ base: offset, last: offset, what: `the entry of the index for offset ${offset} ${what}` });
  }
}
