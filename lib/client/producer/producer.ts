/** The producer: takes records, gives each to the lane of its partition, and answers for each. */
import { BrokerlessError } from "../../base/errors.ts";
import { defaultPartitioner, type Partitioner } from "../../kafka/index.ts";
import type { Connection } from "../connection.ts";
import { Fifo } from "../fifo.ts";
import { invalid, oneOf, wholeNumber } from "../options.ts";
import { Directory } from "./directory.ts";
import { Lane, type LaneSettings, type ProducerIdentity } from "./lane.ts";
import { pendingRecord } from "./record.ts";
import { appendBatches } from "./send.ts";
import type { Completion, PendingRecord, ProducerOptions, ProducerRecord, RecordMetadata } from "./types.ts";

const MAX_BATCH_BYTES = 64 * 1024 * 1024;

/** What waits for room: a record, or someone who wants to know when it was their turn. */
type Waiting = PendingRecord | { readonly passed: () => void };

export class Producer {
  readonly #connection: Connection;
  readonly #settings: LaneSettings;
  readonly #partitioner: Partitioner;
  readonly #bufferBytes: number;
  readonly #directory: Directory;
  readonly #lanes = new Map<string, Map<number, Lane>>();
  readonly #waiting = new Fifo<Waiting>();
  #usedBytes = 0;
  #identity: Promise<ProducerIdentity> | undefined;
  #closing: Promise<void> | undefined;

