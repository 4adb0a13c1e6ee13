/**
 * Queues as operators see them: how much there is to do in each topic of a share group, and how old the oldest of it is. By group and
 * topic, as lag is told. What is in the group's own dead-letter topic is not work that is late: it is left out.
 */
import { BrokerlessError } from "../base/errors.ts";
import type { ShareDepth, ShareGroupsApi } from "../groups/share/types.ts";
import { type JobRun, mayGoOn } from "../log/jobs/job.ts";
import type { Clock, Metrics } from "../ports/index.ts";

export interface QueueParts {
  readonly clock: Clock;
  readonly shares: Pick<ShareGroupsApi, "names" | "depths">;
}

export interface QueueCounts {
  /** Messages to be received, now or later. */
  readonly depth: number;
  readonly inFlight: number;
  readonly parked: number;
  readonly dying: number;
  /** Ever. */
  readonly deadLetters: number;
  /** Of the oldest message that is not settled; undefined: there is none. */
  readonly oldestAgeMs: number | undefined;
}

/** One topic of a share group. */
export interface QueueDepth extends QueueCounts {
  readonly group: string;
  readonly topic: string;
  readonly partitions: readonly ShareDepth[];
}

/** Of every share group that is asked for, group by group. */
export async function* queueDepths(
  parts: QueueParts,
  isAsked: (group: string) => boolean = () => true,
): AsyncGenerator<readonly QueueDepth[]> {
  for (const group of (await parts.shares.names()).filter(isAsked)) {
    const depths = await depthsOf(parts, group);
    if (depths.length > 0) yield queueOf(group, depths, parts.clock.nowMs());
  }
}

/** Tells of every queue as gauges. A run that has to end before it was at each says so. */
export async function reportQueues(
  parts: QueueParts & { readonly metrics: Metrics },
  run: JobRun,
): Promise<{ readonly queues: number; readonly left: boolean }> {
  let queues = 0;
  for await (const topics of queueDepths(parts)) {
    for (const one of topics) publishQueue(parts.metrics, one);
    queues++;
    if (!mayGoOn(run, parts.clock)) return { queues, left: true };
  }
  return { queues, left: false };
}

function publishQueue(metrics: Metrics, { group, topic, depth, inFlight, deadLetters, oldestAgeMs }: QueueDepth): void {
  const labels = { group, topic };
  metrics.gauge("queue_depth", depth, labels);
  metrics.gauge("queue_in_flight", inFlight, labels);
  metrics.gauge("queue_dead_letters", deadLetters, labels);
  metrics.gauge("queue_oldest_seconds", Math.round((oldestAgeMs ?? 0) / 1000), labels);
}

/** None where the group has just gone. */
async function depthsOf({ shares }: QueueParts, group: string): Promise<readonly ShareDepth[]> {
  try {
    return await shares.depths(group);
  } catch (error) {
    if (error instanceof BrokerlessError && error.code === "unknown_group") return [];
    throw error;
  }
}

/** What is work: all but the dead-letter topic. */
export function workOf(depths: readonly ShareDepth[]): ShareDepth[] {
  return depths.filter(({ isDeadLetters }) => !isDeadLetters);
}

/** Of these partitions together. */
export function countsOf(partitions: readonly ShareDepth[], nowMs: number): QueueCounts {
  const sum = (of: (one: ShareDepth) => number): number => partitions.reduce((total, one) => total + of(one), 0);
  const oldest = partitions.filter(({ oldestAtMs }) => oldestAtMs >= 0).map(({ oldestAtMs }) => oldestAtMs);
  return {
    depth: sum((one) => one.depth),
    inFlight: sum((one) => one.inFlight),
    parked: sum((one) => one.parked),
    dying: sum((one) => one.dying),
    deadLetters: sum((one) => one.deadLetters),
    oldestAgeMs: oldest.length === 0 ? undefined : Math.max(0, nowMs - Math.min(...oldest)),
  };
}

function queueOf(group: string, depths: readonly ShareDepth[], nowMs: number): QueueDepth[] {
  return [...Map.groupBy(workOf(depths), ({ topic }) => topic)].map(([topic, partitions]) => ({
    group,
    topic,
    ...countsOf(partitions, nowMs),
    partitions,
  }));
}
