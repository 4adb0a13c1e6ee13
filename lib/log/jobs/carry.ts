/**
 * The bytes of refs as a segment has them: offsets written in, indexed, as a stream. Memory holds some chunks of 8 MiB,
 * however large a ref or a batch is.
 */

import { concatBytes } from "../../base/bytes.ts";
import { BrokerlessError } from "../../base/errors.ts";
import { BATCH_OVERHEAD_BYTES, peekBatchHeader, stampOffset } from "../../kafka/index.ts";
import type { BlobSlice, Blobs } from "../../ports/index.ts";
import type { IndexBuilder } from "../items/segment-index.ts";
import { LEADER_EPOCH } from "../read/assemble.ts";
import { type LocatedRef, sliceOf } from "../read/locate.ts";
import { ahead } from "./ahead.ts";

const CHUNK_BYTES = 8 * 2 ** 20;

/** A blob is not there any more: somebody else has rolled it. */
export class BlobGone extends Error {}

/** Yields them in order, and notes every batch in the index. Throws {@link BlobGone}, `corrupt_record`, `StorageError`. */
export async function* carried(blobs: Blobs, refs: readonly LocatedRef[], index: IndexBuilder): AsyncGenerator<Uint8Array> {
  let position = 0;
  let walk: RefWalk | undefined;
  for await (const slices of ahead(readSlices(blobs, refs))) {
    for (const { located, bytes } of slices) {
      if (walk?.located !== located) {
        walk?.end();
        walk = new RefWalk(located);
      }
      const piece = walk.next(bytes, index, position);
      position += piece.byteLength;
      if (piece.byteLength > 0) yield piece;
    }
  }
  walk?.end();
}

interface ReadSlice {
  readonly located: LocatedRef;
  readonly bytes: Uint8Array;
}

/** Several small refs at once, a large one in several slices. */
async function* readSlices(blobs: Blobs, refs: readonly LocatedRef[]): AsyncGenerator<ReadSlice[]> {
  let some: { readonly located: LocatedRef; readonly slice: BlobSlice }[] = [];
  let sizeBytes = 0;
  for (const located of refs) {
    const whole = sliceOf(located);
    for (let { from } = whole; from < whole.to; ) {
      const to = Math.min(whole.to, from + CHUNK_BYTES - sizeBytes);
      some.push({ located, slice: { ...whole, from, to } });
      sizeBytes += to - from;
      from = to;
      if (sizeBytes < CHUNK_BYTES) continue;
      yield await readAll(blobs, some);
      some = [];
      sizeBytes = 0;
    }
  }
  if (some.length > 0) yield await readAll(blobs, some);
}

async function readAll(
  blobs: Blobs,
  some: readonly { readonly located: LocatedRef; readonly slice: BlobSlice }[],
): Promise<ReadSlice[]> {
  const found = await blobs.read(some.map(({ slice }) => slice));
  return some.map(({ located, slice }, i) => {
    const bytes = found[i];
    if (bytes === undefined) throw new BlobGone();
    if (bytes.byteLength !== slice.to - slice.from) throw damaged(located, "are fewer than were written");
    return { located, bytes };
  });
}

/** Goes over the bytes of one ref as they come: of a batch only its header has to be there at once. */
class RefWalk {
  readonly located: LocatedRef;
  #next: number;
  /** Of the batch that is passed through. */
  #leftBytes = 0;
  /** The beginning of a header whose rest is still to come. */
  #cut: Uint8Array | undefined;

  constructor(located: LocatedRef) {
    this.located = located;
    this.#next = located.base;
  }

  /** The bytes that can go on, offsets written in; `position` is where they will be in the segment. */
  next(chunk: Uint8Array, index: IndexBuilder, position: number): Uint8Array {
    const bytes = this.#cut === undefined ? chunk : concatBytes([this.#cut, chunk]);
    this.#cut = undefined;
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.#leftBytes === 0) {
        if (bytes.byteLength - at < BATCH_OVERHEAD_BYTES) {
          this.#cut = bytes.subarray(at);
          return bytes.subarray(0, at);
        }
        const batch = peekBatchHeader(bytes, at);
        stampOffset(bytes, at, this.#next, LEADER_EPOCH);
        index.add(this.#next, position + at, batch.maxTimestampMs);
        this.#next += batch.lastOffsetDelta + 1;
        this.#leftBytes = batch.sizeBytes;
      }
      const passed = Math.min(this.#leftBytes, bytes.byteLength - at);
      this.#leftBytes -= passed;
      at += passed;
    }
    return bytes;
  }

  /** Throws where the bytes do not hold what the ref says. */
  end(): void {
    const whole = this.#leftBytes === 0 && this.#cut === undefined;
    if (whole && this.#next === this.located.end) return;
    const what = whole ? `hold ${this.#next - this.located.base} records` : "end within a batch";
    throw damaged(this.located, `${what}; ${this.located.ref.recordCount} records were written`);
  }
}

function damaged({ base }: LocatedRef, what: string): BrokerlessError {
  return new BrokerlessError("corrupt_record", `stored bytes at offset ${base} ${what}`);
}
