/**
 * Alarms and pictures of queues (share groups). How old the oldest message is, over all queues, only where it is asked for: a message that
 * waits for its time is old, and well. Those that are named have alarms of their own: by age, by depth, by new dead letters.
 */
import {
  Alarm,
  ComparisonOperator,
  GraphWidget,
  type IAlarm,
  type IAlarmAction,
  type IMetric,
  LegendPosition,
  MathExpression,
  type Metric,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import { metricOf, PERIOD, worstOf } from "./lag.ts";
import type { QueueAlarm, QueueAlarms } from "./props.ts";
import type { LogStorage } from "./storage.ts";

export interface QueueMonitoringProps {
  readonly storage: LogStorage;
  readonly alarms: QueueAlarms;
  /** False leaves out the one over all queues: for an emulator that has no queries. */
  readonly queries: boolean;
  readonly actions: readonly IAlarmAction[];
}

export class QueueMonitoring extends Construct {
  readonly widgets: readonly GraphWidget[];
  readonly alarms: IAlarm[] = [];

  constructor(scope: Construct, id: string, { storage, alarms, queries, actions }: QueueMonitoringProps) {
    super(scope, id);
    const { seconds, queues = [] } = alarms;
    if (seconds !== undefined && queries) {
      const what = `A message has been waiting for ${seconds} s or longer. The contributors name the group and the topic`;
      this.#alarm(this, "Seconds", worstOf(storage, "QueueOldestSeconds"), seconds, 5, what, actions);
    }
    for (const named of queues) this.#watch(storage, named);
    const graph = (title: string, metric: string): GraphWidget =>
      new GraphWidget({
        title,
        left: [worstOf(storage, metric)],
        leftYAxis: { min: 0 },
        legendPosition: LegendPosition.RIGHT,
        width: 8,
      });
    this.widgets = [
      graph("Queues: seconds the oldest message waits", "QueueOldestSeconds"),
      graph("Queues: messages to be received", "QueueDepth"),
      graph("Queues: dead letters, ever", "QueueDeadLetters"),
    ];
  }

  #watch(storage: LogStorage, { group, topic, seconds, depth, deadLetters = true, actions = [] }: QueueAlarm): void {
    const scope = new Construct(this, `${encodeURIComponent(group)} ${encodeURIComponent(topic)}`);
    const metric = (name: string): Metric => metricOf(storage, { group, topic }, name);
    const queue = `the queue of group ${group} and topic ${topic}`;
    if (seconds !== undefined) {
      const what = `A message has been waiting for ${seconds} s or longer in ${queue}`;
      this.#alarm(scope, "Seconds", metric("QueueOldestSeconds"), seconds, 2, what, actions);
    }
    if (depth !== undefined) {
      const what = `${depth} messages or more are to be received from ${queue}`;
      this.#alarm(scope, "Depth", metric("QueueDepth"), depth, 2, what, actions);
    }
    if (!deadLetters) return;
    // The metric counts all that there ever were; what is told is that there are more.
    const more = new MathExpression({
      expression: "DIFF(dead)",
      usingMetrics: { dead: metric("QueueDeadLetters") },
      period: PERIOD,
    });
    this.#alarm(scope, "DeadLetters", more, 1, 1, `There are new dead letters of ${queue}`, actions);
  }

  #alarm(
    scope: Construct,
    id: string,
    metric: IMetric,
    threshold: number,
    minutes: number,
    what: string,
    actions: readonly IAlarmAction[],
  ): void {
    const made = new Alarm(scope, id, {
      metric,
      threshold,
      evaluationPeriods: minutes,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      // No queue, nothing to do; a reporter that does not run has an alarm of its own.
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `${what}; GET /v1/queues/{group} has the partitions.`,
    });
    made.addAlarmAction(...actions);
    this.alarms.push(made);
  }
}
