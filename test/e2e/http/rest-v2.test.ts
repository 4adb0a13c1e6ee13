/** Topics, partitions and brokers as Confluent's REST API v2 has them; groups as its v3 has them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, ask, createTopic, jsonInit, readAll, startTestServer, type TestServer, valuesOf } from "./harness.ts";

const V2 = "application/vnd.kafka.v2+json";
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await createTopic(server, "orders", 3, { "retention.ms": "86400000" });
  await createTopic(server, "audit");
});
afterAll(() => server.close());

const get = (path: string, accept = V2) => ask(server.url + path, { headers: { accept } });

test("topics are listed by name, and told with all their configs and partitions", async () => {
  const list = await get("/topics");
  expect([list.status, list.headers.get("content-type"), list.body]).toEqual([200, V2, ["audit", "orders"]]);
  const { body } = await get("/topics/orders");
  const partition = (p: number) => ({ partition: p, leader: 0, replicas: [{ broker: 0, leader: true, in_sync: true }] });
  expect(body).toMatchObject({ name: "orders", partitions: [0, 1, 2].map(partition) });
  expect(body.configs).toMatchObject({ "retention.ms": "86400000", "cleanup.policy": "delete" });
  expect((await get("/topics/orders/partitions")).body).toEqual([0, 1, 2].map(partition));
  expect((await get("/topics/orders/partitions/2")).body).toEqual(partition(2));
  expect((await get("/brokers")).body).toEqual({ brokers: [0] });
});

test("a reader that asks for plain JSON is given it, and one that asks for something else is told what there is", async () => {
  expect((await get("/topics", "application/json")).headers.get("content-type")).toBe("application/json");
  expect((await get("/topics", "text/html")).body).toMatchObject({ code: "not_acceptable" });
});

test("what is not there is told by Confluent's codes", async () => {
  expect((await get("/topics/nowhere")).body.error_code).toBe(40401);
  expect((await get("/topics/nowhere/partitions")).body.error_code).toBe(40401);
  expect((await get("/topics/orders/partitions/3")).body.error_code).toBe(40402);
  expect((await get("/topics/orders/partitions/3/offsets")).body.error_code).toBe(40402);
  const lost = await ask(`${server.url}/topics/orders/partitions/3`, jsonInit({ records: [{ value: "x" }] }));
  expect(lost.body.error_code).toBe(40402);
});

test.each([
  ["application/vnd.kafka.json.v2+json", { n: 1 }, '{"n":1}'],
  ["application/vnd.kafka.binary.v2+json", Buffer.from("bytes").toString("base64"), "bytes"],
  ["application/json", "text", "text"],
])("records in %s go to the partition that the path names", async (type, value, stored) => {
  const before = (await get("/topics/orders/partitions/1/offsets")).body.end_offset;
  const { status, body } = await ask(
    `${server.url}/topics/orders/partitions/1`,
    jsonInit({ records: [{ value }, { key: null, value }] }, { headers: { "content-type": type } }),
  );
  expect([status, body.offsets]).toEqual([200, [before, before + 1].map((offset) => ({ partition: 1, offset }))]);
  expect((await get("/topics/orders/partitions/1/offsets")).body).toEqual({ beginning_offset: 0, end_offset: before + 2 });
  const records = await readAll(server, "orders", 1);
  expect(valuesOf(records).slice(-2)).toEqual([stored, stored]);
});

test("a partition is still read without a consumer, in v2's own JSON", async () => {
  await ask(
    `${server.url}/topics/audit/partitions/0`,
    jsonInit({ records: [{ value: "eA==" }] }, { headers: { "content-type": "application/vnd.kafka.binary.v2+json" } }),
  );
  const { body } = await get("/topics/audit/partitions/0/records?offset=0", "application/vnd.kafka.binary.v2+json");
  expect(body).toEqual([{ topic: "audit", key: null, value: "eA==", partition: 0, offset: 0 }]);
});

test("groups, their members and what those have are told as Confluent's v3 tells them", async () => {
  const poll = await ask(
    `${server.url}/v1/groups/readers/poll`,
    jsonInit({ topics: ["orders"], instance_id: "static-1" }, { headers: { "client-id": "app" } }),
  );
  const id = poll.body.member_id;
  await server.groups.commit({ group: "tool", offsets: [{ topic: "audit", partition: 0, offset: 0 }] });
  const at = `${server.v3}/consumer-groups/readers`;
  const crn = `crn:///kafka=${server.clusterId}/consumer-group=readers`;
  const group = {
    kind: "KafkaConsumerGroup",
    metadata: { self: at, resource_name: crn },
    cluster_id: server.clusterId,
    consumer_group_id: "readers",
    is_simple: false,
    partition_assignor: "uniform",
    state: "STABLE",
    type: "CONSUMER",
    coordinator: { related: `${server.v3}/brokers/0` },
    consumers: { related: `${at}/consumers` },
    lag_summary: { related: `${at}/lag-summary` },
  };
  expect((await ask(at)).body).toEqual(group);
  const list = (await ask(`${server.v3}/consumer-groups`)).body;
  expect(list).toMatchObject({
    kind: "KafkaConsumerGroupList",
    data: [group, { consumer_group_id: "tool", is_simple: true, state: "EMPTY" }],
  });
  const consumer = {
    kind: "KafkaConsumer",
    metadata: { self: `${at}/consumers/${id}`, resource_name: `${crn}/consumer=${id}` },
    cluster_id: server.clusterId,
    consumer_group_id: "readers",
    consumer_id: id,
    instance_id: "static-1",
    client_id: "app",
    assignments: { related: `${at}/consumers/${id}/assignments` },
  };
  expect((await ask(`${at}/consumers`)).body.data).toEqual([consumer]);
  expect((await ask(consumer.metadata.self)).body).toEqual(consumer);
  const assignments = (await ask(consumer.assignments.related)).body;
  expect(assignments.data.map((one: Answer) => one.partition_id)).toEqual([0, 1, 2]);
  const third = assignments.data[2];
  expect(third).toMatchObject({
    kind: "KafkaConsumerAssignment",
    metadata: { self: `${at}/consumers/${id}/assignments/orders/partitions/2` },
    partition: { related: `${server.v3}/topics/orders/partitions/2` },
    lag: { related: `${at}/lags/orders/partitions/2` },
  });
  expect((await ask(third.metadata.self)).body).toEqual(third);
  const codes = ["/consumers/nobody", `/consumers/${id}/assignments/orders/partitions/7`].map((path) => ask(at + path));
  expect((await Promise.all(codes)).map(({ status, body }) => [status, body.error_code])).toEqual([
    [404, 40403],
    [404, 404],
  ]);
  expect((await ask(`${server.v3}/consumer-groups/nobody`)).status).toBe(404);
});
