import { expect, test } from "vitest";
import { CloudWatchMetrics } from "../../../../lib/storage/aws/cloudwatch.ts";
import { manualClock } from "./support.ts";

function bench(...statuses: number[]) {
  const bodies: URLSearchParams[] = [];
  const metrics = new CloudWatchMetrics({
    clock: { ...manualClock(), sleep: async () => {} },
    endpoint: "https://monitoring.us-east-1.amazonaws.com",
    namespace: "Brokerless/Lag",
    dimensions: { Table: "t" },
    fetch: async (_url, { body }) => {
      bodies.push(new URLSearchParams(body as string));
      const status = statuses.shift() ?? 200;
      return new Response(status === 400 ? "<Code>Throttling</Code>" : status === 403 ? "AccessDenied" : "", { status });
    },
  });
  return { metrics, bodies };
}

test("gauges are sent as metrics of a namespace, with dimensions, units and their time", async () => {
  const { metrics, bodies } = bench();
  metrics.gauge("consumer_lag", 17, { group: "billing", topic: "clicks" });
  metrics.gauge("consumer_lag_seconds", 1.5, { group: ":größe 1%", topic: "clicks" });
  expect(await metrics.flush()).toBe(2);
  const [sent] = bodies;
  expect(Object.fromEntries(sent ?? [])).toMatchObject({
    Action: "PutMetricData",
    Namespace: "Brokerless/Lag",
    "MetricData.member.1.MetricName": "ConsumerLag",
    "MetricData.member.1.Value": "17",
    "MetricData.member.1.Unit": "Count",
    "MetricData.member.1.Dimensions.member.1.Name": "Table",
    "MetricData.member.1.Dimensions.member.2.Value": "billing",
    "MetricData.member.1.Dimensions.member.3.Name": "Topic",
    "MetricData.member.2.Unit": "Seconds",
    // What CloudWatch does not take is written as in a URL, so that names stay apart.
    "MetricData.member.2.Dimensions.member.2.Value": "%3Agr%C3%B6%C3%9Fe%201%25",
  });
  expect(await metrics.flush()).toBe(0);
  expect(bodies).toHaveLength(1);
});

test("many values go in several requests, and what is throttled or failed is sent again", async () => {
  const { metrics, bodies } = bench(503, 400, 200, 200);
  for (let i = 0; i < 501; i++) metrics.gauge("consumer_lag", i, { group: `g${i}`, topic: "t" });
  expect(await metrics.flush()).toBe(501);
  expect(bodies).toHaveLength(4);
  expect(bodies[3]?.has("MetricData.member.2.Value")).toBe(false);
});

test("what CloudWatch refuses is an error that says so", async () => {
  const { metrics, bodies } = bench(403);
  metrics.gauge("consumer_lag", 1);
  await expect(metrics.flush()).rejects.toMatchObject({ kind: "unavailable", message: expect.stringContaining("AccessDenied") });
  expect(bodies).toHaveLength(1);
});
