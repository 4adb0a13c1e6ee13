/** What tells people that something is wrong, and shows what. */
import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  AlarmStatusWidget,
  AlarmStatusWidgetSortBy,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IAlarm,
  type IAlarmAction,
  type IMetric,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { LogFunction } from "./functions.ts";
import type { Gateway } from "./gateway.ts";
import { LagMonitoring } from "./lag.ts";
import type { LagAlarms, QueueAlarms } from "./props.ts";
import { QueueMonitoring } from "./queues.ts";
import type { LogStorage } from "./storage.ts";

export interface ScheduledJob {
  readonly function: LogFunction;
  readonly every: Duration;
}

export interface MonitoringProps {
  /** Those that callers start. */
  readonly functions: Readonly<Record<string, LogFunction>>;
  /** Those that schedules start. */
  readonly jobs: Readonly<Record<string, ScheduledJob>>;
  readonly gateway: Gateway;
  readonly storage: LogStorage;
  readonly alarmActions: readonly IAlarmAction[];
  readonly lagAlarms: LagAlarms;
  readonly queueAlarms: QueueAlarms;
  /** Alarms that ask queries, over all groups. */
  readonly lagQueries: boolean;
  readonly dashboard: boolean;
}

/** A widget of the dashboard takes so many. */
const ALARMS_SHOWN = 100;
/** Shorter ones would tell of every hiccup. */
const LEAST_JOB_PERIOD_MINUTES = 5;
const EVERY = { period: Duration.minutes(1), statistic: Stats.SUM };

