/** What a call's line says of the storage it used, in the format that CloudWatch makes metrics of. */
import { describe, expect, test } from "vitest";
import { CallUsage } from "../../../../lib/http/lambda/usage.ts";

function used(): CallUsage {
  const usage = new CallUsage();
  usage.count("dynamodb_read_units_total", 1.5);
  usage.count("dynamodb_write_units_total", 2);
  usage.count("dynamodb_write_units_total", 1);
  usage.count("aws_requests_total", 1, { service: "S3", operation: "PutObject" });
  usage.count("aws_requests_total", 1, { service: "DynamoDB", operation: "PutItem" });
  usage.count("http_requests_total", 1);
  return usage;
}

describe("the usage of a call", () => {
  test("is counted from call to call", () => {
    const usage = used();
    expect(usage.take()).toEqual({ ReadUnits: 1.5, WriteUnits: 3, S3Requests: 1 });
    usage.count("aws_failures_total", 1, { reason: "throttled" });
    expect(usage.take()).toEqual({ StorageFailures: 1 });
    expect(usage.take()).toEqual({});
  });

  test("names each of its numbers as a metric, under one dimension alone", () => {
    const line = used().takeAsMetrics("events", 1_700_000_000_000) as Record<string, unknown>;
    expect(line).toMatchObject({ ReadUnits: 1.5, WriteUnits: 3, S3Requests: 1, Table: "events" });
    const { Timestamp, CloudWatchMetrics } = line["_aws"] as {
      Timestamp: number;
      CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string }[] }[];
    };
    expect(Timestamp).toBe(1_700_000_000_000);
    expect(CloudWatchMetrics).toHaveLength(1);
    expect(CloudWatchMetrics[0]?.Dimensions).toEqual([["Table"]]);
    for (const { Name } of CloudWatchMetrics[0]?.Metrics ?? []) expect(typeof line[Name]).toBe("number");
    expect(CloudWatchMetrics[0]?.Metrics.map(({ Name }) => Name)).toEqual(["ReadUnits", "WriteUnits", "S3Requests"]);
  });

  test("adds nothing to the line of a call that used nothing", () => {
    expect(new CallUsage().takeAsMetrics("events", 0)).toEqual({});
  });
});
