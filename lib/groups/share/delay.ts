/** When a record may be delivered: by its headers, for share groups alone. Others read it at once. */
import type { RecordView } from "../../kafka/index.ts";

/** Milliseconds since 1970, as decimal text. */
const DELIVER_AT = "brokerless-deliver-at";
/** Milliseconds after the record's timestamp, as decimal text. */
const DELAY = "brokerless-delay-ms";
/** A delay is a year at most. */
const LATEST_MS = 366 * 24 * 3_600_000;

const decoder = new TextDecoder();

/** 0: at once. What is not a number is not looked at; the later of both headers holds, and a year after the record's time at most. */
export function deliverAtMs(record: Pick<RecordView, "headers" | "timestampMs">): number {
  let atMs = 0;
  for (const { key, value } of record.headers()) {
    if (value === null || (key !== DELIVER_AT && key !== DELAY)) continue;
    const text = decoder.decode(value);
    if (!/^\d{1,15}$/.test(text)) continue;
    atMs = Math.max(atMs, key === DELAY ? record.timestampMs + Number(text) : Number(text));
  }
  return Math.min(atMs, record.timestampMs + LATEST_MS);
}
