/**
 * Reads one partition: request after request, each from the offset after the last whole batch that arrived, so that a
 * connection that breaks anywhere costs neither a record nor a repetition.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { crcMatches, readBatchHeader } from "../../kafka/index.ts";
import type { Connection } from "../connection.ts";
import { Deadline } from "../deadline.ts";
import { RECORD_BATCH_TYPE } from "../media-type.ts";
import { askOffset, type Isolation } from "../offsets.ts";
import { sleep } from "../retry.ts";
import { BatchCutter } from "./cut.ts";
import { Patience } from "./patience.ts";
import { RecordsBatch } from "./records-batch.ts";
import { listSegments, readSegments, type Segment, type SegmentList } from "./segments.ts";
import type { Slots } from "./slots.ts";
import type { ReadFrom } from "./types.ts";

export interface PartitionSettings {
  readonly connection: Connection;
  readonly topic: string;
  readonly partition: number;
  readonly from: ReadFrom;
  readonly until: number | undefined;
  readonly follow: boolean;
  readonly maxBytes: number;
  readonly waitMs: number;
  readonly retryTimeoutMs: number;
  readonly autoOffsetReset: "none" | "earliest" | "latest";
  readonly isolation: Isolation;
  /** For reading segments straight from the storage; undefined where that is not wanted. */
  readonly slots: Slots | undefined;
  readonly signal: AbortSignal;
  /** Called where the next offset was found without a batch: what is before it was compacted away, aborted, or is a marker. */
  readonly onSkip?: ((offset: number) => void) | undefined;
}

/** So far behind at least, a manifest is worth its request. */
const BULK_LEAST_OFFSETS = 1000;
/** Records get into segments about once a minute. */
const NO_SEGMENTS_MS = 60_000;
/** After so many failures in a row everything is read through the server. */
const BULK_MOST_FAILURES = 3;

/** Between two requests that bring nothing. */
const LEAST_WAIT_MS = 50;
/** Past the longest wait that was asked for, so long a connection may be silent. */
const SILENCE_MS = 30_000;

export class PartitionReader {
  readonly #settings: PartitionSettings;
  readonly #patience: Patience;
  readonly partition: number;
  /** The offset to read next; undefined until `from` is resolved. */
  position: number | undefined;
  /** Where the reading ends, where it ends. */
  #end: number | undefined;
  #logEndOffset = -1;
  #bulkFailures = 0;
  /** Before it, no manifest is asked for; on `performance.now`. */
  #askSegmentsAtMs = 0;

  constructor(settings: PartitionSettings) {
    this.#settings = settings;
    this.partition = settings.partition;
    this.#patience = new Patience(settings.retryTimeoutMs, settings.connection.retry, settings.signal);
  }

