/**
 * Reading: from the tail, the head and then the blobs, two trips; from before it, the runs too, three trips at any
 * size of the log.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { batchHeaders } from "../../kafka/index.ts";
import type { Clock, Doorbell, Storage } from "../../ports/index.ts";
import { decodeHead, type Head, headKey, lastStableOffset, partitionName } from "../items/head.ts";
import { segmentObject } from "../items/segment.ts";
import { storageStep } from "../storage-errors.ts";
import { unknownTopic } from "../topics.ts";
import type { Isolation, ReadResult, Topic } from "../types.ts";
import { readAborted } from "./aborted.ts";
import { type Assembled, assemble, damagedBlob } from "./assemble.ts";
import { type Located, type LocatedRef, refsOfTail, select, sliceOf } from "./locate.ts";
import { type PiecesMost, readPieces } from "./pieces.ts";
import { damagedSegment, segmentBytes } from "./segment-bytes.ts";

/** How often a read looks again when the index moves under it. */
const LOOKS = 8;
/** Runs and segments asked for in one query. A segment's item has up to 28 KiB. */
const RUNS_MOST = 64;
const SEGMENTS_MOST = 2;

/** How much of a partition, and of which records. */
export interface Amount {
  readonly maxBytes: number;
  readonly isolation?: Isolation | undefined;
}

export interface ReaderParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
}

