/** How many partitions topics have, as far as known, and the records that wait to learn it. */
import type { BrokerlessError } from "../../base/errors.ts";
import { pauseMs, type RetryOptions, sleep } from "../retry.ts";
import type { PendingRecord } from "./types.ts";

/** So old a number may be: a topic that grew is noticed after it (Kafka's metadata.max.age.ms). */
const MAX_AGE_MS = 300_000;

interface Entry {
  partitionCount: number | undefined;
  askedAtMs: number;
  asking: Promise<void> | undefined;
  waiting: PendingRecord[];
}

export interface DirectorySettings {
  readonly deliveryTimeoutMs: number;
  readonly retry: RetryOptions;
  ask(topic: string): Promise<number>;
  /** A record goes on: the number of partitions is known. */
  found(record: PendingRecord, partitionCount: number): void;
  /** A record goes no further. */
  lost(record: PendingRecord, error: BrokerlessError): void;
}

export class Directory {
  readonly #entries = new Map<string, Entry>();
  readonly #settings: DirectorySettings;

  constructor(settings: DirectorySettings) {
    this.#settings = settings;
  }

  /** Hands the record on, at once where the number is known. Records of a topic keep their order. */
  pass(record: PendingRecord): void {
    const entry = this.#entry(record.topic);
    if (entry.asking === undefined && Date.now() - entry.askedAtMs > MAX_AGE_MS) {
      entry.askedAtMs = Date.now();
      entry.asking = this.#ask(record.topic, entry).finally(() => {
        entry.asking = undefined;
      });
    }
    if (entry.partitionCount === undefined) entry.waiting.push(record);
    else this.#settings.found(record, entry.partitionCount);
  }

  /** What was known of the topic proved wrong: asks again before the next record. */
  forget(topic: string): void {
    const entry = this.#entries.get(topic);
    if (entry !== undefined && entry.asking === undefined) this.#entries.delete(topic);
  }

  /** Resolves when no record waits. */
  async settled(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => entry.asking));
  }

  #entry(topic: string): Entry {
    let entry = this.#entries.get(topic);
    if (entry === undefined) {
      entry = { partitionCount: undefined, askedAtMs: -Infinity, asking: undefined, waiting: [] };
      this.#entries.set(topic, entry);
    }
    return entry;
  }

  async #ask(topic: string, entry: Entry): Promise<void> {
    const { deliveryTimeoutMs, retry } = this.#settings;
    for (let attempt = 0; ; attempt++) {
      try {
        entry.partitionCount = await this.#settings.ask(topic);
        break;
      } catch (cause) {
        const error = cause as BrokerlessError;
        const mayComeBack = error.retriable && Date.now() - entry.askedAtMs < deliveryTimeoutMs;
        // A number that is merely old is better than none while the server is away.
        if (error.retriable && entry.partitionCount !== undefined) return;
        if (!mayComeBack) {
          this.#entries.delete(topic);
          for (const record of entry.waiting) this.#settings.lost(record, error);
          return;
        }
        await sleep(pauseMs(attempt, error, retry, Math.random()));
      }
    }
    const waiting = entry.waiting;
    entry.waiting = [];
    for (const record of waiting) this.#settings.found(record, entry.partitionCount);
  }
}
