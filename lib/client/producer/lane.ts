/**
 * The batches of one partition, in order: gathering, numbering, sending, and what follows from each answer.
 *
 * L1  Batches get sequences in the order of their records, each right after the one before it.
 * L2  Numbers are never given to other bytes while the first ones may still be written: a batch that fails takes the
 *     epoch with it, and the batches behind it are numbered again in the next one. The server refuses what comes late from
 *     an older epoch, so a request that is still under way somewhere can do no harm.
 * L3  Only batches behind one that is certainly not written are numbered again, when everything before that one is
 *     answered and nothing behind it is under way: under their old numbers they can be written no more.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { pauseMs, type RetryOptions } from "../retry.ts";
import { Batch, type Encoding } from "./batch.ts";
import type { Appended, PendingRecord } from "./types.ts";
import { judge } from "./verdict.ts";

export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface LaneSettings {
  readonly idempotent: boolean;
  readonly lingerMs: number;
  readonly batchSizeBytes: number;
  readonly maxInFlight: number;
  readonly deliveryTimeoutMs: number;
  readonly encoding: Encoding;
  readonly retry: RetryOptions;
  /** One attempt; throws `BrokerlessError`. */
  send(batch: Batch): Promise<Appended>;
  /** A producer id, `fresh` or shared with the other lanes. Throws `BrokerlessError`. */
  identify(fresh: boolean): Promise<ProducerIdentity>;
  /** A batch was answered for good. */
  settled(batch: Batch, error: BrokerlessError | undefined): void;
}

const MAX_EPOCH = 32_767;
const SEQUENCES = 2 ** 31;

export class Lane {
  readonly #topic: string;
  readonly #partition: number;
  readonly #settings: LaneSettings;
  /** Not numbered yet; the last one may still gather. */
  readonly #queue: Batch[] = [];
  /** Numbered and not answered, in the order of their sequences. */
  #flight: Batch[] = [];
  #identity: ProducerIdentity | undefined;
  #identifying = false;
  #nextSequence = 0;
  /** A new epoch is needed before anything else is numbered. */
  #renumbering = false;

  constructor(topic: string, partition: number, settings: LaneSettings) {
    this.#topic = topic;
    this.#partition = partition;
    this.#settings = settings;
  }