export class Reader {
  readonly #parts: ReaderParts;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** The head as it is now; undefined when there is none. */
  async head(topicId: string, partition: number): Promise<Head | undefined> {
    const item = await storageStep("read the partition", () => this.#parts.storage.table.get(headKey(topicId, partition)));
    return item && decodeHead(item);
  }

  /** The head of a partition that has the offset, or ends there; throws `offset_out_of_range`, `unknown_topic`. */
  async headAt(topic: Topic, partition: number, offset: number): Promise<Head> {
    const head = await this.head(topic.id, partition);
    if (head === undefined) throw unknownTopic(topic.name);
    if (offset < head.start || offset > head.next) throw outOfRange(topic, partition, offset, head);
    return head;
  }

  /** The heads of many partitions, in one trip. */
  async heads(partitions: readonly { readonly topicId: string; readonly partition: number }[]): Promise<(Head | undefined)[]> {
    const keys = partitions.map(({ topicId, partition }) => headKey(topicId, partition));
    const items = await storageStep("read the partitions", () => this.#parts.storage.table.getMany(keys));
    return items.map((item) => item && decodeHead(item));
  }

  /**
   * Reads at once what there is; throws `offset_out_of_range`, `unknown_topic`, `unavailable`, `corrupt_log`. `known`: a head
   * just read, which has the offset.
   */
  async read(
    topic: Topic,
    partition: number,
    offset: number,
    { maxBytes, isolation }: Amount,
    known?: Head,
  ): Promise<ReadResult> {
    let missing: Located | undefined;
    for (let look = 0; look < LOOKS; look++) {
      const head = (look === 0 ? known : undefined) ?? (await this.headAt(topic, partition, offset));
      const end = readableEnd(head, isolation);
      if (offset >= end) return nothingAt(offset, head);
      const located = await this.#locate(topic, partition, head, offset, maxBytes);
      const found = located && (await this.#fetch(topic, partition, located, offset, maxBytes));
      if (found !== undefined) {
        const cut = found.nextOffset > end ? endingAt(found, end) : found;
        const aborted =
          isolation === "read_committed" && head.lastAbortOffset >= offset
            ? await readAborted(this.#parts.storage.table, topic.id, partition, offset, cut.nextOffset)
            : [];
        return { ...nothingAt(offset, head), ...cut, aborted };
      }
      missing = located?.[0];
      if (look > 0) await this.#parts.clock.sleep(2 ** look);
    }
    // The index names the same piece look after look, and its bytes are not there.
    if (missing?.kind === "segment") {
      throw damagedSegment(segmentObject(topic.id, partition, missing.segment), missing.segment, "is not in the bucket");
    }
    if (missing !== undefined) throw damagedBlob(missing, "are not in the storage");
    throw new BrokerlessError(
      "unavailable",
      `topic "${topic.name}" partition ${partition}: offset ${offset} is in the log, but its bytes were not found`,
      {
        retryAfterMs: 1000,
      },
    );
  }

  /** Reads; when there is nothing yet, waits for it up to `maxWaitMs`. */
  async readOrWait(
    topic: Topic,
    partition: number,
    offset: number,
    amount: Amount,
    maxWaitMs: number,
    signal?: AbortSignal,
  ): Promise<ReadResult> {
    const first = await this.read(topic, partition, offset, amount);
    if (maxWaitMs <= 0 || first.sizeBytes > 0) return first;
    const { clock, doorbell } = this.#parts;
    const until = clock.monotonicMs() + maxWaitMs;
    const name = [partitionName(topic.id, partition)];
    let last = first;
    while (clock.monotonicMs() < until && signal?.aborted !== true) {
      // Wait first, then look: what is appended in between rings.
      const stop = new AbortController();
      const rung = doorbell.wait(name, until, signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]));
      try {
        last = await this.read(topic, partition, offset, amount);
        if (last.sizeBytes > 0) return last;
        await rung;
      } finally {
        stop.abort();
      }
    }
    return signal?.aborted === true ? last : this.read(topic, partition, offset, amount);
  }

  /** Every piece of the log from the one that holds `offset` to the end; undefined when the index moves. */
  async allPieces(topic: Topic, partition: number, offset: number, head: Head): Promise<Located[] | undefined> {
    const pieces = await this.#pieces(topic, partition, head, offset);
    const whole = (pieces[0]?.base ?? Number.POSITIVE_INFINITY) <= offset && (pieces.at(-1)?.end ?? 0) >= head.next;
    return whole ? pieces : undefined;
  }

  /** Batches of one piece from `offset` on, at least one and at most about `maxBytes`; undefined when its bytes are gone. */
  async batchesOf(
    topic: Topic,
    partition: number,
    piece: Located,
    offset: number,
    maxBytes: number,
  ): Promise<Assembled | undefined> {
    if (piece.kind === "ref") {
      const [blob] = await this.#blobs([piece]);
      return blob && assemble(blob, piece, offset, maxBytes);
    }
    const key = segmentObject(topic.id, partition, piece.segment);
    return storageStep("read a segment", () => segmentBytes(this.#parts.storage.bucket, key, piece.segment, offset, maxBytes));
  }

  async #locate(topic: Topic, partition: number, head: Head, offset: number, maxBytes: number): Promise<Located[] | undefined> {
    if (offset >= head.tailBase) return select(refsOfTail(head), offset, maxBytes);
    const runs = Math.max(2, Math.min(RUNS_MOST, Math.ceil(maxBytes / 65_536)));
    return select(await this.#pieces(topic, partition, head, offset, { runs, segments: SEGMENTS_MOST }), offset, maxBytes);
  }

  #pieces(topic: Topic, partition: number, head: Head, offset: number, most?: PiecesMost): Promise<Located[]> {
    return storageStep("read the index", () => readPieces(this.#parts.storage.table, topic.id, partition, head, offset, most));
  }

  #blobs(refs: readonly LocatedRef[]): Promise<(Uint8Array | undefined)[]> {
    return storageStep("read records", () => this.#parts.storage.blobs.read(refs.map(sliceOf)));
  }

  /** The bytes of these pieces, side by side, cut at about `maxBytes`; undefined when those of the first are gone. */
  async #fetch(
    topic: Topic,
    partition: number,
    pieces: readonly Located[],
    offset: number,
    maxBytes: number,
  ): Promise<Pick<ReadResult, "batches" | "sizeBytes" | "nextOffset"> | undefined> {
    const refs = pieces.filter((piece) => piece.kind === "ref");
    const [blobs, parts] = await Promise.all([
      refs.length === 0 ? [] : this.#blobs(refs),
      Promise.all(
        pieces.map((piece) =>
          piece.kind === "ref" ? undefined : this.batchesOf(topic, partition, piece, Math.max(offset, piece.base), maxBytes),
        ),
      ),
    ]);
    const batches: Uint8Array[] = [];
    let sizeBytes = 0;
    let nextOffset = offset;
    let refsSeen = 0;
    for (const [i, piece] of pieces.entries()) {
      const room = batches.length === 0 ? maxBytes : maxBytes - sizeBytes;
      if (room <= 0) break;
      const blob = piece.kind === "ref" ? blobs[refsSeen++] : undefined;
      const part = piece.kind === "ref" ? blob && assemble(blob, piece, offset, room) : parts[i];
      if (part === undefined) {
        if (batches.length > 0) break;
        return undefined;
      }
      if (batches.length > 0 && part.bytes.byteLength > room) break;
      if (part.bytes.byteLength > 0) batches.push(part.bytes);
      sizeBytes += part.bytes.byteLength;
      nextOffset = part.nextOffset;
      if (nextOffset < piece.end) break;
    }
    return { batches, sizeBytes, nextOffset };
  }
}

/** The offset up to which a reader may read. */
export function readableEnd(head: Head, isolation: Isolation | undefined): number {
  return isolation === "read_committed" ? lastStableOffset(head) : head.next;
}

/** What a read answers where there is nothing (more) to read. */
export function nothingAt(offset: number, head: Head): ReadResult {
  return {
    batches: [],
    sizeBytes: 0,
    nextOffset: offset,
    logStartOffset: head.start,
    logEndOffset: head.next,
    lastStableOffset: lastStableOffset(head),
    aborted: [],
  };
}

/** Without the batches from `end` on, where one begins. */
function endingAt(
  { batches }: Pick<ReadResult, "batches">,
  end: number,
): Pick<ReadResult, "batches" | "sizeBytes" | "nextOffset"> {
  const kept: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const bytes of batches) {
    let to = 0;
    for (const batch of batchHeaders(bytes)) {
      if (batch.baseOffset >= end) break;
      to = batch.at + batch.sizeBytes;
    }
    if (to > 0) kept.push(bytes.subarray(0, to));
    sizeBytes += to;
    if (to < bytes.byteLength) break;
  }
  return { batches: kept, sizeBytes, nextOffset: end };
}

function outOfRange(topic: Topic, partition: number, offset: number, head: Head): BrokerlessError {
  return new BrokerlessError(
    "offset_out_of_range",
    `topic "${topic.name}" partition ${partition} has offsets ${head.start} to ${head.next}; ${offset} asked for`,
    { field: "offset", details: { logStartOffset: head.start, logEndOffset: head.next } },
  );
}
