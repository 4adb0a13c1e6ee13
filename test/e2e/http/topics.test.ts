import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, ask, jsonInit, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let topics = 0;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  expect(server.internalErrors).toEqual([]);
  await server.close();
});

const freshName = () => `topic-${topics++}`;
const create = (body: unknown) => ask(`${server.v3}/topics`, jsonInit(body));
const send = (method: string, path: string, body?: unknown) =>
  ask(`${server.v3}/topics/${path}`, body === undefined ? { method } : jsonInit(body, { method }));

describe("clusters", () => {
  test("there is one, with links", async () => {
    const { body } = await ask(`${server.url}/v3/clusters`);
    expect(body.kind).toBe("KafkaClusterList");
    expect(body.metadata).toEqual({ self: `${server.url}/v3/clusters`, next: null });
    expect(body.data).toHaveLength(1);
    const one = await ask(body.data[0].metadata.self);
    expect(one.body).toEqual(body.data[0]);
    expect(one.body).toMatchObject({
      kind: "KafkaCluster",
      cluster_id: server.clusterId,
      metadata: { resource_name: `crn:///kafka=${server.clusterId}` },
      topics: { related: `${server.v3}/topics` },
    });
  });

  test("every route under another cluster's id is not found", async () => {
    for (const path of ["", "/topics", "/topics/t", "/topics/t/configs", "/topics/t/partitions/0"]) {
      const { status, body } = await ask(`${server.url}/v3/clusters/other${path}`);
      expect([path, status, body.field]).toEqual([path, 404, "cluster_id"]);
    }
  });
});

describe("topics", () => {
  test("are created, listed, described, grown and deleted", async () => {
    const name = freshName();
    const created = await create({
      topic_name: name,
      partitions_count: 3,
      replication_factor: 3,
      configs: [{ name: "retention.ms", value: "1000" }],
    });
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe(`${server.v3}/topics/${name}`);
    expect(created.body).toEqual({
      kind: "KafkaTopic",
      metadata: { self: `${server.v3}/topics/${name}`, resource_name: `crn:///kafka=${server.clusterId}/topic=${name}` },
      cluster_id: server.clusterId,
      topic_name: name,
      is_internal: false,
      replication_factor: 3,
      partitions_count: 3,
      partitions: { related: `${server.v3}/topics/${name}/partitions` },
      configs: { related: `${server.v3}/topics/${name}/configs` },
      partition_reassignments: { related: `${server.v3}/topics/${name}/partitions/-/reassignment` },
    });
    expect((await ask(created.body.metadata.self)).body).toEqual(created.body);
    const list = await ask(`${server.v3}/topics`);
    expect(list.body.data).toContainEqual(created.body);
    expect((await send("PATCH", name, { partitions_count: 5 })).body.partitions_count).toBe(5);
    const partitions = await ask(`${server.v3}/topics/${name}/partitions`);
    expect(partitions.body.data.map(({ partition_id }: Answer) => partition_id)).toEqual([0, 1, 2, 3, 4]);
    expect((await send("DELETE", name)).status).toBe(204);
    expect((await ask(created.body.metadata.self)).body).toMatchObject({ error_code: 40401, code: "unknown_topic" });
  });

  test("validate_only judges and creates nothing", async () => {
    const name = freshName();
    expect((await create({ topic_name: name, validate_only: true })).status).toBe(200);
    expect((await send("GET", name)).status).toBe(404);
    expect((await create({ topic_name: "no/good", validate_only: true })).status).toBe(400);
  });

  test.each([
    [{ topic_name: "" }, "invalid_topic"],
    [{ topic_name: "." }, "invalid_topic"],
    [{ topic_name: "a/b" }, "invalid_topic"],
    [{ topic_name: "x".repeat(250) }, "invalid_topic"],
    [{}, "invalid_request"],
    [{ topic_name: 7 }, "invalid_request"],
    [{ topic_name: "t", partitions_count: 0 }, "invalid_partitions"],
    [{ topic_name: "t", partitions_count: 1.5 }, "invalid_request"],
    [{ topic_name: "t", partitions_count: 1_000_000 }, "invalid_partitions"],
    [{ topic_name: "t", replication_factor: 4 }, "invalid_replication_factor"],
    [{ topic_name: "t", configs: [{ name: "retention.mss", value: "1" }] }, "invalid_config"],
    [{ topic_name: "t", configs: [{ name: "retention.ms", value: "soon" }] }, "invalid_config"],
    [
      {
        topic_name: "t",
        configs: [
          { name: "retention.ms", value: "1" },
          { name: "retention.ms", value: "2" },
        ],
      },
      "invalid_config",
    ],
    [{ topic_name: "t", replicas_assignments: [{ partition_id: 0, broker_ids: [1] }] }, "invalid_request"],
  ])("%j is refused as %s", async (body, code) => {
    const answer = await create(body);
    expect([answer.status, answer.body.code, answer.body.error_code, answer.body.outcome]).toEqual([
      400,
      code,
      40002,
      "not_applied",
    ]);
  });

  test("one that exists is not created again", async () => {
    const name = freshName();
    await create({ topic_name: name });
    expect((await create({ topic_name: name })).body).toMatchObject({ code: "topic_exists", error_code: 40002 });
  });

  test("partitions never shrink", async () => {
    const name = freshName();
    await create({ topic_name: name, partitions_count: 3 });
    for (const partitions_count of [2, 3, 0, -1, 20_000]) {
      expect((await send("PATCH", name, { partitions_count })).body.code).toBe("invalid_partitions");
    }
    expect((await send("PATCH", name, {})).body.field).toBe("partitions_count");
  });

  test("a partition tells where its log begins and ends", async () => {
    const name = freshName();
    await create({ topic_name: name });
    await ask(`${server.url}/topics/${name}/records`, jsonInit({ value: "v" }));
    expect((await send("GET", `${name}/partitions/0`)).body).toMatchObject({
      kind: "KafkaPartition",
      partition_id: 0,
      log_start_offset: 0,
      log_end_offset: 1,
    });
    expect((await send("GET", `${name}/partitions/7`)).body.error_code).toBe(40402);
    expect((await send("GET", `${name}/partitions/x`)).body.error_code).toBe(40402);
  });
});

