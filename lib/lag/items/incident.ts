/**
 * What a notifier has told of a group: one item a notifier and group, while an incident is open and a little longer. Key
 * `NOTIFY#<notifier>`, group: so all that is open is one range, and the reporter's role can write these and no others.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `i` | the incident's id |
 * | `o` | when it began, ms |
 * | `n` | sequence of the last event that was claimed |
 * | `k` | its kind |
 * | `s` | the status that it told |
 * | `a` | how often it was claimed |
 * | `c` | when it was confirmed, ms; absent: it is not |
 * | `u` | nobody claims before it, ms: the lease of who sends, or the pause after a failure |
 * | `h` | the claim: new with each write |
 *
 * C1  Every write is on condition of the very claim that was read (or that there is no item), so of those who decide from
 *     the same item one alone goes on.
 * C2  The item of an incident that is over stays for some minutes: whoever looked before its end cannot begin another one.
 */
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Item, Key, Put } from "../../ports/index.ts";
import type { EventKind, Incident } from "../notify/decide.ts";
import type { LagStatus } from "../rules.ts";

/** Longer than a run takes. */
const OVER_STAYS_MS = 600_000;
/** Of a notifier or a group that is no longer there. */
const OPEN_STAYS_MS = 366 * 86_400_000;

export interface StoredIncident extends Incident {
  readonly claim: string;
}

export function incidentsPk(notifier: string): string {
  return `NOTIFY#${notifier}`;
}

/** In the place of what was read; nothing is written where that has changed. */
export function putIncident(key: Key, incident: StoredIncident, before: string | undefined, nowMs: number): Put {
  const { id, openedAtMs, sequence, kind, status, attempts, confirmedAtMs, untilMs, claim } = incident;
  const isOver = kind === "close" && confirmedAtMs !== undefined;
  return {
    op: "put",
    key,
    item: {
      v: FORMAT_VERSION,
      i: id,
      o: openedAtMs,
      n: sequence,
      k: kind,
      s: status,
      a: attempts,
      ...(confirmedAtMs === undefined ? {} : { c: confirmedAtMs }),
      u: untilMs,
      h: claim,
    },
    when: before === undefined ? [{ item: "absent" }] : [{ path: "h", is: "=", value: before }],
    expiresAtMs: nowMs + (isOver ? OVER_STAYS_MS : OPEN_STAYS_MS),
  };
}

export function decodeIncident(item: Item): StoredIncident {
  checkFormat(item, "an incident of lag");
  return {
    id: item["i"] as string,
    openedAtMs: item["o"] as number,
    sequence: item["n"] as number,
    kind: item["k"] as EventKind,
    status: item["s"] as LagStatus,
    attempts: item["a"] as number,
    confirmedAtMs: item["c"] as number | undefined,
    untilMs: item["u"] as number,
    claim: item["h"] as string,
  };
}
