/**
 * Lag as gauges in Prometheus's text format, by the names and labels that dashboards for Burrow and for kafka-lag-exporter ask
 * for; and queues by names of our own. Pure. A partition that several groups read is told of once.
 */

import { countsOf, type QueueDepth } from "../../lag/queues.ts";
import { STATUSES } from "../../lag/rules.ts";
import type { GroupLag } from "../../lag/types.ts";

type Labels = Readonly<Record<string, string | number>>;

/** What a scrape is answered: each series once, its samples together under its type. */
class Exposition {
  readonly #series = new Map<string, Map<string, number>>();
  readonly #counters = new Set<string>();

  gauge(name: string, value: number, labels: Labels): void {
    const of = this.#series.get(name) ?? new Map<string, number>();
    this.#series.set(name, of.set(labelText(labels), value));
  }

  counter(name: string, value: number, labels: Labels): void {
    this.#counters.add(name);
    this.gauge(name, value, labels);
  }

  text(): string {
    const lines: string[] = [];
    for (const [name, of] of this.#series) {
      lines.push(`# TYPE ${name} ${this.#counters.has(name) ? "counter" : "gauge"}`);
      for (const [labels, value] of of) lines.push(`${name}{${labels}} ${value}`);
    }
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }
}

/** A queue with nothing in it is told of too: its alarm ends. */
export function queueText(queues: readonly QueueDepth[], nowMs: number): string {
  const shown = new Exposition();
  for (const { group, partitions } of queues) {
    for (const one of partitions) {
      const labels = { group, topic: one.topic, partition: one.partition };
      shown.gauge("brokerless_queue_depth", one.depth, labels);
      shown.gauge("brokerless_queue_in_flight", one.inFlight, labels);
      shown.gauge("brokerless_queue_parked", one.parked, labels);
      shown.gauge("brokerless_queue_dying", one.dying, labels);
      shown.gauge("brokerless_queue_oldest_seconds", (countsOf([one], nowMs).oldestAgeMs ?? 0) / 1000, labels);
      shown.counter("brokerless_queue_dead_letters_total", one.deadLetters, labels);
    }
  }
  return shown.text();
}

export function lagText(cluster: string, groups: readonly GroupLag[]): string {
  const shown = new Exposition();
  const gauge = shown.gauge.bind(shown);
  for (const { group, status: groupStatus, totalLag, maxLag, maxTime, partitions } of groups) {
    const burrow = { cluster, consumer_group: group };
    const exporter = { cluster_name: cluster, group };
    gauge("burrow_kafka_consumer_lag_total", totalLag, burrow);
    gauge("burrow_kafka_consumer_status", STATUSES.indexOf(groupStatus), burrow);
    gauge("kafka_consumergroup_group_max_lag", maxLag?.currentLag ?? 0, exporter);
    gauge("kafka_consumergroup_group_max_lag_seconds", maxTime.seconds, exporter);
    gauge("kafka_consumergroup_group_sum_lag", totalLag, exporter);
    for (const [topic, of] of Map.groupBy(partitions, (one) => one.topic)) {
      const sum = of.reduce((total, { currentLag }) => total + currentLag, 0);
      gauge("kafka_consumergroup_group_topic_sum_lag", sum, { ...exporter, topic });
    }
    for (const one of partitions) {
      const { topic, partition, offset, currentLag, time, status, logStartOffset, logEndOffset, lostRecords, beyondEnd, owner } =
        one;
      const where = { topic, partition };
      const member = {
        member_host: owner?.clientHost ?? "",
        consumer_id: owner?.memberId ?? "",
        client_id: owner?.clientId ?? "",
      };
      const consumer = { ...exporter, ...where, ...member };
      gauge("burrow_kafka_consumer_partition_lag", currentLag, { ...burrow, ...where });
      gauge("burrow_kafka_consumer_current_offset", offset, { ...burrow, ...where });
      gauge("kafka_consumergroup_group_offset", offset, consumer);
      gauge("kafka_consumergroup_group_lag", currentLag, consumer);
      gauge("kafka_consumergroup_group_lag_seconds", time.seconds, consumer);
      gauge("brokerless_consumer_lost_records", lostRecords, { group, ...where });
      gauge("brokerless_consumer_beyond_end_records", beyondEnd, { group, ...where });
      gauge("brokerless_consumer_status", STATUSES.indexOf(status), { group, ...where });
      if (logEndOffset < 0) continue;
      gauge("burrow_kafka_topic_partition_offset", logEndOffset, { cluster, ...where });
      gauge("kafka_partition_latest_offset", logEndOffset, { cluster_name: cluster, ...where });
      gauge("kafka_partition_earliest_offset", logStartOffset, { cluster_name: cluster, ...where });
    }
  }
  return shown.text();
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${String(value).replace(/[\\"\n]/g, (one) => (one === "\n" ? "\\n" : `\\${one}`))}"`)
    .join(",");
}
