/** The reader: partitions of a topic, fetched ahead, as one stream of batches or of records. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Connection } from "../connection.ts";
import { invalid, oneOf, wholeNumber } from "../options.ts";
import { Channel } from "./channel.ts";
import { PartitionReader, type PartitionSettings } from "./partition.ts";
import { Patience } from "./patience.ts";
import type { RecordsBatch } from "./records-batch.ts";
import { RANGE_BYTES } from "./segments.ts";
import { Slots } from "./slots.ts";
import type { ReaderOptions, ReadFrom, ReadRecord } from "./types.ts";

/** Ranges of segments that one reader fetches at once. */
const MOST_SLOTS = 16;

/**
 * Reads once, by `for await` over the reader (records) or over `batches()`. Records of a partition come in order, each
 * once; between partitions there is no order. Ends when the loop is left, at the end with `follow: false`, with
 * `close()` or by the signal.
 */
export class Reader implements AsyncIterable<ReadRecord> {
  readonly topic: string;
  readonly #connection: Connection;
  readonly #from: ReadFrom | ReadonlyMap<number, ReadFrom>;
  readonly #until: ReadonlyMap<number, number> | undefined;
  readonly #readAheadBytes: number;
  readonly #options: Pick<
    PartitionSettings,
    "follow" | "maxBytes" | "waitMs" | "retryTimeoutMs" | "autoOffsetReset" | "isolation" | "slots"
  >;
  readonly #partitions: readonly number[] | undefined;
  readonly #abort = new AbortController();
  readonly #positions = new Map<number, number>();
  #started = false;

