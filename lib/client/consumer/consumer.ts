/**
 * A member of a consumer group: reads the partitions that the group gives it, batch by batch, and commits what the loop has
 * come past.
 *
 * A batch counts as processed when the loop asks for the next one. Partitions that are taken away are committed up to there
 * first; what was fetched of them and not handed out yet is dropped. The batch in hand may be read again by the next owner: at
 * least once.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Connection } from "../connection.ts";
import type { Isolation } from "../offsets.ts";
import { invalid, oneOf, wholeNumber } from "../options.ts";
import { Channel } from "../reader/channel.ts";
import { PartitionReader } from "../reader/partition.ts";
import { Patience } from "../reader/patience.ts";
import type { RecordsBatch } from "../reader/records-batch.ts";
import { sleep } from "../retry.ts";
import { type Assigned, Member } from "./membership.ts";
import type { ConsumerOptions, TopicPartition } from "./types.ts";

/** A partition while it is this member's. */
interface Owned extends TopicPartition {
  readonly stop: AbortController;
  /** One after what was processed. */
  processed: number;
  committed: number;
  paused: boolean;
}

interface Fetched {
  readonly owned: Owned;
  /** An offset: there is nothing before it. */
  readonly batch: RecordsBatch | number;
}

export class Consumer implements AsyncIterable<RecordsBatch> {
  readonly group: string;
  readonly #connection: Connection;
  readonly #member: Member;
  readonly #options: ConsumerOptions;
  readonly #reset: "earliest" | "latest" | "none";
  readonly #isolation: Isolation;
  readonly #commitIntervalMs: number;
  readonly #maxBytes: number;
  readonly #waitMs: number;
  readonly #retryTimeoutMs: number;
  readonly #channel: Channel<Fetched>;
  readonly #abort = new AbortController();
  readonly #owned = new Map<string, Owned>();
  #working: Promise<void> = Promise.resolve();
  #started = false;

