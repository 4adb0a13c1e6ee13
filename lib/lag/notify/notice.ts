/** What is told: the facts of one event, as text for people, and as JSON by a template. Pure. */
import { BrokerlessError } from "../../base/errors.ts";
import type { LagStatus } from "../rules.ts";
import type { GroupLag } from "../types.ts";
import type { EventKind } from "./decide.ts";

/** Partitions that one notice names at most, those furthest behind first. */
const PARTITIONS_MOST = 20;

export interface NoticePartition {
  readonly topic: string;
  readonly partition: number;
  readonly status: LagStatus;
  readonly offset: number;
  readonly log_end_offset: number;
  readonly lag: number;
  readonly lost_records: number;
  readonly seconds_behind: number;
}

/** What a look saw of the group; `partitions` are those that are not OK. */
export interface GroupFacts {
  readonly status: LagStatus;
  readonly total_lag: number;
  readonly seconds_behind: number;
  readonly partitions_not_ok: number;
  readonly partitions: readonly NoticePartition[];
}

/** The names are those of a template's placeholders, and of the JSON that is sent without one. */
export interface Notice extends GroupFacts {
  /** The same in every repetition of this event, and in no other: `<incident>-<sequence>`. */
  readonly id: string;
  readonly incident: string;
  readonly sequence: number;
  readonly event: EventKind;
  readonly notifier: string;
  readonly cluster: string;
  readonly group: string;
  /** ISO 8601. */
  readonly opened_at: string;
  readonly at: string;
  /** One line for people. */
  readonly summary: string;
}

export function factsOf({ status, totalLag, maxTime, partitions }: GroupLag): GroupFacts {
  const bad = partitions.filter((one) => one.status !== "OK").sort((a, b) => b.currentLag - a.currentLag);
  return {
    status,
    total_lag: totalLag,
    seconds_behind: Math.round(maxTime.seconds),
    partitions_not_ok: bad.length,
    partitions: bad.slice(0, PARTITIONS_MOST).map((one) => ({
      topic: one.topic,
      partition: one.partition,
      status: one.status,
      offset: one.offset,
      log_end_offset: one.logEndOffset,
      lag: one.currentLag,
      lost_records: one.lostRecords,
      seconds_behind: Math.round(one.time.seconds),
    })),
  };
}

/** Of a group that is no longer there, or no longer told of. */
export const GONE: GroupFacts = { status: "NOTFOUND", total_lag: 0, seconds_behind: 0, partitions_not_ok: 0, partitions: [] };

const SAID: Readonly<Record<EventKind, string>> = { open: "", worse: ", worse than before", repeat: ", still", close: " again" };

/** One line: who, how bad, how far behind, and what hurts most. */
export function summaryOf(group: string, event: EventKind, facts: GroupFacts): string {
  if (facts.status === "NOTFOUND") return `group ${group} is gone, and with it what was wrong`;
  const worst = facts.partitions[0];
  const behind = `${facts.total_lag} records and ${facts.seconds_behind} s behind`;
  const where = worst === undefined ? "" : `; ${worst.topic}-${worst.partition} is ${worst.status}, ${worst.lag} records behind`;
  return `group ${group} is ${facts.status}${SAID[event]}: ${behind}${where}`;
}

/** For people, as e-mail is. */
export function textOf(notice: Notice): string {
  const { partitions, partitions_not_ok } = notice;
  const lines = partitions.map(
    (one) =>
      `  ${one.topic}-${one.partition}: ${one.status}, ${one.lag} records and ${one.seconds_behind} s behind` +
      `${one.lost_records > 0 ? `, ${one.lost_records} lost` : ""} (offset ${one.offset} of ${one.log_end_offset})`,
  );
  if (partitions_not_ok > lines.length) lines.push(`  and ${partitions_not_ok - lines.length} more`);
  return [
    notice.summary,
    ...lines,
    "",
    `cluster ${notice.cluster}, incident ${notice.incident} since ${notice.opened_at}, message ${notice.sequence}, ${notice.at}`,
  ].join("\n");
}

/** JSON whose texts may hold placeholders: `{{group}}`. */
export type Template = string | number | boolean | null | readonly Template[] | { readonly [name: string]: Template };

const PLACEHOLDER = /\{\{([^{}]*)\}\}/g;
const NAMES: Readonly<Record<keyof Notice, true>> = {
  id: true,
  incident: true,
  sequence: true,
  event: true,
  notifier: true,
  cluster: true,
  group: true,
  opened_at: true,
  at: true,
  summary: true,
  status: true,
  total_lag: true,
  seconds_behind: true,
  partitions_not_ok: true,
  partitions: true,
};

/** Throws `invalid_config` for a placeholder that is not known. */
export function checkTemplate(template: Template): void {
  if (typeof template === "string") {
    for (const [, name = ""] of template.matchAll(PLACEHOLDER)) {
      if (Object.hasOwn(NAMES, name)) continue;
      const known = Object.keys(NAMES).join(", ");
      throw new BrokerlessError("invalid_config", `template: {{${name}}} is not known; there are ${known}`, {
        field: "template",
      });
    }
  } else if (typeof template === "object" && template !== null) {
    for (const one of Array.isArray(template) ? template : Object.values(template)) checkTemplate(one as Template);
  }
}

/**
 * The template with every placeholder replaced. A text that is one placeholder and nothing else becomes its value (a number, a
 * list); anywhere else the value is put in as text. So what comes out is always JSON, whatever a group is called.
 */
export function render(template: Template, notice: Notice): unknown {
  if (typeof template === "string") {
    const whole = /^\{\{([^{}]*)\}\}$/.exec(template)?.[1];
    if (whole !== undefined) return notice[whole as keyof Notice];
    return template.replace(PLACEHOLDER, (_, name: string) => asText(notice[name as keyof Notice]));
  }
  if (typeof template !== "object" || template === null) return template;
  if (Array.isArray(template)) return template.map((one: Template) => render(one, notice));
  return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, render(value as Template, notice)]));
}

function asText(value: Notice[keyof Notice]): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
