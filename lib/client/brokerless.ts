/** The client: one for each server, from which producers, readers and the admin calls are made. */

import { portableCodecs } from "../kafka/codecs/portable.ts";
import type { Codecs } from "../kafka/index.ts";
import { Admin } from "./admin.ts";
import { Connection } from "./connection.ts";
import { Consumer } from "./consumer/consumer.ts";
import type { ConsumerOptions } from "./consumer/types.ts";
import { GroupAdmin } from "./group-admin.ts";
import { createHttp, type Fetch, type HttpOptions } from "./http.ts";
import { wholeNumber } from "./options.ts";
import { Producer } from "./producer/producer.ts";
import { appendBatches } from "./producer/send.ts";
import type { Appended, ProducerOptions } from "./producer/types.ts";
import { QueueAdmin } from "./queue/admin.ts";
import { Queue } from "./queue/queue.ts";
import type { QueueOptions } from "./queue/types.ts";
import { Reader } from "./reader/reader.ts";
import type { ReaderOptions } from "./reader/types.ts";
import type { RetryOptions } from "./retry.ts";
import { runTransaction, type Transaction, type TransactionOptions, type Written } from "./transaction.ts";

export interface BrokerlessOptions extends HttpOptions {
  /** For compressed batches. Default: those that run anywhere; in Node take `nodeCodecs`, which are all of them and faster. */
  readonly codecs?: Codecs | undefined;
  /** What reads segments straight from a bucket, by URLs that carry their own right. Default: the global `fetch`. */
  readonly storageFetch?: Fetch | undefined;
  /** Pauses between attempts of producers and readers. */
  readonly retry?: RetryOptions | undefined;
}

export class Brokerless {
  readonly admin: Admin;
  readonly groups: GroupAdmin;
  readonly queues: QueueAdmin;
  readonly #connection: Connection;

  /** Connects to nothing yet. Throws `invalid_request` for options that cannot be. */
  constructor(options: BrokerlessOptions) {
    const { codecs = portableCodecs, retry = {} } = options;
    wholeNumber("requestTimeoutMs", options.requestTimeoutMs, 30_000, 1, 2 ** 31 - 1);
    const minMs = wholeNumber("retry.minMs", retry.minMs, 100, 0, 3_600_000);
    wholeNumber("retry.maxMs", retry.maxMs, Math.max(minMs, 1000), minMs, 3_600_000);
    const storageFetch: Fetch = options.storageFetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#connection = new Connection(createHttp(options), codecs, retry, storageFetch);
    this.admin = new Admin(this.#connection);
    this.groups = new GroupAdmin(this.#connection);
    this.queues = new QueueAdmin(this.#connection);
  }

  /** Writes records. Close it when done: what waits is sent then. */
  producer(options: ProducerOptions = {}): Producer {
    return new Producer(this.#connection, options);
  }

  /**
   * Writes record batches (magic 2) as they are, in one attempt: for tools that make their own. With a producer id in them
   * (`admin.allocateProducerId`), the same bytes can be sent again without being written twice.
   */
  append(topic: string, partition: number, batches: Uint8Array): Promise<Appended> {
    return appendBatches(this.#connection.http, topic, partition, batches, "all");
  }

  /** Reads topics as a member of a consumer group: `for await (const batch of consumer)`. */
  consumer(options: ConsumerOptions): Consumer {
    return new Consumer(this.#connection, options);
  }

  /** Takes messages of topics to work on: `for await (const job of queue)`, each with one worker at a time. */
  queue(options: QueueOptions): Queue {
    return new Queue(this.#connection, this.queues, options);
  }

  /**
   * Records and committed offsets, all or nothing: `run` fills the transaction, which is sent when it returns, and again under
   * one `Idempotency-Key` until its outcome is known. Where `run` throws nothing is written. Answers where the records are.
   * Throws `invalid_request` beyond the limits (90 partitions, 100 items, a request's size), and what a commit throws:
   * `stale_member_epoch` where a partition was given to another member meanwhile.
   */
  transaction(run: (tx: Transaction) => void | Promise<void>, options: TransactionOptions = {}): Promise<Written[]> {
    return runTransaction(this.#connection, run, options);
  }

  /** Reads records of one topic, from the earliest on where nothing else is said. */
  reader(options: ReaderOptions): Reader {
    return new Reader(this.#connection, options);
  }
}
