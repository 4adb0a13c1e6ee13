/** Lag as our own routes tell it. */
import * as z from "zod";
import { longest } from "../../lag/evaluate.ts";
import { STATUSES } from "../../lag/rules.ts";
import type { GroupLag, LagApi, PartitionLag } from "../../lag/types.ts";
import type { Exchange } from "../exchange.ts";

const status = z.enum(STATUSES).describe("Burrow's rules; docs/lag.md");
const time = {
  lag_seconds: z.number().describe("how long the first unread record has been waiting"),
  lag_seconds_precision: z.enum(["exact", "at_least"]),
};
const recent = z.array(z.int().nullable()).describe("the lag at the last commits, oldest first; null: not known");

const partitionSchema = z.object({
  topic: z.string(),
  partition: z.int(),
  status,
  current_offset: z.int(),
  committed_at: z.int(),
  log_start_offset: z.int(),
  log_end_offset: z.int(),
  lag: z.int(),
  lost_records: z.int().describe("of the lag: gone before the group read them"),
  beyond_end_records: z.int().describe("so far the commit is above the log end; above 0 the status is ERR"),
  ...time,
  records_in_per_second: z.number().nullable(),
  records_out_per_second: z.number().nullable(),
  catch_up_seconds: z.number().nullable().describe("at these rates; null: never, or not known"),
  recent_lags: recent,
  consumer_id: z.string().nullable(),
  instance_id: z.string().nullable(),
  client_id: z.string().nullable(),
  client_host: z.string().nullable(),
});

export const groupLagSchema = z.object({
  group: z.string(),
  status,
  complete: z.number().describe("0 to 1: the part of the partitions whose window is full"),
  total_lag: z.int(),
  ...time,
  partitions: z.array(partitionSchema),
});

export const lagRowSchema = z.object({
  group: z.string(),
  topic: z.string(),
  status,
  lag: z.int(),
  lost_records: z.int(),
  ...time,
  partitions: z.int(),
  catch_up_seconds: z.number().nullable().describe("of the slowest partition; null: never, or not known"),
  recent_lags: recent.describe("of the partition that is furthest behind"),
});

/** The operations are only there where lag is. */
export function lagOf({ surface }: Exchange): Promise<LagApi> {
  return (surface.lag as () => Promise<LagApi>)();
}

export function groupLagJson(lag: GroupLag): z.infer<typeof groupLagSchema> {
  return {
    group: lag.group,
    status: lag.status,
    complete: lag.complete,
    total_lag: lag.totalLag,
    lag_seconds: lag.maxTime.seconds,
    lag_seconds_precision: lag.maxTime.precision,
    partitions: lag.partitions.map((one) => ({
      topic: one.topic,
      partition: one.partition,
      status: one.status,
      current_offset: one.offset,
      committed_at: one.committedAtMs,
      log_start_offset: one.logStartOffset,
      log_end_offset: one.logEndOffset,
      lag: one.currentLag,
      lost_records: one.lostRecords,
      beyond_end_records: one.beyondEnd,
      lag_seconds: one.time.seconds,
      lag_seconds_precision: one.time.precision,
      records_in_per_second: one.rates?.inPerSecond ?? null,
      records_out_per_second: one.rates?.outPerSecond ?? null,
      catch_up_seconds: one.rates?.catchUpSeconds ?? null,
      recent_lags: recentLags(one),
      consumer_id: one.owner?.memberId ?? null,
      instance_id: one.owner?.instanceId ?? null,
      client_id: one.owner?.clientId ?? null,
      client_host: one.owner?.clientHost ?? null,
    })),
  };
}

/** One row for each topic of the group. */
export function lagRows({ group, partitions }: GroupLag): z.infer<typeof lagRowSchema>[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, of]) => {
    const furthest = of.reduce((most, one) => (one.currentLag > most.currentLag ? one : most));
    const behind = of.filter(({ currentLag }) => currentLag > 0).map(({ rates }) => rates?.catchUpSeconds);
    const { seconds, precision } = longest(of.map((one) => one.time));
    const worst = Math.max(...of.map((one) => STATUSES.indexOf(one.status)));
    return {
      group,
      topic,
      status: STATUSES[worst] as PartitionLag["status"],
      lag: of.reduce((sum, { currentLag }) => sum + currentLag, 0),
      lost_records: of.reduce((sum, { lostRecords }) => sum + lostRecords, 0),
      lag_seconds: seconds,
      lag_seconds_precision: precision,
      partitions: of.length,
      catch_up_seconds: behind.includes(undefined) ? null : Math.max(0, ...(behind as number[])),
      recent_lags: recentLags(furthest),
    };
  });
}

function recentLags({ window }: PartitionLag): (number | null)[] {
  return window.observations.map(({ lag }) => lag ?? null);
}