  /** Made by `Brokerless.reader`. Throws `invalid_request` for options that cannot be. */
  constructor(connection: Connection, options: ReaderOptions) {
    const { topic, partitions, from = "earliest", signal } = options;
    if (typeof topic !== "string" || topic === "") throw invalid("topic", "must be the name of a topic", topic);
    this.topic = topic;
    this.#connection = connection;
    this.#partitions = typeof partitions === "number" ? [partitions] : partitions;
    for (const partition of this.#partitions ?? []) wholeNumber("partitions", partition, 0, 0, 2 ** 31 - 1);
    if (this.#partitions?.length === 0) throw invalid("partitions", "must name at least one", "[]");
    if (isMap(from)) for (const [partition, place] of from) checkFrom(`from[${partition}]`, place);
    else checkFrom("from", from);
    this.#from = from;
    this.#until = options.until;
    for (const [partition, offset] of this.#until ?? [])
      wholeNumber(`until[${partition}]`, offset, 0, 0, Number.MAX_SAFE_INTEGER);
    this.#readAheadBytes = wholeNumber("readAheadBytes", options.readAheadBytes, 16 * 1024 * 1024, 1, 2 ** 40);
    this.#options = {
      follow: options.follow ?? true,
      maxBytes: wholeNumber("maxBytes", options.maxBytes, 1024 * 1024, 1, 2 ** 31 - 1),
      autoOffsetReset: oneOf("autoOffsetReset", options.autoOffsetReset, "none", ["none", "earliest", "latest"]),
      isolation: oneOf("isolation", options.isolation, "read_committed", ["read_committed", "read_uncommitted"]),
      // Each range that is under way or not taken yet is held in memory.
      slots:
        options.bulk === false
          ? undefined
          : new Slots(Math.max(1, Math.min(MOST_SLOTS, Math.floor(this.#readAheadBytes / RANGE_BYTES)))),
      waitMs: wholeNumber("waitMs", options.waitMs, 20_000, 0, 25_000),
      retryTimeoutMs: wholeNumber("retryTimeoutMs", options.retryTimeoutMs, 120_000, 0, Number.MAX_SAFE_INTEGER),
    };
    if (signal?.aborted) this.#abort.abort();
    else signal?.addEventListener("abort", () => this.#abort.abort(), { once: true, signal: this.#abort.signal });
  }

  /** Record by record. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReadRecord, void, void> {
    for await (const batch of this.#read()) {
      for (const record of batch.records()) {
        this.#positions.set(record.partition, record.offset + 1);
        yield record;
      }
      this.#positions.set(batch.partition, batch.nextOffset);
    }
  }

  /** Batch by batch: much faster, and with the bytes as they are stored. */
  async *batches(): AsyncGenerator<RecordsBatch, void, void> {
    for await (const batch of this.#read()) {
      this.#positions.set(batch.partition, batch.nextOffset);
      yield batch;
    }
  }

  /**
   * The next offset of each partition: one after what was handed out. A reader that is made with it as `from` goes on
   * there. Empty before the first record, but for what `from` resolved to.
   */
  positions(): ReadonlyMap<number, number> {
    return new Map(this.#positions);
  }

  /** Ends the reading: the loop over the reader ends without an error. */
  close(): void {
    this.#abort.abort();
  }

  async *#read(): AsyncGenerator<RecordsBatch, void, void> {
    if (this.#started)
      throw new BrokerlessError("invalid_request", "a reader is read once: make another one from its positions()");
    this.#started = true;
    const readers = await this.#open();
    const channel = new Channel<RecordsBatch>(this.#readAheadBytes, readers.length);
    const stop = (): void => channel.stop();
    this.#abort.signal.addEventListener("abort", stop);
    if (this.#abort.signal.aborted) stop();
    for (const reader of readers) void pour(reader, channel);
    try {
      for (;;) {
        const batch = await channel.pull();
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      this.#abort.abort();
    }
  }

  /** A reader for each partition, all with their begin and end resolved before the first record is read. */
  async #open(): Promise<PartitionReader[]> {
    const from = this.#from;
    const signal = this.#abort.signal;
    const partitions = this.#partitions ?? (await this.#allPartitions());
    const readers = partitions.map((partition) => {
      const place = isMap(from) ? from.get(partition) : from;
      return new PartitionReader({
        connection: this.#connection,
        topic: this.topic,
        partition,
        ...this.#options,
        from: place ?? "earliest",
        until: this.#until?.get(partition),
        signal,
      });
    });
    await Promise.all(
      readers.map(async (reader) => {
        await reader.begin();
        if (reader.position !== undefined) this.#positions.set(reader.partition, reader.position);
      }),
    );
    return readers;
  }

  async #allPartitions(): Promise<number[]> {
    const patience = new Patience(this.#options.retryTimeoutMs, this.#connection.retry, this.#abort.signal);
    for (;;) {
      try {
        const count = await this.#connection.partitionCount(this.topic);
        return Array.from({ length: count }, (_, partition) => partition);
      } catch (error) {
        if (this.#abort.signal.aborted) return [];
        await patience.afterFailure(error);
      }
    }
  }
}

async function pour(reader: PartitionReader, channel: Channel<RecordsBatch>): Promise<void> {
  try {
    for await (const batch of reader.batches()) await channel.push(batch, batch.bytes.byteLength);
    channel.end();
  } catch (error) {
    channel.fail(error);
  }
}

function isMap(from: ReadFrom | ReadonlyMap<number, ReadFrom>): from is ReadonlyMap<number, ReadFrom> {
  return from instanceof Map;
}

function checkFrom(field: string, from: unknown): void {
  if (from === "earliest" || from === "latest") return;
  if (typeof from === "number") {
    wholeNumber(field, from, 0, 0, Number.MAX_SAFE_INTEGER);
    return;
  }
  const at = typeof from === "object" && from !== null && "timestampMs" in from ? from.timestampMs : undefined;
  if (typeof at === "number") {
    wholeNumber(`${field}.timestampMs`, at, 0, 0, Number.MAX_SAFE_INTEGER);
    return;
  }
  throw invalid(field, 'must be "earliest", "latest", an offset, or { timestampMs }', from);
}