  /** Made by `Brokerless.producer`. Throws `invalid_request` for options that cannot be. */
  constructor(connection: Connection, options: ProducerOptions) {
    const acks = oneOf("acks", options.acks, "all", [0, 1, "all"] as const);
    const idempotent = options.idempotent ?? acks !== 0;
    if (idempotent && acks === 0)
      throw invalid("idempotent", "needs acks 1 or all: with acks 0 nobody learns what was written", true);
    const compression = options.compression ?? "none";
    if (compression !== "none" && connection.codecs[compression] === undefined) {
      const known = ["none", ...Object.keys(connection.codecs)].join(", ");
      throw invalid("compression", `must be one that the client has a codec for (${known})`, compression);
    }
    this.#connection = connection;
    this.#bufferBytes = wholeNumber("bufferBytes", options.bufferBytes, 32 * 1024 * 1024, 1, 2 ** 40);
    const batchSizeBytes = wholeNumber("batchSizeBytes", options.batchSizeBytes, 512 * 1024, 1, MAX_BATCH_BYTES);
    this.#partitioner = options.partitioner ?? defaultPartitioner({ random: Math.random });
    this.#settings = {
      idempotent,
      lingerMs: wholeNumber("lingerMs", options.lingerMs, 0, 0, 60_000),
      batchSizeBytes,
      maxInFlight: wholeNumber("maxInFlight", options.maxInFlight, 1, 1, 5),
      deliveryTimeoutMs: wholeNumber("deliveryTimeoutMs", options.deliveryTimeoutMs, 120_000, 1, 2 ** 31 - 1),
      encoding: { compression, codecs: connection.codecs },
      retry: connection.retry,
      send: (batch) => appendBatches(connection.http, batch.topic, batch.partition, batch.bytes, acks),
      identify: (fresh) => this.#identify(fresh),
      settled: (batch, error) => {
        if (error?.code === "unknown_partition" || error?.code === "unknown_topic") this.#directory.forget(batch.topic);
        this.#release(batch.sizeBytes);
      },
    };
    this.#directory = new Directory({
      deliveryTimeoutMs: this.#settings.deliveryTimeoutMs,
      retry: connection.retry,
      ask: (topic) => connection.partitionCount(topic),
      found: (record, partitionCount) => this.#place(record, partitionCount),
      lost: (record, error) => this.#lose(record, error),
    });
  }

  /**
   * Resolves when the record is written. Records of one partition are written in the order of the calls. Rejects with a
   * `BrokerlessError`; its `outcome` says whether the record may have been written all the same.
   */
  send(record: ProducerRecord): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      this.#take(record, 0, Date.now(), {
        written: (pending, partition, offset, logAppendTimeMs) => resolve(metadata(pending, partition, offset, logAppendTimeMs)),
        failed: (_, error) => reject(error),
      });
    });
  }

  /**
   * Many records for the price of one promise: resolves with their places, in order, when all are written. Rejects, when
   * all are answered, with the error of the first that failed: `details.recordIndex` is its index and
   * `details.writtenCount` says how many were written. They are not all or none.
   */
  sendBatch(records: readonly ProducerRecord[]): Promise<RecordMetadata[]> {
    const places = new Array<RecordMetadata>(records.length);
    let open = records.length;
    let writtenCount = 0;
    let first: { readonly index: number; readonly error: Error } | undefined;
    return new Promise((resolve, reject) => {
      const answered = (): void => {
        if (--open > 0) return;
        if (first === undefined) resolve(places);
        else reject(batchError(first.error, first.index, records.length, writtenCount));
      };
      const completion: Completion = {
        written: (pending, partition, offset, logAppendTimeMs) => {
          places[pending.index] = metadata(pending, partition, offset, logAppendTimeMs);
          writtenCount++;
          answered();
        },
        failed: (index, error) => {
          if (first === undefined || index < first.index) first = { index, error };
          answered();
        },
      };
      if (records.length === 0) resolve(places);
      const nowMs = Date.now();
      for (let i = 0; i < records.length; i++) this.#take(records[i]!, i, nowMs, completion);
    });
  }

  /** Resolves when the buffer has room: await it before `send` to read a large input no faster than it is written. */
  ready(): Promise<void> {
    if (this.#waiting.size === 0 && this.#usedBytes < this.#bufferBytes) return Promise.resolve();
    return this.#passage();
  }

  /** Sends what waits for more; resolves when every record that was given before is answered. Never rejects. */
  async flush(): Promise<void> {
    this.#hurry();
    if (this.#waiting.size > 0) await this.#passage();
    await this.#directory.settled();
    await Promise.all(this.#allLanes().map((lane) => lane.flush()));
  }

  /** Takes no more records, and resolves when all that were given are answered. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.flush();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #take(given: ProducerRecord, index: number, nowMs: number, completion: Completion): void {
    let record: PendingRecord;
    try {
      if (this.#closing !== undefined) throw new BrokerlessError("invalid_request", "the producer is closed");
      record = pendingRecord(given, nowMs, completion, index);
    } catch (error) {
      completion.failed(index, error as Error);
      return;
    }
    if (this.#waiting.size === 0 && this.#hasRoom(record)) this.#admit(record);
    else {
      if (this.#waiting.size === 0) this.#hurry();
      this.#waiting.push(record);
    }
  }

  #hasRoom(record: PendingRecord): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + record.sizeBytes <= this.#bufferBytes;
  }

  #admit(record: PendingRecord): void {
    this.#usedBytes += record.sizeBytes;
    if (record.partition !== undefined) this.#lane(record.topic, record.partition).add(record);
    else this.#directory.pass(record);
  }

  #place(record: PendingRecord, partitionCount: number): void {
    let partition: number;
    try {
      partition = this.#partitioner(record, { partitionCount, sizeBytes: record.sizeBytes });
      if (!Number.isSafeInteger(partition) || partition < 0 || partition >= partitionCount) {
        throw invalid(
          "partitioner",
          `must choose a partition from 0 to ${partitionCount - 1} of topic "${record.topic}"`,
          partition,
        );
      }
    } catch (error) {
      this.#lose(record, error as Error);
      return;
    }
    this.#lane(record.topic, partition).add(record);
  }

  #lose({ completion, index, sizeBytes }: PendingRecord, error: Error): void {
    completion.failed(index, error);
    this.#release(sizeBytes);
  }

  #release(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    for (;;) {
      const next = this.#waiting.peek();
      if (next === undefined) return;
      if ("passed" in next) {
        if (this.#usedBytes >= this.#bufferBytes) return;
        this.#waiting.shift();
        next.passed();
        continue;
      }
      if (!this.#hasRoom(next)) return;
      this.#waiting.shift();
      this.#admit(next);
    }
  }

  /** Resolves when everything that waits for room by now has got it. */
  #passage(): Promise<void> {
    return new Promise((passed) => {
      this.#waiting.push({ passed });
    });
  }

  #lane(topic: string, partition: number): Lane {
    let lanes = this.#lanes.get(topic);
    if (lanes === undefined) {
      lanes = new Map();
      this.#lanes.set(topic, lanes);
    }
    let lane = lanes.get(partition);
    if (lane === undefined) {
      lane = new Lane(topic, partition, this.#settings);
      lanes.set(partition, lane);
    }
    return lane;
  }

  #allLanes(): Lane[] {
    return [...this.#lanes.values()].flatMap((lanes) => [...lanes.values()]);
  }

  #hurry(): void {
    for (const lane of this.#allLanes()) lane.hurry();
  }

  #identify(fresh: boolean): Promise<ProducerIdentity> {
    if (fresh) return this.#connection.allocateProducerId();
    this.#identity ??= this.#connection.allocateProducerId().catch((error) => {
      this.#identity = undefined;
      throw error;
    });
    return this.#identity;
  }
}

function metadata(
  { topic, timestampMs }: PendingRecord,
  partition: number,
  offset: number,
  logAppendTimeMs: number | undefined,
): RecordMetadata {
  return { topic, partition, offset, timestampMs: logAppendTimeMs ?? timestampMs };
}

function batchError(error: Error, recordIndex: number, records: number, writtenCount: number): BrokerlessError {
  const known = error instanceof BrokerlessError ? error : undefined;
  return new BrokerlessError(known?.code ?? "internal", `record ${recordIndex + 1} of ${records}: ${error.message}`, {
    outcome: known?.outcome ?? "unknown",
    details: { ...known?.details, recordIndex, writtenCount },
    cause: error,
    ...(known?.field === undefined ? {} : { field: `records[${recordIndex}].${known.field}` }),
  });
}
