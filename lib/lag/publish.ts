/**
 * A group's lag as gauges, by group and topic: never by partition, which would be a metric each, and cost as many times as
 * much. The worst partition of a topic stands for it; `consumer_status` is the place of its status in `STATUSES`.
 */
import type { Metrics } from "../ports/index.ts";
import { longest } from "./evaluate.ts";
import { STATUSES } from "./rules.ts";
import type { GroupLag, PartitionLag } from "./types.ts";

export function publishLag(metrics: Metrics, { group, partitions }: GroupLag): void {
  const topics = new Map<string, PartitionLag[]>();
  for (const partition of partitions) {
    const of = topics.get(partition.topic);
    if (of === undefined) topics.set(partition.topic, [partition]);
    else of.push(partition);
  }
  for (const [topic, of] of topics) {
    const labels = { group, topic };
    const lost = sum(of.map(({ lostRecords }) => lostRecords));
    metrics.gauge("consumer_lag", sum(of.map(({ currentLag }) => currentLag)), labels);
    metrics.gauge("consumer_lag_seconds", longest(of.map(({ time }) => time)).seconds, labels);
    metrics.gauge("consumer_status", Math.max(...of.map(({ status }) => STATUSES.indexOf(status))), labels);
    if (lost > 0) metrics.gauge("consumer_lost_records", lost, labels);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
