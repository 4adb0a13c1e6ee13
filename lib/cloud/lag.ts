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
  ComparisonOperator,
  CompositeAlarm,
  GraphWidget,
  type IAlarmAction,
  MathExpression,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { LagAlarms } from "./props.ts";
import type { LogStorage } from "./storage.ts";

/** Where the reporter puts its metrics, with the table, the group and the topic as dimensions. */
export const LAG_NAMESPACE = "Brokerless/Lag";
/** The numbers of `ConsumerStatus`: OK 1, WARN 2, ERR 3, STOP 4, STALL 5, REWIND 6. */
const ERR = 3;
const DEFAULT_SECONDS = 900;
const PERIOD = Duration.minutes(1);

export interface LagMonitoringProps {
  readonly storage: LogStorage;
  /** Undefined: none, for an emulator that has neither queries nor composite alarms. */
  readonly alarms: LagAlarms | undefined;
  readonly actions: readonly IAlarmAction[];
}

export class LagMonitoring extends Construct {
  readonly widgets: readonly GraphWidget[];

  constructor(scope: Construct, id: string, { storage, alarms, actions }: LagMonitoringProps) {
    super(scope, id);
    const worst = (metric: string): MathExpression => worstOf(storage, metric);
    if (alarms !== undefined) this.#alarm(worst, alarms, actions);
    const graph = (title: string, metric: string): GraphWidget => new GraphWidget({ title, left: [worst(metric)], width: 8 });
    this.widgets = [
      graph("Consumers: records behind", "ConsumerLag"),
      graph("Consumers: seconds behind", "ConsumerLagSeconds"),
      graph("Consumers: status (3 and above: in trouble)", "ConsumerStatus"),
    ];
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
  }
}

/** One line a group and topic, the worst first. */
function worstOf({ table }: LogStorage, metric: string): MathExpression {
  const schema = `SCHEMA("${LAG_NAMESPACE}", "Table", "Group", "Topic")`;
  return new MathExpression({
    expression: `SELECT MAX(${metric}) FROM ${schema} WHERE "Table" = '${table.tableName}' GROUP BY "Group", "Topic" ORDER BY MAX() DESC`,
    period: PERIOD,
    label: "",
  });
}
