/**
 * The reporter: looks at every group, a run a minute, keeps the windows, and tells whoever publishes. It can die at any
 * point, be run again and run twice at once: windows are hints (W1), and what is told are gauges.
 *
 * A run that has to end before it was at every group begins somewhere else the next time, so that none is left out for ever.
 */

import { type JobReport, type JobRun, mayGoOn } from "../log/jobs/job.ts";
import { storageStep } from "../log/storage-errors.ts";
import type { Ids, Put } from "../ports/index.ts";
import { evaluate } from "./evaluate.ts";
import { putWindows } from "./items/window.ts";
import { GROUPS_TOGETHER, groupNames, topicsById } from "./lag.ts";
import { type GroupLook, hasChanged, type LookParts, lookAt, type PartitionLook } from "./look.ts";
import type { GroupLag } from "./types.ts";
import { isWorthReading, readUnread, type UnreadParts } from "./unread.ts";

/** First unread records that one run reads at most, of the partitions that are furthest behind. */
const READS_MOST = 500;
const PUTS_TOGETHER = 50;

export interface ReporterParts extends LookParts, UnreadParts {
  readonly ids: Ids;
  /** Told of every group that has committed and has not expired. */
  readonly publish?: (lag: GroupLag) => void;
}

export interface LagJobReport extends JobReport {
  readonly groups: number;
  readonly partitions: number;
  readonly windowsWritten: number;
  readonly recordsRead: number;
}

/** One run. */
export async function reportLag(parts: ReporterParts, run: JobRun): Promise<LagJobReport> {
  const total = { groups: 0, partitions: 0, windowsWritten: 0, recordsRead: 0 };
  const [names, topics] = await Promise.all([groupNames(parts), topicsById(parts)]);
  const from = Math.floor(parts.ids.random() * names.length);
  const inTurn = [...names.slice(from), ...names.slice(0, from)];
  for (let i = 0; i < inTurn.length; i += GROUPS_TOGETHER) {
    if (!mayGoOn(run, parts.clock)) return { ...total, left: true };
    const looks = await lookAt(parts, inTurn.slice(i, i + GROUPS_TOGETHER), topics);
    total.recordsRead += await readFurthest(parts, run, looks, READS_MOST - total.recordsRead);
    total.windowsWritten += run.dryRun === true ? 0 : await keep(parts, looks);
    for (const look of looks) {
      const lag = evaluate(look, parts.settings);
      total.groups++;
      total.partitions += lag.partitions.length;
      if (!lag.expired) parts.publish?.(lag);
    }
  }
  return { ...total, left: false };
}

function readFurthest(parts: ReporterParts, run: JobRun, looks: readonly GroupLook[], most: number): Promise<number> {
  const furthest = looks
    .flatMap(({ blocks, nowMs }) => blocks.flatMap(({ partitions }) => partitions.filter((one) => isWorthReading(one, nowMs))))
    .sort((a, b) => behind(b) - behind(a))
    .slice(0, most);
  return readUnread(parts, furthest, () => mayGoOn(run, parts.clock));
}

function behind({ entry, head }: PartitionLook): number {
  return (head?.next ?? 0) - entry.offset;
}

async function keep({ storage, settings }: ReporterParts, looks: readonly GroupLook[]): Promise<number> {
  const puts = looks.flatMap(({ blocks, nowMs }) =>
    blocks.filter(hasChanged).flatMap(({ key, partitions }): Put[] => {
      const windows = new Map(partitions.map(({ partition, window }) => [partition, window]));
      const expiresAtMs = Math.max(...partitions.map(({ entry }) => entry.committedAtMs)) + settings.expireMs;
      return expiresAtMs > nowMs ? [putWindows(key, windows, expiresAtMs)] : [];
    }),
  );
  await storageStep("keep the windows of lag", async () => {
    for (let i = 0; i < puts.length; i += PUTS_TOGETHER) {
      const [settled = []] = await storage.table.inOrder([puts.slice(i, i + PUTS_TOGETHER)]);
      for (const one of settled) if (!one.ok) throw one.error;
    }
  });
  return puts.length;
}
