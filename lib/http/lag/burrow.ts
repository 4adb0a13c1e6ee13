/** Lag in Burrow's JSON (https://github.com/linkedin/Burrow/wiki/HTTP-Endpoint). Pure. */
import type { GroupLag, PartitionLag } from "../../lag/types.ts";
import type { Observation } from "../../lag/window.ts";

export interface BurrowOffset {
  readonly offset: number;
  readonly timestamp: number;
  readonly observedAt: number;
  readonly lag: number | null;
}

export interface BurrowPartition {
  readonly topic: string;
  readonly partition: number;
  readonly owner: string;
  readonly client_id: string;
  readonly status: string;
  readonly start: BurrowOffset | null;
  readonly end: BurrowOffset | null;
  readonly current_lag: number;
  readonly complete: number;
}

/** `all`: with the partitions that are OK, as `/lag` has them. */
export function burrowStatus(cluster: string, lag: GroupLag, all: boolean) {
  const partitions = lag.partitions.filter(({ status }) => all || status !== "OK").map(burrowPartition);
  return {
    cluster,
    group: lag.group,
    status: lag.status,
    complete: lag.complete,
    partitions,
    partition_count: lag.partitions.length,
    maxlag: lag.maxLag === undefined ? null : burrowPartition(lag.maxLag),
    totallag: lag.totalLag,
  };
}

/** What Burrow answers, with 404, for a group that it does not know. */
export function burrowNotFound(cluster: string, group: string) {
  return {
    cluster,
    group,
    status: "NOTFOUND",
    complete: 1,
    partitions: [],
    partition_count: 0,
    maxlag: null,
    totallag: 0,
  };
}

/** The windows themselves, by topic; a partition that has no commit yet has no offsets. */
export function burrowConsumer({ partitions }: GroupLag, intervals: number) {
  const topics: Record<string, object[]> = {};
  for (const { topic, partition, window, owner, currentLag } of partitions) {
    topics[topic] ??= [];
    const list = topics[topic];
    while (list.length < partition) list.push({ offsets: [], owner: "", client_id: "", "current-lag": 0 });
    const missing = Array.from({ length: Math.max(0, intervals - window.observations.length) }, () => null);
    list.push({
      offsets: [...missing, ...window.observations.map(burrowOffset)],
      owner: owner?.clientHost ?? "",
      client_id: owner?.clientId ?? "",
      "current-lag": currentLag,
    });
  }
  return topics;
}

function burrowPartition({ topic, partition, owner, status, window, currentLag, complete }: PartitionLag): BurrowPartition {
  const first = window.observations[0];
  const last = window.observations.at(-1);
  return {
    topic,
    partition,
    owner: owner?.clientHost ?? "",
    client_id: owner?.clientId ?? "",
    status,
    start: first === undefined ? null : burrowOffset(first),
    end: last === undefined ? null : burrowOffset(last),
    current_lag: currentLag,
    complete,
  };
}

function burrowOffset({ offset, timestampMs, observedAtMs, lag }: Observation): BurrowOffset {
  return { offset, timestamp: timestampMs, observedAt: observedAtMs, lag: lag ?? null };
}