export class Monitoring extends Construct {
  readonly #alarms: IAlarm[] = [];

  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    const { functions, gateway, storage } = props;
    const alarm = (name: string, metric: IMetric, what: string): void => {
      const made = new Alarm(this, name, {
        metric,
        threshold: 1,
        evaluationPeriods: 5,
        datapointsToAlarm: 2,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        // Nothing runs while nobody calls.
        treatMissingData: TreatMissingData.NOT_BREACHING,
        alarmDescription: what,
      });
      made.addAlarmAction(...props.alarmActions);
      this.#alarms.push(made);
    };
    for (const [name, { lambda }] of Object.entries(functions)) {
      alarm(
        `${name}Errors`,
        lambda.metricErrors(EVERY),
        `The ${name} function crashed or ran out of time; its log group has the cause.`,
      );
      alarm(
        `${name}Throttles`,
        lambda.metricThrottles(EVERY),
        `Lambda refuses calls of the ${name} function: raise maxConcurrency or the account's limit.`,
      );
    }
    for (const [name, job] of Object.entries(props.jobs)) this.#watchJob(name, job, props.alarmActions);
    alarm(
      "ApiServerErrors",
      gateway.serverErrors.with(EVERY),
      "The API answers 5xx; the api function's log group has a line for each.",
    );
    for (const [name, metric] of Object.entries(throttles(storage)))
      alarm(`Table${name}`, metric, "DynamoDB refuses requests: a partition or the table is at its limit.");
    const lag = new LagMonitoring(this, "Lag", {
      storage,
      alarms: props.lagAlarms,
      queries: props.lagQueries,
      actions: props.alarmActions,
    });
    const queues = new QueueMonitoring(this, "Queues", {
      storage,
      alarms: props.queueAlarms,
      queries: props.lagQueries,
      actions: props.alarmActions,
    });
    this.#alarms.unshift(...lag.alarms, ...queues.alarms);
    if (props.dashboard) this.#show(props, [...lag.widgets, ...queues.widgets]);
  }

  /**
   * A job that fails tries again at its next time, so one failure is nothing; and one that no longer runs at all has no failures.
   * Both are told from Lambda's own metrics, which cost nothing and are there (or missing) whatever our code does.
   *
   * An alarm begins without data, and a job begins to run some minutes after it. So missing data is not failure, which would
   * call people after each first deployment: the alarm goes back to "insufficient data" where the runs cease, and calls them
   * with that change. What it cannot tell is a job that never ran since it was deployed: `docs/aws.md` says where to look.
   */
  #watchJob(name: string, { function: { lambda }, every }: ScheduledJob, actions: readonly IAlarmAction[]): void {
    const period = Duration.minutes(Math.max(LEAST_JOB_PERIOD_MINUTES, every.toMinutes()));
    const failures = new Alarm(this, `${name}Failures`, {
      metric: lambda.metricErrors({ period, statistic: Stats.SUM }),
      threshold: 1,
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `The ${name} job fails again and again; its log group has the cause. What it does is left undone meanwhile.`,
    });
    const age = new Alarm(this, `${name}Age`, {
      // Of each run one value: 0 where it succeeded.
      metric: lambda.metricErrors({ period, statistic: Stats.MINIMUM }),
      threshold: 1,
      evaluationPeriods: 3,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.MISSING,
      alarmDescription: `The ${name} job has not succeeded for ${3 * period.toMinutes()} minutes or, where there is no data, no longer runs: is its schedule on, and does it end in time?`,
    });
    for (const made of [failures, age]) made.addAlarmAction(...actions);
    this.#alarms.push(failures, age);
    age.addInsufficientDataAction(...actions);
  }

  #show({ functions, jobs, gateway, storage }: MonitoringProps, consumers: readonly GraphWidget[]): void {
    const graph = (title: string, ...left: IMetric[]): GraphWidget => new GraphWidget({ title, left, width: 8 });
    const dashboard = new Dashboard(this, "Dashboard", { defaultInterval: Duration.hours(3) });
    // What is wrong first, those that are on in front; then the consumers, then what serves them.
    dashboard.addWidgets(
      new AlarmStatusWidget({
        title: "Alarms",
        alarms: this.#alarms.slice(0, ALARMS_SHOWN),
        sortBy: AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP,
        width: 24,
        height: 4,
      }),
    );
    dashboard.addWidgets(...consumers);
    dashboard.addWidgets(
      graph("Requests", gateway.requests),
      graph("Refused and failed", gateway.clientErrors, gateway.serverErrors),
      graph("Latency p99", gateway.latencyP99),
    );
    const all = { ...functions, ...Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.function])) };
    for (const [name, { lambda }] of Object.entries(all)) {
      dashboard.addWidgets(
        graph(`${name}: calls`, lambda.metricInvocations(EVERY), lambda.metricErrors(EVERY), lambda.metricThrottles(EVERY)),
        graph(
          `${name}: duration`,
          lambda.metricDuration({ statistic: Stats.p(50) }),
          lambda.metricDuration({ statistic: Stats.p(99) }),
        ),
        graph(`${name}: at once`, lambda.metric("ConcurrentExecutions", { statistic: Stats.MAXIMUM })),
      );
    }
    dashboard.addWidgets(
      graph(
        "Table: consumed units",
        tableMetric(storage, "ConsumedReadCapacityUnits"),
        tableMetric(storage, "ConsumedWriteCapacityUnits"),
      ),
      graph("Table: throttled", ...Object.values(throttles(storage))),
      graph("Bucket: bytes", bucketBytes(storage)),
    );
  }
}

function tableMetric({ table }: LogStorage, metricName: string): Metric {
  return new Metric({ namespace: "AWS/DynamoDB", metricName, dimensionsMap: { TableName: table.tableName }, ...EVERY });
}

function throttles(storage: LogStorage): Readonly<Record<string, Metric>> {
  return {
    ReadThrottles: tableMetric(storage, "ReadThrottleEvents"),
    WriteThrottles: tableMetric(storage, "WriteThrottleEvents"),
  };
}

function bucketBytes({ bucket }: LogStorage): Metric {
  return new Metric({
    namespace: "AWS/S3",
    metricName: "BucketSizeBytes",
    dimensionsMap: { BucketName: bucket.bucketName, StorageType: "StandardStorage" },
    period: Duration.days(1),
    statistic: Stats.AVERAGE,
  });
}
