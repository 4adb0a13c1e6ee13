/** Where a group's offsets are to go, in the words of Kafka's own tool. Pure. */
import { InvalidArgumentError } from "commander";

export type ResetSpec =
  | { readonly kind: "earliest" | "latest" | "current" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "time"; readonly timestampMs: number }
  | { readonly kind: "shift"; readonly by: number };

const DATE_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/** `2026-01-31T23:59:59.000`, UTC where no zone is said, as Kafka's tool has it. */
export function dateTime(text: string): number {
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(text) || !text.includes("T") ? text : `${text}Z`;
  const at = DATE_TIME.test(text) ? Date.parse(zoned) : Number.NaN;
  if (at >= 0) return at;
  throw new InvalidArgumentError("A date and time is written 2026-01-31T23:59:59.000, with Z or +01:00 behind it or in UTC.");
}

const DURATION = /^P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,3}))?S)?)?$/;

/** An ISO 8601 duration, `P1DT2H30M`, in milliseconds. */
export function duration(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw new InvalidArgumentError("A duration is written PnDTnHnMnS, as in P1D or PT1H30M.");
  const [, days = "0", hours = "0", minutes = "0", seconds = "0", fraction = ""] = match;
  const ms = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000;
  return ms + Number(seconds) * 1000 + Number(fraction.padEnd(3, "0"));
}

/** The topic of `name` or `name:0,2`, and its partitions where they are named. */
export function topicWithPartitions(text: string, before: readonly TopicChoice[] = []): readonly TopicChoice[] {
  const match = /^([a-zA-Z0-9._-]+)(?::(\d+(?:,\d+)*))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError("A topic is written name, or name:0,2 for some of its partitions.");
  const partitions = match[2]?.split(",").map(Number);
  return [...before, { topic: match[1] as string, partitions }];
}

export interface TopicChoice {
  readonly topic: string;
  /** Undefined: all. */
  readonly partitions: readonly number[] | undefined;
}

/** The offset to be set, within what the log has. `timeOffset`: of the first record at or after the time, -1 for none. */
export function targetOffset(
  spec: ResetSpec,
  log: { readonly logStartOffset: number; readonly logEndOffset: number },
  current: number | undefined,
  timeOffset: number,
): number {
  const within = (offset: number): number => Math.min(log.logEndOffset, Math.max(log.logStartOffset, offset));
  switch (spec.kind) {
    case "earliest":
      return log.logStartOffset;
    case "latest":
      return log.logEndOffset;
    case "current":
      return current === undefined ? log.logEndOffset : within(current);
    case "offset":
      return within(spec.offset);
    case "time":
      return timeOffset < 0 ? log.logEndOffset : timeOffset;
    case "shift":
      return within((current ?? log.logEndOffset) + spec.by);
  }
}
