/**
 * Lag on AWS as its schedule looks at it: the lag function runs by itself and puts metrics, the plain alarm of a group goes off
 * when its consumer stops and back when it has caught up, and a notifier tells a webhook of the rest. Waits for EventBridge
 * Scheduler and for whole minutes of CloudWatch, so it takes minutes.
 */
import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { type Deployment, deployTo } from "../../.ci/aws-local.ts";
import { Brokerless } from "../../lib/client/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";

const endpoint = inject("awsEndpoint");
const GROUP = "billing";
const TOPIC = "orders";
const RECORDS_MOST = 50;
/** The first look comes after a minute; an alarm wants two whole ones. */
const WITHIN_MS = 420_000;

describe("lag of a deployment", () => {
  const stack = `Lag${randomUUID().slice(0, 8)}`;
  let deployed: Deployment;
  let client: Brokerless;

  beforeAll(async () => {
    deployed = await deployTo(endpoint, [`name=${stack}`, `lagAlarm=${GROUP}:${TOPIC}:${RECORDS_MOST}`]);
    client = new Brokerless({ url: deployed.url });
  });

  async function cloudWatch(fields: Record<string, string>): Promise<string> {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        // Emulators tell services apart by the scope; they check no signature.
        authorization:
          "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0",
      },
      body: new URLSearchParams({ Version: "2010-08-01", ...fields }).toString(),
    });
    const said = await response.text();
    expect(response.status, said).toBe(200);
    return said;
  }

  /** Of the deployment's own alarm on records: its state. */
  async function alarmState(): Promise<string | undefined> {
    const said = await cloudWatch({ Action: "DescribeAlarms", MaxRecords: "100" });
    const own = said
      .split("<member>")
      .filter((one) => one.includes(`<AlarmName>${stack}-`) && one.includes("<MetricName>ConsumerLag</MetricName>"));
    return own.map((one) => /<StateValue>(\w+)</.exec(one)?.[1])[0];
  }

  /** Values of a metric of the group in the last minutes. */
  async function published(metric: string): Promise<number[]> {
    const nowMs = systemClock.nowMs();
    const said = await cloudWatch({
      Action: "GetMetricStatistics",
      Namespace: "Brokerless/Lag",
      MetricName: metric,
      StartTime: new Date(nowMs - 600_000).toISOString(),
      EndTime: new Date(nowMs + 60_000).toISOString(),
      Period: "60",
      "Statistics.member.1": "Maximum",
      ...Object.fromEntries(
        Object.entries({ Table: deployed.table, Group: GROUP, Topic: TOPIC }).flatMap(([name, value], i) => [
          [`Dimensions.member.${i + 1}.Name`, name],
          [`Dimensions.member.${i + 1}.Value`, value],
        ]),
      ),
    });
    return [...said.matchAll(/<Maximum>([\d.]+)</g)].map(([, value]) => Number(value));
  }

  async function append(count: number): Promise<void> {
    const response = await fetch(`${deployed.url}/topics/${TOPIC}/partitions/0/records`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ records: Array.from({ length: count }, (_, i) => ({ value: `order ${i}` })) }),
    });
    expect(response.status, await response.text()).toBe(200);
  }

  async function commit(offset: number): Promise<void> {
    for (const { error } of await client.groups.setOffsets(GROUP, [{ topic: TOPIC, partition: 0, offset }]))
      if (error !== undefined) throw error;
  }

  async function until(state: string): Promise<string | undefined> {
    const untilMs = systemClock.monotonicMs() + WITHIN_MS;
    let found = await alarmState();
    while (found !== state && systemClock.monotonicMs() < untilMs) {
      await systemClock.sleep(3000);
      found = await alarmState();
    }
    return found;
  }

  test("is published by the schedule, and a plain alarm goes off while the consumer is stopped and no longer", {
    timeout: 3 * WITHIN_MS,
  }, async () => {
    await client.admin.createTopic({ name: TOPIC });
    await append(10);
    await commit(10);
    expect(await until("OK")).toBe("OK");
    // The consumer stops, the producer does not.
    await append(RECORDS_MOST + 5);
    expect(await until("ALARM")).toBe("ALARM");
    expect(Math.max(...(await published("ConsumerLag")))).toBe(RECORDS_MOST + 5);
    expect(Math.max(...(await published("ConsumerLagSeconds")))).toBeGreaterThan(0);
    expect((await published("ConsumerStatus")).length).toBeGreaterThan(0);
    await commit(10 + RECORDS_MOST + 5);
    expect(await until("OK")).toBe("OK");
  });
});
