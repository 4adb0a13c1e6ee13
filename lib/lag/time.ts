/**
 * Lag in seconds: how long the first record that is not consumed has been waiting, by its own timestamp. Pure.
 *
 * Exact where that record was read. Else a bound from what the head keeps: a ref says the largest timestamp of its records,
 * so the record is not younger than that, and the lag is at least what is said.
 */
import type { Head } from "../log/items/head.ts";
import { refRecordCount, unpackRef } from "../log/items/ref.ts";

export interface TimeLag {
  readonly seconds: number;
  /** `at_least`: a bound. */
  readonly precision: "exact" | "at_least";
}

/** Nothing is unread: no time. */
const NONE: TimeLag = { seconds: 0, precision: "exact" };

/** `unreadSinceMs`: the first unread record's timestamp, where it was read; -1: the log gave it none. */
export function timeLag(offset: number, head: Head, unreadSinceMs: number | undefined, nowMs: number): TimeLag {
  if (offset >= head.next) return NONE;
  if (unreadSinceMs !== undefined) return { seconds: secondsSince(unreadSinceMs, nowMs), precision: "exact" };
  const latestMs = latestPossibleMs(offset, head);
  return { seconds: latestMs === undefined ? 0 : secondsSince(latestMs, nowMs), precision: "at_least" };
}

/** The record at this offset is not younger, as far as the head tells; records of a partition are taken to be in order of time. */
function latestPossibleMs(offset: number, head: Head): number | undefined {
  let end = head.tailBase;
  for (const packed of head.tail) {
    end += refRecordCount(packed);
    if (offset < end) return unpackRef(packed).maxTimestampMs;
  }
  return undefined;
}

/** A record of the future, or without a time, waits for 0 s. */
function secondsSince(timestampMs: number, nowMs: number): number {
  return timestampMs < 0 ? 0 : Math.max(0, nowMs - timestampMs) / 1000;
}
