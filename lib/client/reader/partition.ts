/**
 * Reads one partition: request after request, each from the offset after the last whole batch that arrived, so that a
 * connection that breaks anywhere costs neither a record nor a repetition.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { crcMatches, readBatchHeader } from "../../kafka/index.ts";
import type { Connection } from "../connection.ts";
import { Deadline } from "../deadline.ts";
import { RECORD_BATCH_TYPE } from "../media-type.ts";
import { askOffset } from "../offsets.ts";
import { sleep } from "../retry.ts";
import { BatchCutter } from "./cut.ts";
import { Patience } from "./patience.ts";
import { RecordsBatch } from "./records-batch.ts";
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
  readonly signal: AbortSignal;
}

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

  constructor(settings: PartitionSettings) {
    this.#settings = settings;
    this.partition = settings.partition;
    this.#patience = new Patience(settings.retryTimeoutMs, settings.connection.retry, settings.signal);
  }

  /** Finds where to begin, and where to end. Called once, before `batches`. */
  async begin(): Promise<void> {
    const { connection, topic, partition, from, until, follow, signal } = this.#settings;
    const ask = async (spec: Exclude<ReadFrom, number>): Promise<number> => {
      for (;;) {
        try {
          return (await askOffset(connection, topic, partition, spec, signal)).offset;
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

  /** Undefined where the offset was out of range and another one was chosen. */
  async #request(): Promise<Response | undefined> {
    const { connection, topic, partition, follow, maxBytes, waitMs, signal } = this.#settings;
    const isBehind = this.#position() < this.#logEndOffset;
    const limit = new Deadline(waitMs + SILENCE_MS, signal);
    try {
      return await connection.http.open({
        method: "GET",
        path: ["topics", topic, "partitions", partition, "records"],
        // Far behind, one answer holds everything up to the end; at the end, the request waits there.
        query: isBehind
          ? { offset: this.#position(), stream: true }
          : { offset: this.#position(), max_bytes: maxBytes, timeout: follow ? waitMs : 0 },
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
    const { connection, topic, partition, autoOffsetReset, signal } = this.#settings;
    if (autoOffsetReset === "none") throw error;
    this.position = (await askOffset(connection, topic, partition, autoOffsetReset, signal)).offset;
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
    // A compacted log may end in a gap.
    if (next !== undefined && next > start) this.position = next;
    else if (start < this.#logEndOffset)
      throw this.#cut(`nothing came from offset ${start}, and the log ends at ${this.#logEndOffset}`);
  }

  /** Moves the position past the batch; undefined for one that is behind it. Throws `corrupt_record`. */
  #checked(bytes: Uint8Array): RecordsBatch | undefined {
    const { connection, topic, partition } = this.#settings;
    const header = readBatchHeader(bytes, 0);
    if (!crcMatches(bytes, 0)) {
      throw new BrokerlessError(
        "corrupt_record",
        `the record batch at offset ${header.baseOffset} of ${topic}[${partition}] does not match its CRC`,
      );
    }
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
