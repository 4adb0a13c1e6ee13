/**
 * Alarms on the lag of consumer groups: by status (Burrow's rules, no threshold to choose), by seconds, by records. Each is one
 * alarm over all groups and topics, by a query of Metrics Insights, which names the group and topic that are worst; a group that
 * comes up later is in it. One composite alarm tells people, so that one cause gives one message.
 */
import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  AlarmRule,
  AlarmState,
  Color,
  ComparisonOperator,
  CompositeAlarm,
  GraphWidget,
  type HorizontalAnnotation,
  type IAlarm,
  type IAlarmAction,
  LegendPosition,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { LagAlarms, LagGroupAlarm } from "./props.ts";
import type { LogStorage } from "./storage.ts";

/** Where the reporter puts its metrics, with the table, the group and the topic as dimensions. */
export const LAG_NAMESPACE = "Brokerless/Lag";
/** The numbers of `ConsumerStatus`: OK 1, WARN 2, ERR 3, STOP 4, STALL 5, REWIND 6. */
const WARN = 2;
const ERR = 3;
const DEFAULT_SECONDS = 900;
export const PERIOD = Duration.minutes(1);

export interface LagMonitoringProps {
  readonly storage: LogStorage;
  readonly alarms: LagAlarms;
  /** False leaves out those over all groups: for an emulator that has neither queries nor composite alarms. */
  readonly queries: boolean;
  readonly actions: readonly IAlarmAction[];
}

export class LagMonitoring extends Construct {
  /** What hurts first: the status, then the wait, then the records; a line a group and topic, the worst on top. */
  readonly widgets: readonly GraphWidget[];
  readonly alarms: IAlarm[] = [];

  constructor(scope: Construct, id: string, { storage, alarms, queries, actions }: LagMonitoringProps) {
    super(scope, id);
    const worst = (metric: string): MathExpression => worstOf(storage, metric);
    if (queries) this.#alarm(worst, alarms, actions);
    for (const named of alarms.groups ?? []) this.#watch(storage, named);
    const graph = (title: string, metric: string, ...limits: (HorizontalAnnotation | undefined)[]): GraphWidget =>
      new GraphWidget({
        title,
        left: [worst(metric)],
        leftYAxis: { min: 0 },
        leftAnnotations: limits.filter((one) => one !== undefined),
        legendPosition: LegendPosition.RIGHT,
        width: 12,
      });
    const { seconds = DEFAULT_SECONDS, records } = alarms;
    const limit = (value: number | undefined): HorizontalAnnotation | undefined =>
      value === undefined ? undefined : { value, label: "alarm", color: Color.RED };
    this.widgets = [
      graph(
        "Consumers: status (2 slow; 3 error, 4 stopped, 5 stands still, 6 went back)",
        "ConsumerStatus",
        { value: WARN, label: "WARN", color: Color.ORANGE },
        { value: ERR, label: "ERR: alarm", color: Color.RED },
      ),
      graph("Consumers: seconds behind", "ConsumerLagSeconds", limit(seconds)),
      graph("Consumers: records behind", "ConsumerLag", limit(records)),
      graph("Consumers: records lost unread (none is well)", "ConsumerLostRecords"),
    ];
  }

  /** Plain ones, on what one group is of one topic. */
  #watch(storage: LogStorage, { group, topic, seconds, records, actions = [] }: LagGroupAlarm): void {
    const scope = new Construct(this, `${encodeURIComponent(group)} ${encodeURIComponent(topic)}`);
    const over = (id: string, metricName: string, threshold: number, what: string): void => {
      const made = new Alarm(scope, id, {
        metric: metricOf(storage, { group, topic }, metricName),
        threshold,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: 2,
        treatMissingData: TreatMissingData.NOT_BREACHING,
        alarmDescription: `Group ${group} ${what} topic ${topic}; GET /v1/groups/${encodeURIComponent(group)}/lag has the partitions.`,
      });
      made.addAlarmAction(...actions);
      this.alarms.push(made);
    };
    over("Status", "ConsumerStatus", ERR, "has stopped (4), stands still (5), went back (6) or cannot go on (3) in");
    if (seconds !== undefined) over("Seconds", "ConsumerLagSeconds", seconds, `is ${seconds} s or more behind in`);
    if (records !== undefined) over("Records", "ConsumerLag", records, `is ${records} records or more behind in`);
  }

  #alarm(worst: (metric: string) => MathExpression, alarms: LagAlarms, actions: readonly IAlarmAction[]): void {
    const over = (name: string, metric: string, threshold: number, minutes: number, what: string): Alarm =>
      new Alarm(this, name, {
        metric: worst(metric),
        threshold,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: minutes,
        // No group, no lag; a reporter that does not run has an alarm of its own.
        treatMissingData: TreatMissingData.NOT_BREACHING,
        alarmDescription: `${what} The contributors name the group and the topic; GET /v1/groups/{group}/lag has the partitions.`,
      });
    const { seconds = DEFAULT_SECONDS, records } = alarms;
    const made = [
      over(
        "Status",
        "ConsumerStatus",
        ERR,
        2,
        "A consumer has stopped (4), stands still (5), went back (6) or cannot go on (3).",
      ),
      over("Seconds", "ConsumerLagSeconds", seconds, 5, `Records have been waiting for a consumer for ${seconds} s or longer.`),
      ...(records === undefined
        ? []
        : [over("Records", "ConsumerLag", records, 5, `A consumer is ${records} records or more behind.`)]),
    ];
    const behind = new CompositeAlarm(this, "ConsumersBehind", {
      alarmRule: AlarmRule.anyOf(...made.map((one) => AlarmRule.fromAlarm(one, AlarmState.ALARM))),
      alarmDescription: "Consumers are behind or in trouble: of the alarms in the rule, those that are on say who and how.",
    });
    behind.addAlarmAction(...actions);
    this.alarms.push(behind, ...made);
  }
}

/** What the reporter tells of one group and topic. */
export function metricOf(
  { table }: LogStorage,
  { group, topic }: { readonly group: string; readonly topic: string },
  metricName: string,
): Metric {
  return new Metric({
    namespace: LAG_NAMESPACE,
    metricName,
    dimensionsMap: { Table: table.tableName, Group: group, Topic: topic },
    period: PERIOD,
    statistic: Stats.MAXIMUM,
  });
}

/** One line a group and topic, the worst first. */
export function worstOf({ table }: LogStorage, metric: string): MathExpression {
  const schema = `SCHEMA("${LAG_NAMESPACE}", "Table", "Group", "Topic")`;
  return new MathExpression({
    expression: `SELECT MAX(${metric}) FROM ${schema} WHERE "Table" = '${table.tableName}' GROUP BY "Group", "Topic" ORDER BY MAX() DESC`,
    period: PERIOD,
    label: "",
  });
}
