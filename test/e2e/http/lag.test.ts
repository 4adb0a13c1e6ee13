/** How far groups are behind, by every path: ours, Burrow's, Confluent's, Prometheus's. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestClock } from "../../unit/log/support.ts";
import { type Answer, ask, startTestServer, type TestServer } from "./harness.ts";

const MINUTE_MS = 60_000;

describe("a consumer that stands still and one that is well", () => {
  let server: TestServer;
  const clock = new TestClock();
  const commit = (group: string, offset: number, partition = 0) =>
    server.groups.commit({ group, offsets: [{ topic: "clicks", partition, offset }] });
  const get = async (path: string, status = 200): Promise<Answer> => {
    const answer = await ask(`${server.url}${path}`);
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.any(String)]);
    return answer.body;
  };

  beforeAll(async () => {
    server = await startTestServer({ clock });
    await server.log.createTopic({ name: "clicks", partitions: 2 });
    const produce = async (): Promise<void> => {
      const value = { type: "STRING", data: "v" };
      const response = await fetch(`${server.url}/topics/clicks/partitions/0/records`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ records: Array.from({ length: 10 }, () => ({ value })) }),
      });
      expect(response.status, await response.text()).toBe(200);
    };
    for (let i = 1; i <= 10; i++) {
      await produce();
      await commit("stuck", 4);
      await commit("well", i * 10);
      await server.lookAtLag();
      clock.ms += MINUTE_MS;
    }
  });
  afterAll(() => server.close());

  test("are told apart by Burrow's status, in Burrow's JSON", async () => {
    const base = `/v3/kafka/${server.clusterId}`;
    expect(await get("/v3/kafka")).toEqual({
      error: false,
      message: "cluster list returned",
      clusters: [server.clusterId],
      request: { url: "/v3/kafka", host: `127.0.0.1:${server.port}` },
    });
    const { status } = await get(`${base}/consumer/stuck/status`);
    expect(status).toMatchObject({
      cluster: server.clusterId,
      group: "stuck",
      status: "ERR",
      complete: 1,
      partition_count: 1,
      totallag: 96,
      maxlag: { current_lag: 96 },
    });
    expect(status.partitions).toEqual([
      {
        topic: "clicks",
        partition: 0,
        owner: "",
        client_id: "",
        status: "STALL",
        start: { offset: 4, timestamp: expect.any(Number), observedAt: expect.any(Number), lag: 6 },
        end: { offset: 4, timestamp: expect.any(Number), observedAt: expect.any(Number), lag: 96 },
        current_lag: 96,
        complete: 1,
      },
    ]);
    expect((await get(`${base}/consumer/well/status`)).status).toMatchObject({ status: "OK", partitions: [], totallag: 0 });
    expect((await get(`${base}/consumer/well/lag`)).status.partitions).toHaveLength(1);
    expect((await get(`${base}/consumer`)).consumers).toEqual(["stuck", "well"]);
    expect((await get(`${base}/topic`)).topics).toEqual(["clicks"]);
    expect((await get(`${base}/topic/clicks`)).offsets).toEqual([100, 0]);
    expect((await get(`${base}/topic/clicks/consumers`)).consumers).toEqual(["stuck", "well"]);
    const { topics } = await get(`${base}/consumer/stuck`);
    expect(topics.clicks[0]).toMatchObject({ "current-lag": 96, owner: "" });
    expect(topics.clicks[0].offsets).toHaveLength(10);
    expect((await get(base)).module["class-name"]).toBe("brokerless");
  });

  test("and what is not there is Burrow's 404", async () => {
    const base = `/v3/kafka/${server.clusterId}`;
    expect(await get(`${base}/consumer/nobody/lag`, 404)).toMatchObject({ error: false, status: { status: "NOTFOUND" } });
    expect(await get(`${base}/consumer/nobody`, 404)).toMatchObject({
      error: true,
      message: "cluster or consumer not found",
    });
    expect(await get("/v3/kafka/elsewhere/consumer", 404)).toMatchObject({ error: true, message: "cluster not found" });
    expect(await get(`${base}/topic/nothing`, 404)).toMatchObject({ error: true, message: "cluster or topic not found" });
    expect((await ask(`${server.url}/burrow/admin`)).body).toBe("GOOD");
    expect((await ask(`${server.url}/burrow/admin/ready`)).body).toBe("READY");
  });

  test("are healthy and not, for a load balancer", async () => {
    expect(await get("/v1/groups/well/health")).toMatchObject({ healthy: true, status: "OK", reasons: [] });
    expect(await get("/v1/groups/stuck/health", 503)).toMatchObject({ healthy: false, reasons: ["STALL clicks[0]"] });
    await commit("late", 90);
    expect(await get("/v1/groups/late/health")).toMatchObject({ healthy: true, total_lag: 10 });
    expect((await get("/v1/groups/late/health?max_lag=9", 503)).reasons).toEqual(["10 records behind; at most 9"]);
    expect((await get("/v1/groups/late/health?max_lag_seconds=30", 503)).reasons).toHaveLength(1);
    await get("/v1/groups/nobody/health", 404);
    await server.groups.delete("late");
  });

  test("have their seconds behind by the first record that they have not read", async () => {
    const lag = await get("/v1/groups/stuck/lag?exact=true");
    expect(lag).toMatchObject({ group: "stuck", status: "ERR", total_lag: 96, lag_seconds_precision: "exact" });
    expect(Math.round(lag.lag_seconds / 60)).toBe(10);
    expect(lag.partitions[0]).toMatchObject({ status: "STALL", lag: 96, records_out_per_second: 0, catch_up_seconds: null });
    expect(lag.partitions[0].recent_lags).toEqual([6, 16, 26, 36, 46, 56, 66, 76, 86, 96]);
    expect((await get("/v1/lag")).lag.map((row: Answer) => [row.group, row.topic, row.status, row.lag])).toEqual([
      ["stuck", "clicks", "STALL", 96],
      ["well", "clicks", "OK", 0],
    ]);
  });

  test("have their lag by Confluent's paths", async () => {
    const base = `/v3/clusters/${server.clusterId}/consumer-groups/stuck`;
    const { kind, data } = await get(`${base}/lags`);
    expect(kind).toBe("KafkaConsumerLagList");
    const one = await get(`${base}/lags/clicks/partitions/0`);
    expect(data).toEqual([one]);
    expect(one).toMatchObject({ kind: "KafkaConsumerLag", current_offset: 4, log_end_offset: 100, lag: 96, consumer_id: "" });
    expect(await get(`${base}/lag-summary`)).toMatchObject({
      kind: "KafkaConsumerGroupLagSummary",
      max_lag_topic_name: "clicks",
      max_lag_partition_id: 0,
      max_lag: 96,
      total_lag: 96,
    });
    await get(`${base}/lags/clicks/partitions/1`, 404);
  });

  test("are in the metrics by the names that dashboards know", async () => {
    const { body: text } = await ask(`${server.url}/metrics`);
    const cluster = server.clusterId;
    for (const line of [
      `burrow_kafka_consumer_lag_total{cluster="${cluster}",consumer_group="stuck"} 96`,
      `burrow_kafka_consumer_status{cluster="${cluster}",consumer_group="stuck"} 3`,
      `burrow_kafka_consumer_partition_lag{cluster="${cluster}",consumer_group="stuck",topic="clicks",partition="0"} 96`,
      `burrow_kafka_consumer_current_offset{cluster="${cluster}",consumer_group="well",topic="clicks",partition="0"} 100`,
      `burrow_kafka_topic_partition_offset{cluster="${cluster}",topic="clicks",partition="0"} 100`,
      `kafka_consumergroup_group_max_lag{cluster_name="${cluster}",group="stuck"} 96`,
      `kafka_consumergroup_group_topic_sum_lag{cluster_name="${cluster}",group="stuck",topic="clicks"} 96`,
      `kafka_partition_latest_offset{cluster_name="${cluster}",topic="clicks",partition="0"} 100`,
    ])
      expect(text.split("\n")).toContain(line);
    const types = text.split("\n").filter((line: string) => line.startsWith("# TYPE"));
    expect(new Set(types).size).toBe(types.length);
  });

  test("have the member that has the partition in the metrics, as kafka-lag-exporter's dashboards ask for it", async () => {
    const poll = await fetch(`${server.url}/v1/groups/owned/poll`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ topics: ["clicks"], auto_offset_reset: "earliest" }),
    });
    const { cursor, member_id } = (await poll.json()) as { cursor: string; member_id: string };
    await fetch(`${server.url}/v1/groups/owned/commit`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ cursor }),
    });
    const { members } = (await get("/v1/groups/owned")) as Answer;
    const { body: text } = await ask(`${server.url}/metrics`);
    const where = `cluster_name="${server.clusterId}",group="owned",topic="clicks",partition="0"`;
    const who = `member_host="${members[0].client_host}",consumer_id="${member_id}",client_id="${members[0].client_id}"`;
    expect(text.split("\n")).toContain(`kafka_consumergroup_group_lag{${where},${who}} 0`);
    expect(text).toContain('brokerless_consumer_beyond_end_records{group="stuck",topic="clicks",partition="0"} 0');
  });

  test("begin anew where Burrow is told to forget them; their offsets stay", async () => {
    const path = `/v3/kafka/${server.clusterId}/consumer/stuck`;
    const { body } = await ask(`${server.url}${path}`, { method: "DELETE" });
    expect(body).toMatchObject({ error: false, message: "consumer group removed" });
    expect((await get(`${path}/lag`)).status).toMatchObject({ status: "OK", complete: 0, totallag: 96 });
  });
});