describe("configs", () => {
  test("are listed with what holds and what the default is", async () => {
    const name = freshName();
    await create({ topic_name: name, configs: [{ name: "retention.ms", value: "5000" }] });
    const { body } = await send("GET", `${name}/configs`);
    const retention = body.data.find((config: Answer) => config.name === "retention.ms");
    expect(retention).toMatchObject({
      kind: "KafkaTopicConfig",
      value: "5000",
      is_default: false,
      source: "DYNAMIC_TOPIC_CONFIG",
      synonyms: [
        { value: "5000", source: "DYNAMIC_TOPIC_CONFIG" },
        { value: "604800000", source: "DEFAULT_CONFIG" },
      ],
    });
    expect((await ask(retention.metadata.self)).body).toEqual(retention);
  });

  test("one is set and reset", async () => {
    const name = freshName();
    await create({ topic_name: name });
    const valueNow = async () => (await send("GET", `${name}/configs/retention.ms`)).body.value;
    expect((await send("PUT", `${name}/configs/retention.ms`, { value: "7" })).status).toBe(204);
    expect(await valueNow()).toBe("7");
    expect((await send("DELETE", `${name}/configs/retention.ms`)).status).toBe(204);
    expect(await valueNow()).toBe("604800000");
    expect((await send("PUT", `${name}/configs/retention.ms`, { value: "x" })).body.code).toBe("invalid_config");
    expect((await send("PUT", `${name}/configs/retention.ms`, {})).body.field).toBe("value");
    expect((await send("GET", `${name}/configs/nonsense`)).status).toBe(404);
    expect((await send("PUT", `${name}/configs/nonsense`, { value: "1" })).status).toBe(404);
  });

  test("several are altered together, all or none", async () => {
    const name = freshName();
    await create({ topic_name: name, configs: [{ name: "segment.ms", value: "10" }] });
    const valuesNow = async () =>
      Object.fromEntries((await send("GET", `${name}/configs`)).body.data.map((config: Answer) => [config.name, config.value]));
    const alter = (data: unknown, more = {}) => send("POST", `${name}/configs:alter`, { data, ...more });
    expect(
      (
        await alter([
          { name: "retention.ms", value: "1" },
          { name: "segment.ms", operation: "DELETE" },
        ])
      ).status,
    ).toBe(204);
    expect(await valuesNow()).toMatchObject({ "retention.ms": "1", "segment.ms": "604800000" });
    expect(
      (
        await alter([
          { name: "retention.ms", value: "2" },
          { name: "segment.ms", value: "never" },
        ])
      ).body.code,
    ).toBe("invalid_config");
    expect((await alter([{ name: "retention.ms", value: "3" }], { validate_only: true })).status).toBe(204);
    expect((await alter([{ name: "retention.ms" }])).body.field).toBe("data[0].value");
    expect((await alter([])).body.field).toBe("data");
    expect(await valuesNow()).toMatchObject({ "retention.ms": "1" });
  });

  test("a new config holds for the next record", async () => {
    const name = freshName();
    await create({ topic_name: name });
    const big = jsonInit({ value: "x".repeat(5000) });
    expect((await ask(`${server.url}/topics/${name}/records`, big)).status).toBe(200);
    await send("PUT", `${name}/configs/max.message.bytes`, { value: "1000" });
    const refused = await ask(`${server.url}/topics/${name}/records`, big);
    expect([refused.status, refused.body.code]).toEqual([413, "record_too_large"]);
  });
});
