/** One message of a queue, in the hands of a worker. */
import type { BrokerlessError } from "../../base/errors.ts";
import type { RecordHeader } from "../../kafka/index.ts";
import type { Settling } from "./types.ts";

export interface JobParts {
  readonly receipt: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly deliveryCount: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export class Job implements JobParts {
  readonly receipt: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  /** 1 for the first delivery. */
  readonly deliveryCount: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  readonly #settle: (job: Job, how: Settling) => Promise<void>;
  readonly #lost = new AbortController();

  constructor(parts: JobParts, settle: (job: Job, how: Settling) => Promise<void>) {
    this.receipt = parts.receipt;
    this.topic = parts.topic;
    this.partition = parts.partition;
    this.offset = parts.offset;
    this.timestampMs = parts.timestampMs;
    this.deliveryCount = parts.deliveryCount;
    this.key = parts.key;
    this.value = parts.value;
    this.headers = parts.headers;
    this.#settle = settle;
  }

  /** Aborts when the message could not be kept: somebody else has it, or will get it. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Done: it is not delivered again. Throws `invalid_record_state` where its time was over. */
  ack(): Promise<void> {
    return this.#settle(this, "ack");
  }

  /** Gives it back: others get it at once. */
  release(): Promise<void> {
    return this.#settle(this, "release");
  }

  /** It cannot be processed: to the dead-letter topic, or nowhere. */
  reject(): Promise<void> {
    return this.#settle(this, "reject");
  }

  /** Its time begins anew. What is worked on is extended without it. */
  extend(): Promise<void> {
    return this.#settle(this, "extend");
  }

  /** For the queue alone. */
  lose(error: BrokerlessError): void {
    this.#lost.abort(error);
  }
}
