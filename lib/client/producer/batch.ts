/**
 * Records of one partition that are written together: gathered, then encoded under a number, then sent, with the very
 * same bytes however often, until they are answered.
 */
import { invariant } from "../../base/assert.ts";
import type { BrokerlessError } from "../../base/errors.ts";
import { type Codecs, type CompressionName, encodeBatch } from "../../kafka/index.ts";
import type { Appended, PendingRecord } from "./types.ts";

/** Who writes, and the sequence of the first record. */
export interface BatchNumber {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

export interface Encoding {
  readonly compression: CompressionName;
  readonly codecs: Codecs;
}

export class Batch {
  readonly topic: string;
  readonly partition: number;
  readonly createdAtMs: number;
  /** Of all records, before compression. */
  sizeBytes = 0;
  /** Should not wait for more records. */
  due = false;
  /** Sent at least once without an answer that says what became of it: it may be written, now or later. */
  inDoubt = false;
  /** Nothing before it was under way when it was sent last. */
  wasFirst = false;
  /** Under way, or its pause is running. */
  busy = false;
  /** A batch before it was certainly not written: neither will this be under the number it has, and it waits for another. */
  stale = false;
  /** A batch before it was given up in doubt, so a gap in front of it proves nothing. */
  afterDoubt = false;
  attempts = 0;
  cancelPause: (() => void) | undefined;
  readonly done: Promise<void>;

  readonly #records: PendingRecord[] = [];
  #bytes: Uint8Array | undefined;
  #markDone!: () => void;

  constructor(topic: string, partition: number, createdAtMs: number) {
    this.topic = topic;
    this.partition = partition;
    this.createdAtMs = createdAtMs;
    this.done = new Promise((resolve) => {
      this.#markDone = resolve;
    });
  }

  get recordCount(): number {
    return this.#records.length;
  }

  /** As it is sent. */
  get bytes(): Uint8Array {
    invariant(this.#bytes !== undefined, "a batch is encoded before it is sent");
    return this.#bytes;
  }

  add(record: PendingRecord): void {
    this.#records.push(record);
    this.sizeBytes += record.sizeBytes;
  }

  /** Encodes under this number (undefined: not idempotent), again where it was encoded before. */
  encode(number: BatchNumber | undefined, encoding: Encoding): void {
    this.#bytes = encodeBatch(this.#records, { ...encoding, ...number, timestampMs: this.createdAtMs });
    this.inDoubt = false;
    this.stale = false;
    this.afterDoubt = false;
  }

  /** Two batches with half of the records each, in order, to be encoded; this one is over, and done when both are. */
  split(): [Batch, Batch] {
    const middle = this.#records.length >> 1;
    const halves: [Batch, Batch] = [this.#part(0, middle), this.#part(middle, this.#records.length)];
    void Promise.all(halves.map((half) => half.done)).then(this.#markDone);
    return halves;
  }

  #part(from: number, to: number): Batch {
    const part = new Batch(this.topic, this.partition, this.createdAtMs);
    for (const record of this.#records.slice(from, to)) part.add(record);
    part.due = true;
    return part;
  }

  written({ baseOffset, logAppendTimeMs }: Pick<Appended, "baseOffset" | "logAppendTimeMs">): void {
    for (let i = 0; i < this.#records.length; i++) {
      const record = this.#records[i]!;
      record.completion.written(record, this.partition, baseOffset < 0 ? -1 : baseOffset + i, logAppendTimeMs);
    }
    this.#markDone();
  }

  failed(error: BrokerlessError): void {
    for (const { completion, index } of this.#records) completion.failed(index, error);
    this.#markDone();
  }
}
