/** `-o` as kcat has it. Pure. */
import { InvalidArgumentError } from "commander";

export type OffsetSpec =
  | { readonly kind: "earliest" | "latest" }
  | { readonly kind: "offset"; readonly offset: number }
  /** So many records before the end of each partition. */
  | { readonly kind: "last"; readonly records: number }
  /** The first record at or after a time. */
  | { readonly kind: "since"; readonly timestampMs: number };

/** Where reading begins, and the time before which it ends. */
export interface OffsetRange {
  readonly from: OffsetSpec;
  readonly untilMs?: number;
}

export const OFFSET_HELP = "beginning | end | N | -N (last N) | s@TIME (from) | e@TIME (until)";

/** Reads one `-o`, after those before it: one place to begin and one `e@` at most. */
export function offsetRange(text: string, before?: Partial<OffsetRange>): Partial<OffsetRange> {
  if (text.startsWith("e@")) {
    if (before?.untilMs !== undefined) throw new InvalidArgumentError("The end is given twice.");
    return { ...before, untilMs: timeMs(text.slice(2)) };
  }
  if (before?.from !== undefined) throw new InvalidArgumentError("The beginning is given twice.");
  return { ...before, from: beginning(text) };
}

function beginning(text: string): OffsetSpec {
  switch (text) {
    case "beginning":
    case "earliest":
      return { kind: "earliest" };
    case "end":
    case "latest":
      return { kind: "latest" };
    case "stored":
      throw new InvalidArgumentError("stored needs a consumer group; consume reads without one.");
  }
  if (text.startsWith("s@")) return { kind: "since", timestampMs: timeMs(text.slice(2)) };
  if (/^\d{1,16}$/.test(text)) return { kind: "offset", offset: Number(text) };
  if (/^-\d{1,16}$/.test(text)) return { kind: "last", records: Number(text.slice(1)) };
  throw new InvalidArgumentError(`It must be ${OFFSET_HELP}.`);
}

const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Milliseconds since 1970, or a date and time with its zone (a date alone is its midnight UTC). */
function timeMs(text: string): number {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  const at = ISO.test(text) ? Date.parse(text) : Number.NaN;
  if (at >= 0) return at;
  throw new InvalidArgumentError("A time is milliseconds since 1970, or as 2026-01-31T23:59:59Z.");
}
