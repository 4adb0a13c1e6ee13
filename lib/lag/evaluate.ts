/** From a look at a group to what is told of it. Pure. */
import type { GroupLook, PartitionLook } from "./look.ts";
import { positionOf } from "./position.ts";
import { completeness, groupVerdict, partitionStatus } from "./rules.ts";
import type { LagSettings } from "./settings.ts";
import { type TimeLag, timeLag } from "./time.ts";
import type { GroupLag, Owner, PartitionLag } from "./types.ts";
import { ratesOf } from "./window.ts";

/** By topic id and partition. */
export type Owners = (topicId: string, partition: number) => Owner | undefined;

const NO_OWNERS: Owners = () => undefined;

export function evaluate({ group, blocks, nowMs }: GroupLook, settings: LagSettings, owners: Owners = NO_OWNERS): GroupLag {
  const partitions = blocks
    .flatMap((block) => block.partitions.map((look) => evaluatePartition(look, settings, nowMs, owners)))
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
  const lastCommitMs = partitions.reduce((latest, { committedAtMs }) => Math.max(latest, committedAtMs), -1);
  return {
    group,
    ...groupVerdict(partitions),
    maxTime: longest(partitions.map(({ time }) => time)),
    lastCommitMs,
    expired: nowMs - lastCommitMs > settings.expireMs,
    partitions,
  };
}

/** A bound that is as long as an exact time says less than it. */
export function longest(times: readonly TimeLag[]): TimeLag {
  return times.reduce<TimeLag>(
    (most, time) =>
      time.seconds > most.seconds || (time.seconds === most.seconds && time.precision === "at_least") ? time : most,
    { seconds: 0, precision: "exact" },
  );
}

function evaluatePartition(
  { topic, partition, entry, head, window }: PartitionLook,
  settings: LagSettings,
  nowMs: number,
  owners: Owners,
): PartitionLag {
  const { offset, committedAtMs } = entry;
  const { lag: currentLag, lostRecords, beyondEnd } = positionOf(offset, head ?? { start: 0, next: offset });
  const status = partitionStatus({ window, currentLag, broken: head === undefined || beyondEnd > 0 }, settings, nowMs);
  return {
    topic: topic.name,
    partition,
    offset,
    committedAtMs,
    logStartOffset: head?.start ?? -1,
    logEndOffset: head?.next ?? -1,
    currentLag,
    lostRecords,
    beyondEnd,
    time: head === undefined ? { seconds: 0, precision: "at_least" } : timeLag(offset, head, window.unreadSinceMs, nowMs),
    status,
    complete: completeness(window, settings.intervals),
    window,
    rates: ratesOf(window, currentLag),
    owner: owners(topic.id, partition),
  };
}
