/**
 * Records and committed offsets that are written together or not at all: one request, sent again under the same
 * `Idempotency-Key` until its outcome is known.
 */
import { BrokerlessError } from "../base/errors.ts";
import type { Connection } from "./connection.ts";
import { strange } from "./connection.ts";
import type { Consumer } from "./consumer/consumer.ts";
import type { TopicPartition } from "./consumer/types.ts";
import { wholeNumber } from "./options.ts";
import { pendingRecord } from "./producer/record.ts";
import type { ProducerRecord } from "./producer/types.ts";
import { Patience } from "./reader/patience.ts";
import { RecordsBatch } from "./reader/records-batch.ts";

export interface TransactionOptions {
  /** How long to try again without an answer before the error is thrown. Default 30,000. */
  readonly retryTimeoutMs?: number | undefined;
  /** The same key and records again, from another process too, are written once within 24 hours. Default: a new one. */
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A partition and the next offset to be read of it. */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number;
}

/** Where the records of one partition were written. */
export interface Written extends TopicPartition {
  readonly baseOffset: number;
  readonly recordCount: number;
}

/** What the function of `Brokerless.transaction` fills. Nothing is sent before it returns. */
export class Transaction {
  readonly #records: object[] = [];
  #source: Consumer | string | undefined;
  readonly #offsets = new Map<string, OffsetToCommit>();

  /** Adds a record. Without a partition the server chooses it, by the key. Throws `invalid_request`. */
  send(record: ProducerRecord): void {
    const { topic, partition, key, value, headers, timestampMs } = pendingRecord(record, Date.now(), UNUSED, 0);
    this.#records.push({
      topic,
      ...(partition === undefined ? {} : { partition }),
      key: payload(key),
      value: payload(value),
      timestamp: timestampMs,
      ...(headers === undefined
        ? {}
        : { headers: headers.map((one) => ({ name: one.key, value: one.value && base64(one.value) })) }),
    });
  }

  /**
   * Commits with the records: the batches that a consumer was given, or offsets by name. `source`: the consumer that read
   * them, or the name of a group that has no members. One source a transaction. Throws `invalid_request`.
   */
  commit(source: Consumer | string, ...upTo: readonly (RecordsBatch | OffsetToCommit)[]): void {
    if (this.#source !== undefined && this.#source !== source) {
      throw new BrokerlessError("invalid_request", "a transaction commits offsets of one group: it has another one already");
    }
    this.#source = source;
    for (const one of upTo) {
      const { topic, partition } = one;
      const offset = wholeNumber(
        "offset",
        one instanceof RecordsBatch ? one.nextOffset : one.offset,
        0,
        0,
        Number.MAX_SAFE_INTEGER,
      );
      const known = this.#offsets.get(`${topic} ${partition}`);
      if (known === undefined || known.offset < offset) this.#offsets.set(`${topic} ${partition}`, { topic, partition, offset });
    }
  }

  /** Sends it. Called once, by `Brokerless.transaction`. */
  async finish(connection: Connection, options: TransactionOptions): Promise<Written[]> {
    const offsets = [...this.#offsets.values()];
    const source = this.#source;
    if (offsets.length === 0) return this.#records.length === 0 ? [] : this.#post(connection, options, {});
    if (source === undefined || typeof source === "string") {
      return this.#post(connection, options, { commit: { group: source, offsets } });
    }
    return source.committing(offsets, (cursor) =>
      this.#post(connection, options, { commit: { group: source.group, cursor, offsets } }),
    );
  }

  async #post(connection: Connection, options: TransactionOptions, more: object): Promise<Written[]> {
    const { idempotencyKey = crypto.randomUUID(), signal = new AbortController().signal } = options;
    const limitMs = wholeNumber("retryTimeoutMs", options.retryTimeoutMs, 30_000, 0, Number.MAX_SAFE_INTEGER);
    const patience = new Patience(limitMs, connection.retry, signal);
    const body = JSON.stringify({ records: this.#records, ...more });
    for (;;) {
      try {
        const answer = await connection.http.json({
          method: "POST",
          path: ["v1", "produce"],
          headers: { "Idempotency-Key": idempotencyKey },
          body,
          signal,
        });
        const { partitions } = (answer ?? {}) as { partitions?: readonly Record<string, unknown>[] };
        if (!Array.isArray(partitions)) throw strange(connection.http, "partitions");
        return partitions.map(({ topic, partition, base_offset, record_count }) => ({
          topic: topic as string,
          partition: partition as number,
          baseOffset: base_offset as number,
          recordCount: record_count as number,
        }));
      } catch (error) {
        if (signal.aborted) throw error;
        await patience.afterFailure(error);
      }
    }
  }
}

/** A record of a transaction is answered with all others. */
const UNUSED = { resolve() {}, reject() {} } as never;

function payload(bytes: Uint8Array | null): object | null {
  return bytes === null ? null : { type: "BINARY", data: base64(bytes) };
}

const CHUNK = 0x8000;

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.byteLength; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

/** Throws what `run` throws, and nothing is written then. */
export async function runTransaction(
  connection: Connection,
  run: (tx: Transaction) => void | Promise<void>,
  options: TransactionOptions,
): Promise<Written[]> {
  const tx = new Transaction();
  await run(tx);
  return tx.finish(connection, options);
}