  add(record: PendingRecord): void {
    let batch = this.#queue.at(-1);
    if (batch === undefined || (batch.recordCount > 0 && batch.sizeBytes + record.sizeBytes > this.#settings.batchSizeBytes)) {
      if (batch !== undefined) batch.due = true;
      batch = new Batch(this.#topic, this.#partition, Date.now());
      this.#queue.push(batch);
      this.#linger(batch);
      this.#pump();
    }
    batch.add(record);
    if (batch.sizeBytes >= this.#settings.batchSizeBytes && !batch.due) {
      batch.due = true;
      this.#pump();
    }
  }

  /** Sends what is there without waiting for more; resolves when all of it is answered. */
  async flush(): Promise<void> {
    const batches = [...this.#flight, ...this.#queue];
    this.hurry();
    await Promise.all(batches.map((batch) => batch.done));
  }

  /** Sends what is there without waiting for more. */
  hurry(): void {
    for (const batch of this.#queue) batch.due = true;
    this.#pump();
  }

  #linger(batch: Batch): void {
    const ripe = (): void => {
      batch.due = true;
      this.#pump();
    };
    if (this.#settings.lingerMs > 0) setTimeout(ripe, this.#settings.lingerMs);
    else afterThisTurn(ripe);
  }

  #pump(): void {
    while (!this.#renumbering && this.#flight.length < this.#settings.maxInFlight) {
      const batch = this.#queue[0];
      if (batch === undefined || !batch.due || batch.recordCount === 0) return;
      if (this.#isExpired(batch)) {
        this.#queue.shift();
        this.#fail(batch, this.#expiredError(undefined));
        continue;
      }
      if (!this.#hasIdentity()) return;
      this.#queue.shift();
      if (!this.#number(batch)) continue;
      this.#flight.push(batch);
      this.#dispatch(batch);
    }
  }

  /** False where a producer id must be asked for first; the lane goes on when it is there. */
  #hasIdentity(): boolean {
    if (!this.#settings.idempotent || this.#identity !== undefined) return true;
    if (!this.#identifying) void this.#identify(0);
    return false;
  }

  async #identify(attempt: number): Promise<void> {
    this.#identifying = true;
    try {
      this.#identity = await this.#settings.identify(this.#nextSequence < 0);
      this.#nextSequence = 0;
    } catch (cause) {
      const error = asBrokerlessError(cause);
      // Nothing of what waits here was sent under an id, and an id that nobody heard of harms no one.
      const lasting = !error.retriable && error.outcome === "not_applied";
      for (const batch of [...this.#flight, ...this.#queue]) {
        if (!lasting && !this.#isExpired(batch)) continue;
        remove(this.#flight, batch);
        remove(this.#queue, batch);
        this.#fail(batch, lasting ? error : this.#expiredError(error));
      }
      if (this.#flight.length + this.#queue.length > 0) {
        setTimeout(() => void this.#identify(attempt + 1), pauseMs(attempt, error, this.#settings.retry, Math.random()));
        return;
      }
    }
    this.#identifying = false;
    this.#afterAnswer();
  }

  /** False where the batch cannot be encoded and was failed. */
  #number(batch: Batch): boolean {
    const identity = this.#identity;
    const number = identity === undefined ? undefined : { ...identity, baseSequence: this.#nextSequence };
    try {
      batch.encode(number, this.#settings.encoding);
    } catch (error) {
      this.#fail(batch, asBrokerlessError(error));
      return false;
    }
    this.#nextSequence = (this.#nextSequence + batch.recordCount) % SEQUENCES;
    return true;
  }

  #dispatch(batch: Batch): void {
    batch.busy = true;
    batch.wasFirst = this.#flight[0] === batch;
    batch.attempts++;
    this.#settings.send(batch).then(
      (written) => {
        batch.busy = false;
        this.#finish(batch, () => batch.written(written), undefined);
      },
      (error) => this.#refused(batch, asBrokerlessError(error)),
    );
  }

  #refused(batch: Batch, error: BrokerlessError): void {
    batch.busy = false;
    const { idempotent } = this.#settings;
    const verdict = judge({
      error,
      idempotent,
      wasFirst: batch.wasFirst,
      inDoubt: batch.inDoubt,
      afterDoubt: batch.afterDoubt,
      recordCount: batch.recordCount,
      expired: this.#isExpired(batch),
    });
    if (error.outcome !== "not_applied") batch.inDoubt = true;
    switch (verdict.kind) {
      case "retry":
        if (!batch.stale) this.#pause(batch, error);
        break;
      case "hold":
        break;
      case "renumber":
        this.#renumberFrom(this.#flight.indexOf(batch));
        break;
      case "split": {
        const at = this.#flight.indexOf(batch);
        this.#flight.splice(at, 1, ...batch.split());
        this.#renumberFrom(at);
        break;
      }
      case "written":
        this.#finish(batch, () => batch.written({ baseOffset: -1, logAppendTimeMs: undefined }), undefined);
        return;
      case "fail":
        this.#giveUp(batch, this.#isExpired(batch) ? this.#expiredError(verdict.error) : verdict.error);
        return;
    }
    this.#afterAnswer();
  }

  #pause(batch: Batch, error: BrokerlessError): void {
    const ms = pauseMs(batch.attempts - 1, error, this.#settings.retry, Math.random());
    const timer = setTimeout(() => {
      batch.cancelPause = undefined;
      this.#dispatch(batch);
    }, ms);
    batch.busy = true;
    batch.cancelPause = () => {
      clearTimeout(timer);
      batch.cancelPause = undefined;
      batch.busy = false;
    };
  }

  #giveUp(batch: Batch, error: BrokerlessError): void {
    const behind = this.#flight.indexOf(batch) + 1;
    const mayBeWritten = error.outcome !== "not_applied";
    // What is behind one that may be written may be written too: it keeps its number until it is answered.
    if (mayBeWritten && this.#flight[behind]?.stale === false) {
      for (const later of this.#flight.slice(behind)) later.afterDoubt = true;
    } else this.#renumberFrom(behind);
    this.#finish(batch, () => batch.failed(error), error);
  }

  #renumberFrom(index: number): void {
    this.#renumbering = true;
    for (const batch of this.#flight.slice(index)) {
      batch.stale = true;
      batch.cancelPause?.();
    }
  }

  #finish(batch: Batch, tell: () => void, error: BrokerlessError | undefined): void {
    remove(this.#flight, batch);
    tell();
    this.#settings.settled(batch, error);
    this.#afterAnswer();
  }

  #afterAnswer(): void {
    const first = this.#flight[0];
    if (first !== undefined && !first.stale) {
      if (!first.busy) this.#dispatch(first);
    } else if (this.#renumbering && !this.#flight.some((batch) => batch.busy)) {
      this.#renumber();
    }
    this.#pump();
  }

  #renumber(): void {
    const { producerId, producerEpoch } = this.#identity ?? { producerId: -1, producerEpoch: MAX_EPOCH };
    if (producerEpoch < MAX_EPOCH) {
      this.#identity = { producerId, producerEpoch: producerEpoch + 1 };
      this.#nextSequence = 0;
    } else if (this.#identity !== undefined) {
      // Epochs are used up: go on under another id, which this lane alone uses.
      this.#identity = undefined;
      this.#nextSequence = -1;
    }
    if (this.#flight.length > 0 && !this.#hasIdentity()) return;
    this.#renumbering = false;
    this.#flight = this.#flight.filter((batch) => this.#number(batch));
    for (const batch of this.#flight) this.#dispatch(batch);
  }

  #fail(batch: Batch, error: BrokerlessError): void {
    batch.failed(error);
    this.#settings.settled(batch, error);
  }

  #isExpired(batch: Batch): boolean {
    return Date.now() - batch.createdAtMs >= this.#settings.deliveryTimeoutMs;
  }

  #expiredError(last: BrokerlessError | undefined): BrokerlessError {
    const limit = this.#settings.deliveryTimeoutMs.toLocaleString("en-US");
    const where = `${this.#topic}[${this.#partition}]`;
    return new BrokerlessError(
      last === undefined || last.retriable ? "timeout" : last.code,
      `the records for ${where} were not delivered within ${limit} ms${last === undefined ? "" : `: ${last.message}`}`,
      { outcome: last?.outcome ?? "not_applied", details: last?.details ?? {}, cause: last },
    );
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}

function asBrokerlessError(error: unknown): BrokerlessError {
  if (error instanceof BrokerlessError) return error;
  return new BrokerlessError("internal", error instanceof Error ? error.message : String(error), {
    outcome: "unknown",
    cause: error,
  });
}

/** Runs when everything of this turn of the event loop has run. */
const afterThisTurn: (run: () => void) => void =
  typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0);
