/**
 * What a call has used of the storage, for its line in the log. Where CloudWatch is to make metrics of it the line says so
 * itself (embedded metric format): it costs the bytes of the line and no time, where a call of PutMetricData would cost both
 * (docs/decisions/004-metrics-on-aws.md).
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import type { Labels, Metrics } from "../../ports/index.ts";

const NAMESPACE = "Brokerless";

/** Of a call: `ReadUnits` and `WriteUnits` as DynamoDB charges them, requests to S3, and requests that failed or were refused. */
type Used = Record<"ReadUnits" | "WriteUnits" | "S3Requests" | "StorageFailures", number>;

/** Counts for one call at a time, as a Lambda process answers them. */
export class CallUsage implements Metrics {
  #used: Used = nothing();

  count(name: string, by = 1, labels: Labels = {}): void {
    if (name === "dynamodb_read_units_total") this.#used.ReadUnits += by;
    else if (name === "dynamodb_write_units_total") this.#used.WriteUnits += by;
    else if (name === "aws_failures_total") this.#used.StorageFailures += by;
    else if (name === "aws_requests_total" && labels["service"] === "S3") this.#used.S3Requests += by;
  }

  gauge(): void {}

  observe(): void {}

  /** What was used since it was last asked, as fields of a line; zeros are left out. */
  take(): Partial<Used> {
    const used = this.#used;
    this.#used = nothing();
    return Object.fromEntries(Object.entries(used).filter(([, value]) => value > 0));
  }

  /** The same, with what makes metrics of it: one for each field and `table`, which tells deployments apart. */
  takeAsMetrics(table: string, nowMs: number): Record<string, unknown> {
    const used = this.take();
    const names = Object.keys(used);
    if (names.length === 0) return {};
    const metrics = names.map((Name) => ({ Name, Unit: "Count" }));
    const CloudWatchMetrics = [{ Namespace: NAMESPACE, Dimensions: [["Table"]], Metrics: metrics }];
    return { ...used, Table: table, _aws: { Timestamp: nowMs, CloudWatchMetrics } };
  }
}

function nothing(): Used {
  return { ReadUnits: 0, WriteUnits: 0, S3Requests: 0, StorageFailures: 0 };
}
