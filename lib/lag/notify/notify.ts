/**
 * Tells people of groups, along with a run of the reporter: what is open is read first, each group is judged as it is looked
 * at, and what is to be told is sent in the end.
 *
 * D1  An event is claimed by a conditional write before it is sent: of reporters that run at once one alone sends it. It sends
 *     within the lease, less the time that two clocks may differ, or not at all.
 * D2  A crash before the claim leaves nothing; one after it, before or after the sending, leaves a claim that nobody confirms:
 *     when its lease is over, the event is sent again with the same id and sequence. So each event is delivered at least
 *     once while its state lasts, at most one holds the claim at a time, and receivers can drop repetitions by the id.
 * D3  What could not be delivered is tried again after a pause that doubles, 10 s to 10 minutes, by whichever run comes then.
 * D4  Telling never fails the run: what went wrong is said.
 */
import { inParallel } from "../../base/parallel.ts";
import { type JobRun, mayGoOn } from "../../log/jobs/job.ts";
import { storageStep } from "../../log/storage-errors.ts";
import { type Clock, type Ids, type Key, type Storage, StorageError } from "../../ports/index.ts";
import { decodeIncident, incidentsPk, putIncident, type StoredIncident } from "../items/incident.ts";
import { type LagJobReport, type ReporterParts, reportLag } from "../reporter.ts";
import type { GroupLag } from "../types.ts";
import type { Channel } from "./channel.ts";
import { decide, type EventKind, type NextEvent, type NotifyRules, pauseAfterMs } from "./decide.ts";
import { factsOf, GONE, type GroupFacts, type Notice, summaryOf } from "./notice.ts";

export interface Notifier {
  /** Its state is kept under it. */
  readonly name: string;
  readonly rules: NotifyRules;
  readonly isFor: (group: string) => boolean;
  readonly channel: Channel;
}

/** So long nobody else sends what was claimed. */
export const LEASE_MS = 120_000;
/** The sending itself, at most. */
const SEND_MS = 10_000;
/** As far as the clocks of two reporters may differ. */
const SKEW_MS = 60_000;
const SENT_AT_ONCE = 8;

export interface NotifyJobReport extends LagJobReport {
  readonly noticesSent: number;
  readonly noticesFailed: number;
}

/** One run of the reporter, and of the notifiers after it. */
export async function reportAndNotify(
  parts: ReporterParts,
  notifiers: readonly Notifier[],
  run: JobRun,
): Promise<NotifyJobReport> {
  const cluster = notifiers.length === 0 ? "" : await parts.log.clusterId();
  const all = await Promise.all(notifiers.map((notifier) => openNotices(parts, notifier, cluster)));
  const report = await reportLag(
    {
      ...parts,
      publish: (lag) => {
        parts.publish?.(lag);
        for (const notices of all) notices.see(lag);
      },
    },
    run,
  );
  const total = { noticesSent: 0, noticesFailed: 0 };
  if (run.dryRun === true) return { ...report, ...total };
  for (const notices of all) {
    const { sent, failed } = await notices.send(run, !report.left);
    total.noticesSent += sent;
    total.noticesFailed += failed;
  }
  return { ...report, ...total };
}

type NotifyParts = Pick<ReporterParts, "storage" | "clock" | "ids">;

async function openNotices(parts: NotifyParts, notifier: Notifier, cluster: string): Promise<Notices> {
  const pk = incidentsPk(notifier.name);
  const items = await storageStep(`read what notifier "${notifier.name}" has told`, () => parts.storage.table.range(pk));
  return new Notices(parts, notifier, cluster, new Map(items.map(({ key, item }) => [key.sk, decodeIncident(item)])));
}

interface Due {
  readonly group: string;
  readonly facts: GroupFacts;
  readonly before: StoredIncident | undefined;
  readonly next: NextEvent | "end";
}

/** Of one notifier in one run. */
class Notices {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #notifier: Notifier;
  readonly #cluster: string;
  readonly #incidents: ReadonlyMap<string, StoredIncident>;
  readonly #seen = new Set<string>();
  readonly #due: Due[] = [];

