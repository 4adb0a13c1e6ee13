import type { RecordHeader } from "../../kafka/index.ts";
import type { ByteBuilder } from "./byte-builder.ts";

/** What a format sees of a record: what a batch's walker and a read record have in common. */
export interface FormattedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** Adds one record to the output. */
export type RecordFormat = (out: ByteBuilder, record: FormattedRecord) => void;