  /** Finds where to begin, and where to end. Called once, before `batches`. */
  async begin(): Promise<void> {
    const { connection, topic, partition, from, until, follow, isolation, signal } = this.#settings;
    const ask = async (spec: Exclude<ReadFrom, number>): Promise<number> => {
      for (;;) {
        try {
          return (await askOffset(connection, topic, partition, spec, signal, isolation)).offset;
        } catch (error) {
          if (signal.aborted) return 0;
          await this.#patience.afterFailure(error);
        }
      }
    };
    // The end first: then records that come meanwhile are beyond it, and `latest` is never behind it.
    if (!follow || from === "latest") this.#logEndOffset = await ask("latest");
    this.#end = follow ? until : Math.min(until ?? Infinity, this.#logEndOffset);
    if (typeof from === "number") this.position = from;
    else if (from === "latest") this.position = this.#logEndOffset;
    else {
      const found = await ask(from);
      // No record is so young: begin with the next one.
      this.position = found >= 0 ? found : (this.#end ?? (await ask("latest")));
    }
  }

  /** Batches in order, until the end or the signal. */
  async *batches(): AsyncGenerator<RecordsBatch, void, void> {
    const { signal } = this.#settings;
    // From beyond the log's end nothing is read, and it must be told.
    while (!signal.aborted && (!this.#isDone() || this.#position() > this.#logEndOffset)) {
      try {
        const segments = await this.#segments();
        if (segments !== undefined) {
          yield* this.#batchesIn(segments);
          continue;
        }
        const position = this.#position();
        const askedAtMs = performance.now();
        const response = await this.#request();
        if (response === undefined) continue;
        yield* this.#batchesOf(response);
        this.#patience.answered();
        // Someone who does not wait at the end (a server that stops, a cache in between) is not asked without a pause.
        if (this.#position() === position) await sleep(LEAST_WAIT_MS - (performance.now() - askedAtMs), signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#patience.afterFailure(error);
      }
    }
  }

  #isDone(): boolean {
    return this.#end !== undefined && this.#position() >= this.#end;
  }

  #position(): number {
    return this.position as number;
  }

  /** Where the next records are, to be read straight from there; undefined where they are to be read through the server. */
  async #segments(): Promise<SegmentList | undefined> {
    const { connection, topic, partition, isolation, slots, signal } = this.#settings;
    // A manifest ends where the first open transaction begins.
    if (
      slots === undefined ||
      isolation === "read_uncommitted" ||
      !connection.hasManifests ||
      this.#bulkFailures >= BULK_MOST_FAILURES
    )
      return undefined;
    if (this.#logEndOffset - this.#position() < BULK_LEAST_OFFSETS || performance.now() < this.#askSegmentsAtMs) return undefined;
    try {
      const list = await listSegments(connection, topic, partition, this.#position(), signal);
      if (list === undefined) connection.hasManifests = false;
      else if (list.segments.length > 0) return list;
    } catch (error) {
      if (error instanceof BrokerlessError && error.code === "offset_out_of_range") return this.#reset(error);
      this.#bulkFailures++;
      throw error;
    }
    this.#askSegmentsAtMs = performance.now() + NO_SEGMENTS_MS;
    return undefined;
  }

  /** The batches of segments, each checked. What was handed on stays; after an error the caller asks where the rest is by now. */
  async *#batchesIn({ segments, isAborted }: SegmentList): AsyncGenerator<RecordsBatch, void, void> {
    const { connection, signal } = this.#settings;
    const wanted = segments.filter(({ baseOffset }) => baseOffset < (this.#end ?? Infinity));
    let cutter = new BatchCutter();
    try {
      for await (const { segment, bytes, isLast } of readSegments(
        wanted,
        connection.storageFetch,
        this.#settings.slots as Slots,
        signal,
      )) {
        for (const one of cutter.push(bytes)) {
          const batch = this.#checked(one, segment);
          // Through the server neither markers nor what was aborted would come.
          if (batch === undefined || batch.header.isControl || isAborted(batch.header)) continue;
          this.#patience.answered();
          yield batch;
          if (this.#isDone() || signal.aborted) return;
        }
        if (!isLast) continue;
        if (cutter.heldBytes > 0)
          throw this.#corrupt(`the segment at offset ${segment.baseOffset} ends in the middle of a batch`);
        cutter = new BatchCutter();
        // Compacted or not, its last batch ends where it does.
        if (this.#position() < segment.nextOffset)
          throw this.#corrupt(`the segment at offset ${segment.baseOffset} ends before offset ${segment.nextOffset}`);
        this.#bulkFailures = 0;
      }
    } catch (error) {
      this.#bulkFailures++;
      if (!(error instanceof BrokerlessError && error.code === "corrupt_record")) throw error;
      // Perhaps it is not the segment that it should be: the server has the last word.
      this.#bulkFailures = BULK_MOST_FAILURES;
      throw new BrokerlessError("unavailable", error.message, { cause: error });
    }
  }

  /** Undefined where the offset was out of range and another one was chosen. */
  async #request(): Promise<Response | undefined> {
    const { connection, topic, partition, follow, isolation, maxBytes, waitMs, signal } = this.#settings;
    const isBehind = this.#position() < this.#logEndOffset;
    const limit = new Deadline(waitMs + SILENCE_MS, signal);
    try {
      return await connection.http.open({
        method: "GET",
        path: ["topics", topic, "partitions", partition, "records"],
        // Far behind, one answer holds everything up to the end; at the end, the request waits there.
        query: isBehind
          ? { offset: this.#position(), isolation, stream: true }
          : { offset: this.#position(), isolation, max_bytes: maxBytes, timeout: follow ? waitMs : 0 },
        // What batches hold is compressed already or not to be; browsers do not let the second header through.
        headers: { accept: RECORD_BATCH_TYPE, "accept-encoding": "identity" },
        signal: limit.signal,
      });
    } catch (error) {
      if (error instanceof BrokerlessError && error.code === "offset_out_of_range") return this.#reset(error);
      throw error;
    } finally {
      limit.clear();
    }
  }

  /** Goes where the reader was told to go when its offset is not in the log. */
  async #reset(error: BrokerlessError): Promise<undefined> {
    const { connection, topic, partition, autoOffsetReset, isolation, signal } = this.#settings;
    if (autoOffsetReset === "none") throw error;
    this.position = (await askOffset(connection, topic, partition, autoOffsetReset, signal, isolation)).offset;
    this.#logEndOffset = Math.max(this.#logEndOffset, this.position);
    return undefined;
  }

  /** What arrives whole is handed on, also of a body that breaks; then the error is thrown. */
  async *#batchesOf(response: Response): AsyncGenerator<RecordsBatch, void, void> {
    const start = this.#position();
    this.#logEndOffset = offsetHeader(response.headers, "kafka-log-end-offset") ?? this.#logEndOffset;
    const body = response.body?.getReader();
    const cutter = new BatchCutter();
    try {
      for (;;) {
        const piece = body === undefined ? undefined : await this.#piece(body);
        if (piece === undefined) break;
        for (const bytes of cutter.push(piece)) {
          const batch = this.#checked(bytes);
          if (batch === undefined) continue;
          this.#patience.answered();
          yield batch;
          if (this.#isDone()) return;
        }
      }
    } finally {
      await body?.cancel().catch(() => {});
    }
    if (cutter.heldBytes > 0) throw this.#cut("it ended in the middle of a record batch");
    if (this.#position() > start) return;
    const next = offsetHeader(response.headers, "kafka-next-offset");
    // A compacted log may end in a gap, a transaction in a marker.
    if (next !== undefined && next > start) {
      this.position = next;
      this.#settings.onSkip?.(next);
    } else if (start < this.#logEndOffset)
      throw this.#cut(`nothing came from offset ${start}, and the log ends at ${this.#logEndOffset}`);
  }

  /** Moves the position past the batch; undefined for one that is behind it. Throws `corrupt_record`. */
  #checked(bytes: Uint8Array, within?: Segment): RecordsBatch | undefined {
    const { connection, topic, partition } = this.#settings;
    const header = readBatchHeader(bytes, 0);
    const { baseOffset, lastOffsetDelta } = header;
    if (!crcMatches(bytes, 0)) throw this.#corrupt(`the record batch at offset ${baseOffset} does not match its CRC`);
    if (within !== undefined && (baseOffset < within.baseOffset || baseOffset + lastOffsetDelta >= within.nextOffset))
      throw this.#corrupt(`the segment at offset ${within.baseOffset} holds a record batch of offset ${baseOffset}`);
    const place = {
      topic,
      partition,
      firstOffset: this.#position(),
      endOffset: this.#end ?? Infinity,
      logEndOffset: this.#logEndOffset,
    };
    const batch = new RecordsBatch(place, bytes, header, connection.codecs);
    if (batch.nextOffset <= this.#position()) return undefined;
    this.position = batch.nextOffset;
    return batch;
  }

  async #piece(body: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
    const { signal, waitMs } = this.#settings;
    let giveUp!: (reason: Error) => void;
    const silence = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    const timer = setTimeout(() => giveUp(this.#cut("it fell silent")), waitMs + SILENCE_MS);
    const aborted = (): void => giveUp(this.#cut("the reading ended"));
    signal.addEventListener("abort", aborted);
    try {
      return (await Promise.race([body.read(), silence])).value;
    } catch (cause) {
      throw cause instanceof BrokerlessError ? cause : this.#cut(cause instanceof Error ? cause.message : String(cause), cause);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
    }
  }

  #corrupt(what: string): BrokerlessError {
    const { topic, partition } = this.#settings;
    return new BrokerlessError("corrupt_record", `${topic}[${partition}]: ${what}`);
  }

  #cut(why: string, cause?: unknown): BrokerlessError {
    const { baseUrl } = this.#settings.connection.http;
    return new BrokerlessError("unavailable", `${baseUrl} did not send the whole answer: ${why}`, {
      details: { unreachable: true },
      cause,
    });
  }
}

/** A header that is an offset. */
function offsetHeader(headers: Headers, name: string): number | undefined {
  const text = headers.get(name);
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