  constructor(parts: NotifyParts, notifier: Notifier, cluster: string, incidents: ReadonlyMap<string, StoredIncident>) {
    this.#storage = parts.storage;
    this.#clock = parts.clock;
    this.#ids = parts.ids;
    this.#notifier = notifier;
    this.#cluster = cluster;
    this.#incidents = incidents;
  }

  see(lag: GroupLag): void {
    if (!this.#notifier.isFor(lag.group)) return;
    this.#seen.add(lag.group);
    this.#judge(lag.group, lag.status, () => factsOf(lag));
  }

  /** `sawAll`: a group that was not seen is gone. */
  async send(run: JobRun, sawAll: boolean): Promise<{ readonly sent: number; readonly failed: number }> {
    if (sawAll)
      for (const group of this.#incidents.keys()) if (!this.#seen.has(group)) this.#judge(group, GONE.status, () => GONE);
    const total = { sent: 0, failed: 0 };
    await inParallel(this.#due, SENT_AT_ONCE, async (due) => {
      if (!mayGoOn(run, this.#clock)) return;
      try {
        if (await this.#tell(due)) total.sent++;
      } catch (error) {
        total.failed++;
        const said = error instanceof Error ? error.message : String(error);
        run.warn?.(`notifier ${this.#notifier.name} could not tell of group ${due.group}, and tries again: ${said}`);
      }
    });
    return total;
  }

  #judge(group: string, status: GroupFacts["status"], facts: () => GroupFacts): void {
    const before = this.#incidents.get(group);
    const next = decide(before, status, this.#notifier.rules, this.#clock.nowMs());
    if (next !== "nothing") this.#due.push({ group, facts: facts(), before, next });
  }

  /** Claims, sends, confirms. Answers whether it was sent; another reporter may have been first. */
  async #tell({ group, facts, before, next }: Due): Promise<boolean> {
    const key = { pk: incidentsPk(this.#notifier.name), sk: group };
    const startedMs = this.#clock.monotonicMs();
    const nowMs = this.#clock.nowMs();
    if (next === "end") {
      await this.#put(
        key,
        { ...(before as StoredIncident), kind: "close", confirmedAtMs: nowMs, claim: this.#ids.uuid() },
        before?.claim,
      );
      return false;
    }
    const { kind, sequence, attempts, isNew } = next;
    const [id, openedAtMs] = isNew || before === undefined ? [this.#ids.uuid(), nowMs] : [before.id, before.openedAtMs];
    const claim = this.#ids.uuid();
    const claimed: StoredIncident = {
      ...{ id, openedAtMs, sequence, kind, attempts, claim },
      status: facts.status,
      confirmedAtMs: undefined,
      untilMs: nowMs + LEASE_MS,
    };
    if (!(await this.#put(key, claimed, before?.claim))) return false;
    if (this.#clock.monotonicMs() - startedMs > LEASE_MS - SKEW_MS - SEND_MS) return false;
    try {
      await this.#notifier.channel.send(this.#notice(group, kind, claimed, facts, nowMs), SEND_MS);
    } catch (error) {
      const untilMs = this.#clock.nowMs() + pauseAfterMs(attempts);
      await this.#put(key, { ...claimed, untilMs, claim: this.#ids.uuid() }, claim);
      throw error;
    }
    const confirmedAtMs = this.#clock.nowMs();
    await this.#put(key, { ...claimed, confirmedAtMs, untilMs: 0, claim: this.#ids.uuid() }, claim);
    return true;
  }

  /** False: somebody else has written meanwhile. */
  async #put(key: Key, incident: StoredIncident, before: string | undefined): Promise<boolean> {
    try {
      await this.#storage.table.write(putIncident(key, incident, before, this.#clock.nowMs()));
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.kind === "condition_failed") return false;
      throw error;
    }
  }

  #notice(
    group: string,
    event: EventKind,
    { id, sequence, openedAtMs }: StoredIncident,
    facts: GroupFacts,
    nowMs: number,
  ): Notice {
    return {
      id: `${id}-${sequence}`,
      incident: id,
      sequence,
      event,
      notifier: this.#notifier.name,
      cluster: this.#cluster,
      group,
      opened_at: new Date(openedAtMs).toISOString(),
      at: new Date(nowMs).toISOString(),
      summary: summaryOf(group, event, facts),
      ...facts,
    };
  }
}
