/**
 * Reading: from the tail, the head and then the blobs, two trips; from before it, the runs too, three trips at any
 * size of the log.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Clock, Doorbell, Storage } from "../../ports/index.ts";
import { decodeHead, type Head, headKey, partitionKey, partitionName } from "../items/head.ts";
import { runRange } from "../items/run.ts";
import { storageStep } from "../storage-errors.ts";
import { unknownTopic } from "../topics.ts";
import type { ReadResult, Topic } from "../types.ts";
import { assemble } from "./assemble.ts";
import { joinTail, type LocatedRef, refsOfRuns, refsOfTail, select } from "./locate.ts";

/** How often a read looks again when the index moves under it. */
const LOOKS = 8;
/** Runs asked for in one query. */
const RUNS_MOST = 64;

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

  /** Reads at once what there is; throws `offset_out_of_range`, `unknown_topic`, `unavailable`. */
  async read(topic: Topic, partition: number, offset: number, maxBytes: number): Promise<ReadResult> {
    for (let look = 0; look < LOOKS; look++) {
      const head = await this.head(topic.id, partition);
      if (head === undefined) throw unknownTopic(topic.name);
      if (offset < head.start || offset > head.next) throw outOfRange(topic, partition, offset, head);
      if (offset === head.next)
        return { batches: [], sizeBytes: 0, nextOffset: offset, logStartOffset: head.start, logEndOffset: head.next };
      const located = await this.#locate(topic, partition, head, offset, maxBytes);
      const found = located && (await this.#fetch(located, offset, maxBytes));
      if (found !== undefined) return { ...found, logStartOffset: head.start, logEndOffset: head.next };
      if (look > 0) await this.#parts.clock.sleep(2 ** look);
    }
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
    maxBytes: number,
    maxWaitMs: number,
    signal?: AbortSignal,
  ): Promise<ReadResult> {
    const first = await this.read(topic, partition, offset, maxBytes);
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
        last = await this.read(topic, partition, offset, maxBytes);
        if (last.sizeBytes > 0) return last;
        await rung;
      } finally {
        stop.abort();
      }
    }
    return signal?.aborted === true ? last : this.read(topic, partition, offset, maxBytes);
  }

  /** Every ref from the one that holds `offset` to the end, in order; for searches by time. */
  async allRefs(topic: Topic, partition: number, offset: number, head: Head): Promise<LocatedRef[] | undefined> {
    if (offset >= head.tailBase) return refsOfTail(head);
    const items = await storageStep("read the index", () =>
      this.#parts.storage.table.range(partitionKey(topic.id, partition), runRange(offset)),
    );
    const located = joinTail(refsOfRuns(items), head);
    const first = located[0];
    const last = located.at(-1);
    const whole =
      first !== undefined && last !== undefined && first.base <= offset && last.base + last.ref.recordCount >= head.next;
    return whole ? located : undefined;
  }

  /** The whole bytes of one ref, with their offsets; undefined when the blob is gone. */
  async bytesOf(located: LocatedRef): Promise<Uint8Array | undefined> {
    return (await this.#fetch([located], located.base, Number.POSITIVE_INFINITY))?.batches[0];
  }

  async #locate(
    topic: Topic,
    partition: number,
    head: Head,
    offset: number,
    maxBytes: number,
  ): Promise<LocatedRef[] | undefined> {
    if (offset >= head.tailBase) return select(refsOfTail(head), offset, maxBytes);
    const limit = Math.max(2, Math.min(RUNS_MOST, Math.ceil(maxBytes / 65_536)));
    const items = await storageStep("read the index", () =>
      this.#parts.storage.table.range(partitionKey(topic.id, partition), { ...runRange(offset), limit }),
    );
    return select(joinTail(refsOfRuns(items), head), offset, maxBytes);
  }

  async #fetch(
    located: readonly LocatedRef[],
    offset: number,
    maxBytes: number,
  ): Promise<Pick<ReadResult, "batches" | "sizeBytes" | "nextOffset"> | undefined> {
    const blobs = await storageStep("read records", () =>
      this.#parts.storage.blobs.read(
        located.map(({ ref }) => ({
          id: ref.blobId,
          place: ref.place,
          from: ref.positionBytes,
          to: ref.positionBytes + ref.sizeBytes,
        })),
      ),
    );
    const batches: Uint8Array[] = [];
    let sizeBytes = 0;
    let nextOffset = offset;
    for (const [i, one] of located.entries()) {
      const blob = blobs[i];
      if (blob === undefined) {
        if (batches.length > 0) break;
        return undefined;
      }
      const room = batches.length === 0 ? maxBytes : maxBytes - sizeBytes;
      if (room <= 0) break;
      const part = assemble(blob, one, offset, room);
      const cut = part.nextOffset < one.base + one.ref.recordCount;
      if (batches.length > 0 && part.bytes.byteLength > room) break;
      if (part.bytes.byteLength > 0) batches.push(part.bytes);
      sizeBytes += part.bytes.byteLength;
      nextOffset = part.nextOffset;
      if (cut) break;
    }
    return { batches, sizeBytes, nextOffset };
  }
}

function outOfRange(topic: Topic, partition: number, offset: number, head: Head): BrokerlessError {
  return new BrokerlessError(
    "offset_out_of_range",
    `topic "${topic.name}" partition ${partition} has offsets ${head.start} to ${head.next}; ${offset} asked for`,
    { field: "offset", details: { logStartOffset: head.start, logEndOffset: head.next } },
  );
}
