/** The record that a walk over a batch is on, as formats want it: one object for the whole batch. */
import type { RecordsBatch } from "../../client/index.ts";
import type { RecordHeader, RecordView } from "../../kafka/index.ts";
import type { FormattedRecord } from "./types.ts";

export class RecordOnView implements FormattedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  #view!: RecordView;

  constructor(batch: RecordsBatch) {
    this.topic = batch.topic;
    this.partition = batch.partition;
    this.timestampType = batch.header.timestampType;
  }

  at(view: RecordView): this {
    this.#view = view;
    return this;
  }

  get offset(): number {
    return this.#view.offset;
  }
  get timestampMs(): number {
    return this.#view.timestampMs;
  }
  get key(): Uint8Array | null {
    return this.#view.key();
  }
  get value(): Uint8Array | null {
    return this.#view.value();
  }
  get headers(): readonly RecordHeader[] {
    return this.#view.headers();
  }
}