  /** Made by `Brokerless.consumer`. Throws `invalid_request` for options that cannot be. */
  constructor(connection: Connection, options: ConsumerOptions) {
    const { group, topics, instanceId, signal } = options;
    if (typeof group !== "string" || group === "") throw invalid("group", "must be the name of a group", group);
    const names = typeof topics === "string" ? [topics] : [...topics];
    if (names.length === 0 || names.some((name) => name === ""))
      throw invalid("topics", "must name at least one topic", names.join());
    this.group = group;
    this.#connection = connection;
    this.#options = options;
    this.#reset = oneOf("autoOffsetReset", options.autoOffsetReset, "latest", ["earliest", "latest", "none"]);
    this.#isolation = oneOf("isolation", options.isolation, "read_committed", ["read_committed", "read_uncommitted"]);
    this.#commitIntervalMs = wholeNumber("commitIntervalMs", options.commitIntervalMs, 5000, 1, 3_600_000);
    this.#maxBytes = wholeNumber("maxBytes", options.maxBytes, 1024 * 1024, 1, 2 ** 31 - 1);
    this.#waitMs = wholeNumber("waitMs", options.waitMs, 20_000, 0, 25_000);
    this.#retryTimeoutMs = wholeNumber("retryTimeoutMs", options.retryTimeoutMs, 120_000, 0, Number.MAX_SAFE_INTEGER);
    this.#channel = new Channel(wholeNumber("readAheadBytes", options.readAheadBytes, 16 * 1024 * 1024, 1, 2 ** 40), 1);
    const joins = {
      topics: names,
      auto_offset_reset: this.#reset,
      ...(instanceId === undefined ? {} : { instance_id: instanceId }),
    };
    this.#member = new Member(connection, group, joins);
    if (signal?.aborted) this.#abort.abort();
    else signal?.addEventListener("abort", () => this.#abort.abort(), { once: true, signal: this.#abort.signal });
  }

  /** Read once. Leaving the loop, `close()` or the signal commits (where it is automatic) and leaves the group. */
  async *[Symbol.asyncIterator](): AsyncGenerator<RecordsBatch, void, void> {
    if (this.#started) throw new BrokerlessError("invalid_request", "a consumer is read once: make another one");
    this.#started = true;
    const stop = (): void => this.#channel.stop();
    this.#abort.signal.addEventListener("abort", stop);
    if (this.#abort.signal.aborted) stop();
    const living = this.#live();
    try {
      for (;;) {
        const next = await this.#channel.pull();
        if (next === undefined) break;
        const { owned, batch } = next;
        // Taken away, or gone back, since it was fetched.
        if (this.#owned.get(nameOf(owned)) !== owned || owned.stop.signal.aborted) continue;
        if (typeof batch === "number") {
          owned.processed = batch;
          continue;
        }
        yield batch;
        owned.processed = batch.nextOffset;
      }
    } finally {
      this.#abort.abort();
      await living.catch(() => {});
      await this.#end();
    }
    // What ended it, where it was an error.
    await living;
  }

  /** Commits what was processed, now. Offsets of partitions that are others' by now are left out. */
  commit(): Promise<void> {
    return this.#alone(() => this.#commitProcessed());
  }

  /**
   * For transactions: `run` commits these offsets by the cursor that it is given, and no heartbeat comes in between. Where it
   * succeeds they count as processed and committed.
   */
  committing<T>(
    offsets: readonly (TopicPartition & { readonly offset: number })[],
    run: (cursor: string) => Promise<T>,
  ): Promise<T> {
    return this.#alone(async () => {
      const cursor = this.#member.cursor;
      if (cursor === undefined)
        throw new BrokerlessError("invalid_request", "the consumer is not in its group: read from it first");
      const result = await run(cursor);
      for (const { topic, partition, offset } of offsets) {
        const owned = this.#owned.get(nameOf({ topic, partition }));
        if (owned === undefined) continue;
        owned.committed = offset;
        owned.processed = Math.max(owned.processed, offset);
      }
      return result;
    });
  }

  /** Reads this partition from another offset on. Throws `invalid_request` where the consumer does not have it. */
  seek(place: TopicPartition, offset: number): void {
    const owned = this.#mustOwn(place);
    wholeNumber("offset", offset, 0, 0, Number.MAX_SAFE_INTEGER);
    owned.stop.abort();
    this.#open({ topic: owned.topic, partition: owned.partition, offset }, owned.paused, owned.committed);
  }

  /** Hands out nothing more of these partitions until `resume`; they stay this member's. */
  pause(places: readonly TopicPartition[]): void {
    for (const place of places) {
      const owned = this.#mustOwn(place);
      if (owned.paused) continue;
      owned.stop.abort();
      this.#open({ topic: owned.topic, partition: owned.partition, offset: owned.processed }, true, owned.committed);
    }
  }

  resume(places: readonly TopicPartition[]): void {
    for (const place of places) {
      const owned = this.#mustOwn(place);
      if (!owned.paused) continue;
      this.#open({ topic: owned.topic, partition: owned.partition, offset: owned.processed }, false, owned.committed);
    }
  }

  assignment(): TopicPartition[] {
    return [...this.#owned.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** The next offset of each partition that it has: one after what was processed. */
  positions(): (TopicPartition & { readonly offset: number })[] {
    return [...this.#owned.values()].map(({ topic, partition, processed }) => ({ topic, partition, offset: processed }));
  }

  close(): void {
    this.#abort.abort();
  }

  /** Heartbeats and commits until the end. */
  async #live(): Promise<void> {
    const { signal } = this.#abort;
    const patience = new Patience(this.#retryTimeoutMs, this.#connection.retry, signal);
    let committedAtMs = performance.now();
    while (!signal.aborted) {
      let pauseMs = 0;
      try {
        await this.#alone(async () => {
          // Before the heartbeat: what it takes away is committed then.
          if (this.#commits) await this.#commitProcessed();
          committedAtMs = performance.now();
          const { assigned, heartbeatIntervalMs } = await this.#member.heartbeat(signal);
          this.#takeOver(assigned);
          pauseMs = Math.min(heartbeatIntervalMs, Math.max(0, this.#commitIntervalMs - (performance.now() - committedAtMs)));
        });
        patience.answered();
      } catch (error) {
        if (signal.aborted) return;
        try {
          await patience.afterFailure(error);
        } catch (last) {
          this.#channel.fail(last);
          throw last;
        }
        continue;
      }
      await sleep(pauseMs, signal);
    }
  }

  get #commits(): boolean {
    return this.#options.autoCommit ?? true;
  }

  #takeOver(assigned: readonly Assigned[]): void {
    const names = new Set(assigned.map(nameOf));
    let changed = false;
    for (const [name, owned] of this.#owned) {
      if (names.has(name)) continue;
      owned.stop.abort();
      this.#owned.delete(name);
      changed = true;
    }
    for (const one of assigned) {
      if (this.#owned.has(nameOf(one))) continue;
      this.#open(one, false, one.offset);
      changed = true;
    }
    if (changed) this.#options.onAssignment?.(this.assignment());
  }

  #open({ topic, partition, offset }: Assigned, paused: boolean, committed: number): void {
    const stop = new AbortController();
    const owned: Owned = { topic, partition, stop, processed: offset, committed, paused };
    this.#owned.set(nameOf(owned), owned);
    if (paused) return;
    const reader = new PartitionReader({
      connection: this.#connection,
      topic,
      partition,
      from: offset,
      until: undefined,
      follow: true,
      maxBytes: this.#maxBytes,
      waitMs: this.#waitMs,
      retryTimeoutMs: this.#retryTimeoutMs,
      autoOffsetReset: this.#reset,
      isolation: this.#isolation,
      slots: undefined,
      signal: AbortSignal.any([stop.signal, this.#abort.signal]),
      onSkip: (next) => void this.#channel.push({ owned, batch: next }, 0),
    });
    void this.#pour(reader, owned);
  }

  async #pour(reader: PartitionReader, owned: Owned): Promise<void> {
    try {
      await reader.begin();
      for await (const batch of reader.batches()) {
        if (owned.stop.signal.aborted) return;
        await this.#channel.push({ owned, batch }, batch.bytes.byteLength);
      }
    } catch (error) {
      // A topic that was deleted leaves the assignment with a later heartbeat.
      if (owned.stop.signal.aborted || (error instanceof BrokerlessError && error.code === "unknown_topic")) return;
      this.#channel.fail(error);
    }
  }

  async #commitProcessed(): Promise<void> {
    const due = [...this.#owned.values()].filter(({ processed, committed }) => processed !== committed);
    const offsets = due.map(({ topic, partition, processed }) => ({ topic, partition, offset: processed }));
    await this.#member.commit(offsets);
    for (const [i, owned] of due.entries()) owned.committed = (offsets[i] as Assigned).offset;
  }

  async #end(): Promise<void> {
    await this.#alone(async () => {
      try {
        if (this.#commits) await this.#commitProcessed();
      } finally {
        for (const owned of this.#owned.values()) owned.stop.abort();
        await this.#member.leave();
      }
    });
  }

  /** One request of the member at a time: each has the cursor of the one before. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#working.then(run);
    this.#working = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  #mustOwn(place: TopicPartition): Owned {
    const owned = this.#owned.get(nameOf(place));
    if (owned !== undefined) return owned;
    throw new BrokerlessError(
      "invalid_request",
      `the consumer does not have partition ${place.partition} of topic "${place.topic}"`,
      {
        field: "partition",
      },
    );
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}
