import { expect, test } from "vitest";
import { ProcessMetrics } from "../../../lib/server/metrics.ts";

test("counters, gauges and distributions are shown as Prometheus reads them", () => {
  const metrics = new ProcessMetrics();
  const labels = { operation: "read", status: "200" };
  metrics.count("requests_total", 1, labels);
  metrics.count("requests_total", 2, labels);
  metrics.count("requests_total", 1, { operation: 'a"b\\c\nd', status: "500" });
  metrics.gauge("held_bytes", 7);
  metrics.observe("latency_ms", 0.3);
  metrics.observe("latency_ms", 7);
  metrics.observe("latency_ms", 99_999);
  const lines = metrics.text().split("\n");
  expect(lines).toContain("# TYPE brokerless_requests_total counter");
  expect(lines).toContain('brokerless_requests_total{operation="read",status="200"} 3');
  expect(lines).toContain('brokerless_requests_total{operation="a\\"b\\\\c\\nd",status="500"} 1');
  expect(lines).toContain("# TYPE brokerless_held_bytes gauge");
  expect(lines).toContain("brokerless_held_bytes 7");
  expect(lines).toContain("# TYPE brokerless_latency_ms histogram");
  expect(lines).toContain('brokerless_latency_ms_bucket{le="0.25"} 0');
  expect(lines).toContain('brokerless_latency_ms_bucket{le="0.5"} 1');
  expect(lines).toContain('brokerless_latency_ms_bucket{le="10"} 2');
  expect(lines).toContain('brokerless_latency_ms_bucket{le="+Inf"} 3');
  expect(lines).toContain("brokerless_latency_ms_sum 100006.3");
  expect(lines).toContain("brokerless_latency_ms_count 3");
});
