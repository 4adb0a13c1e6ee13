/**
 * When a notifier tells people of a group: Burrow's rules of its notifiers
 * (https://github.com/linkedin/Burrow/wiki/Notifier-HTTP), and what two reporters at once need besides. Pure.
 *
 * An incident begins with the first look at which a group is as bad as the threshold, and ends with the first at which it
 * is not: one id, and its events are counted from 1. An event is claimed before it is sent, and confirmed after it; nobody
 * claims anything of an incident before `untilMs`, which is the lease of the one who sends, or the pause after a failure.
 *
 * I1  An event that was claimed and never confirmed is sent again, under the same id and sequence.
 * I2  Unless it is out of date by then: then the next event takes its place, one higher.
 * I3  An incident whose close was not confirmed goes on where the group is bad again: whoever was told of it still knows it.
 */
import { type LagStatus, STATUSES } from "../rules.ts";

export interface NotifyRules {
  /** Told of from this status on. */
  readonly threshold: "WARN" | "ERR";
  /** Told again after so long, while it is not well. */
  readonly sendIntervalMs: number;
  /** Told once an incident, whatever comes; and of its end. */
  readonly sendOnce: boolean;
  /** Told of the end. */
  readonly sendClose: boolean;
}

export type EventKind = "open" | "worse" | "repeat" | "close";

export interface Incident {
  readonly id: string;
  readonly openedAtMs: number;
  /** Of the last event that was claimed, from 1. */
  readonly sequence: number;
  /** What that event was, and the status it told. */
  readonly kind: EventKind;
  readonly status: LagStatus;
  /** How often it was claimed. */
  readonly attempts: number;
  /** When it was known to be delivered; undefined: it is not known. */
  readonly confirmedAtMs: number | undefined;
  /** Until then nobody claims an event of this incident. */
  readonly untilMs: number;
}

/** The next event; `isNew`: the first of another incident. */
export interface NextEvent {
  readonly kind: EventKind;
  readonly sequence: number;
  readonly attempts: number;
  readonly isNew: boolean;
}

/** The end of an incident that nobody could be told of in so many attempts is given up: the last ones are ten minutes apart. */
const CLOSE_ATTEMPTS_MOST = 50;
const PAUSE_LEAST_MS = 10_000;
const PAUSE_MOST_MS = 600_000;

/** `end`: the incident is over, and nobody is told. */
export function decide(
  incident: Incident | undefined,
  status: LagStatus,
  rules: NotifyRules,
  nowMs: number,
): NextEvent | "nothing" | "end" {
  const isBad = rank(status) >= rank(rules.threshold);
  const isOver = incident === undefined || (incident.kind === "close" && incident.confirmedAtMs !== undefined);
  if (isOver) return isBad ? { kind: "open", sequence: 1, attempts: 1, isNew: true } : "nothing";
  if (nowMs < incident.untilMs) return "nothing";
  const next = (kind: EventKind): NextEvent => ({ kind, sequence: incident.sequence + 1, attempts: 1, isNew: false });
  const again = { kind: incident.kind, sequence: incident.sequence, attempts: incident.attempts + 1, isNew: false };
  if (!isBad) {
    if (!rules.sendClose) return "end";
    if (incident.kind !== "close") return next("close");
    return incident.attempts < CLOSE_ATTEMPTS_MOST ? again : "end";
  }
  if (incident.kind === "close") return next("open");
  if (incident.confirmedAtMs === undefined) return again;
  if (rules.sendOnce) return "nothing";
  if (rank(status) > rank(incident.status)) return next("worse");
  return nowMs - incident.confirmedAtMs >= rules.sendIntervalMs ? next("repeat") : "nothing";
}

/** How long an event waits that could not be delivered so many times. */
export function pauseAfterMs(attempts: number): number {
  return Math.min(PAUSE_MOST_MS, PAUSE_LEAST_MS * 2 ** Math.min(attempts - 1, 10));
}

function rank(status: LagStatus): number {
  return STATUSES.indexOf(status);
}
