import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import {
  type Answer,
  ask,
  batch,
  createTopic,
  jsonInit,
  rawInit,
  readAll as recordsOf,
  startTestServer,
  type TestServer,
  valuesOf,
} from "./harness.ts";

let server: TestServer;
let topics = 0;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  expect(server.internalErrors).toEqual([]);
  await server.close();
});

async function freshTopic(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
  const name = `topic-${topics++}`;
  await createTopic(server, name, partitions, configs);
  return name;
}

const post = (path: string, init: RequestInit) => ask(`${server.url}${path}`, init);
const readAll = (topic: string, partition = 0) => recordsOf(server, topic, partition);

describe("to a partition", () => {
  test("one record is answered with its offset once it is durable", async () => {
    const topic = await freshTopic();
    const first = await post(
      `/topics/${topic}/partitions/0/records`,
      jsonInit({ key: "k", value: "v", headers: [{ name: "h", value: "aGk=" }] }),
    );
    expect(first).toMatchObject({
      status: 200,
      body: { topic, partition: 0, base_offset: 0, record_count: 1, log_start_offset: 0, duplicate: false },
    });
    expect((await post(`/topics/${topic}/partitions/0/records`, jsonInit({ value: null }))).body.base_offset).toBe(1);
    expect(await readAll(topic)).toMatchObject([
      {
        offset: 0,
        key: { type: "STRING", data: "k" },
        value: { type: "STRING", data: "v" },
        headers: [{ name: "h", value: "aGk=" }],
      },
      { offset: 1, key: null, value: null, headers: [] },
    ]);
  });

  test("a list is one append, with consecutive offsets in its order", async () => {
    const topic = await freshTopic();
    const records = Array.from({ length: 500 }, (_, i) => ({ value: `v${i}` }));
    const { body } = await post(`/topics/${topic}/partitions/0/records`, jsonInit({ records }));
    expect(body).toMatchObject({ base_offset: 0, record_count: 500 });
    expect(valuesOf(await readAll(topic))).toEqual(records.map(({ value }) => value));
  });

  test("raw record batches are kept byte for byte, but for their offsets", async () => {
    const topic = await freshTopic();
    const sent = Buffer.concat([batch(["a", "b"], { compression: "zstd" }), batch(["c"], { compression: "gzip" })]);
    const { body } = await post(`/topics/${topic}/partitions/0/records`, rawInit(sent));
    expect(body).toMatchObject({ base_offset: 0, record_count: 3 });
    const response = await fetch(`${server.url}/topics/${topic}/partitions/0/records`, {
      headers: { accept: "application/vnd.kafka.recordbatch.v2" },
    });
    const got = Buffer.from(await response.arrayBuffer());
    expect(got.subarray(16, 80)).toEqual(sent.subarray(16, 80));
    expect(response.headers.get("kafka-next-offset")).toBe("3");
    expect(valuesOf(await readAll(topic))).toEqual(["a", "b", "c"]);
  });

  test("the answer tells the time of the append where the topic keeps that", async () => {
    const topic = await freshTopic(1, { "message.timestamp.type": "LogAppendTime" });
    const { body } = await post(`/topics/${topic}/partitions/0/records`, jsonInit({ value: "v", timestamp: 5 }));
    const [record] = await readAll(topic);
    expect(record.timestamp_type).toBe("LogAppendTime");
    expect(record.timestamp).toBe(body.log_append_time);
  });

  test("what is larger than a batch of the topic goes in several batches", async () => {
    const topic = await freshTopic(1, { "max.message.bytes": "2000" });
    const records = Array.from({ length: 20 }, (_, i) => ({ value: String(i % 10).repeat(700) }));
    expect((await post(`/topics/${topic}/partitions/0/records`, jsonInit({ records }))).body).toMatchObject({ record_count: 20 });
    expect(valuesOf(await readAll(topic))).toEqual(records.map(({ value }) => value));
  });

  test("a topic's compression.type is how its JSON records are kept", async () => {
    const topic = await freshTopic(1, { "compression.type": "zstd" });
    await post(`/topics/${topic}/partitions/0/records`, jsonInit({ value: "x".repeat(10_000) }));
    const response = await fetch(`${server.url}/topics/${topic}/partitions/0/records`, {
      headers: { accept: "application/vnd.kafka.recordbatch.v2" },
    });
    expect((await response.arrayBuffer()).byteLength).toBeLessThan(500);
    expect(valuesOf(await readAll(topic))).toEqual(["x".repeat(10_000)]);
  });
});

describe("to a topic", () => {
  test("records go by their key as Kafka's producer sends them, in order within the key", async () => {
    const topic = await freshTopic(12);
    // Partitions of Kafka's own murmur2.
    const keys = { "21": 0, foobar: 6, "a-little-bit-long-string": 8, abc: 3 };
    const records = Object.keys(keys).flatMap((key) => [1, 2].map((n) => ({ key, value: `${key}-${n}` })));
    const { body } = await post(`/topics/${topic}/records`, jsonInit({ records }));
    expect(body.offsets).toEqual(Object.values(keys).flatMap((partition) => [0, 1].map((offset) => ({ partition, offset }))));
    expect(valuesOf(await readAll(topic, 6))).toEqual(["foobar-1", "foobar-2"]);
  });

  test("a record that names its partition goes there", async () => {
    const topic = await freshTopic(3);
    const { body } = await post(`/topics/${topic}/records`, jsonInit({ partition: 2, value: "v" }));
    expect(body).toMatchObject({ partition: 2, base_offset: 0, record_count: 1 });
  });

  test("keyless records of one request stay together", async () => {
    const topic = await freshTopic(5);
    const records = Array.from({ length: 100 }, () => ({ value: "v".repeat(1000) }));
    const { body } = await post(`/topics/${topic}/records`, jsonInit({ records }));
    expect(new Set(body.offsets.map(({ partition }: Answer) => partition)).size).toBe(1);
  });

  test("Confluent's v2 bodies are understood: JSON as it is, and base64", async () => {
    const topic = await freshTopic();
    const json = await post(
      `/topics/${topic}`,
      jsonInit(
        { records: [{ key: 7, value: { a: [1, null] } }, { value: null }] },
        { headers: { "content-type": "application/vnd.kafka.json.v2+json" } },
      ),
    );
    expect(json.body.offsets).toEqual([
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 },
    ]);
    await post(
      `/topics/${topic}/records`,
      jsonInit(
        { records: [{ key: "a2V5", value: "AP8=" }] },
        { headers: { "content-type": "application/vnd.kafka.binary.v2+json" } },
      ),
    );
    expect(await readAll(topic)).toMatchObject([
      { key: { data: "7" }, value: { data: '{"a":[1,null]}' } },
      { key: null, value: null },
      { key: { type: "STRING", data: "key" }, value: { type: "BINARY", data: "AP8=" } },
    ]);
  });

  test("raw batches are taken apart, each record to where its key belongs", async () => {
    const topic = await freshTopic(12);
    const records = ["foobar", "abc", "foobar"].map((key, i) => ({ key: Buffer.from(key), value: Buffer.from(`v${i}`) }));
    const { body } = await post(`/topics/${topic}/records`, rawInit(batch(records, { compression: "lz4" })));
    expect(body.offsets).toEqual([
      { partition: 6, offset: 0 },
      { partition: 3, offset: 0 },
      { partition: 6, offset: 1 },
    ]);
    expect((await readAll(topic, 6))[0].timestamp).toBe(1_700_000_000_000);
  });

  test("a raw batch of an idempotent producer needs its partition", async () => {
    const topic = await freshTopic(2);
    const { status, body } = await post(
      `/topics/${topic}/records`,
      rawInit(batch(["a"], { producerId: 1, producerEpoch: 0, baseSequence: 0 })),
    );
    expect([status, body.message]).toEqual([400, expect.stringMatching(/goes to one partition/)]);
  });
});

describe("all or none", () => {
  test("records to several topics and partitions are written as one", async () => {
    const a = await freshTopic(2);
    const b = await freshTopic(1);
    const { body } = await post(
      "/v1/produce",
      jsonInit({
        records: [
          { topic: a, partition: 0, value: "1" },
          { topic: b, value: "2" },
          { topic: a, partition: 1, value: "3" },
          { topic: a, partition: 0, value: "4" },
        ],
      }),
    );
    expect(body.partitions).toMatchObject([
      { topic: a, partition: 0, base_offset: 0, record_count: 2 },
      { topic: a, partition: 1, base_offset: 0, record_count: 1 },
      { topic: b, partition: 0, base_offset: 0, record_count: 1 },
    ]);
    expect(valuesOf(await readAll(a))).toEqual(["1", "4"]);
  });

  test("one bad record, topic or partition keeps all of it out", async () => {
    const topic = await freshTopic(1);
    const bad: Answer[] = [
      { topic: "nowhere" },
      { topic, partition: 9 },
      { topic, value: 5 },
      { topic, value: "x".repeat(2_000_000) },
    ];
    for (const record of bad) {
      const { status } = await post("/v1/produce", jsonInit({ records: [{ topic, value: "good" }, record] }));
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect(await readAll(topic)).toEqual([]);
  });
});

describe("acks", () => {
  test("acks=0 is answered before the commit, and committed all the same", async () => {
    const topic = await freshTopic();
    const { status, body } = await post(`/topics/${topic}/partitions/0/records?acks=0`, jsonInit({ value: "v" }));
    expect([status, body]).toEqual([202, { topic, partition: 0, acks: "0" }]);
    await expect.poll(async () => valuesOf(await readAll(topic))).toEqual(["v"]);
    expect(
      (await post(`/topics/${topic}/records`, jsonInit({ records: [{ value: "w" }] }, { headers: { "kafka-acks": "0" } })))
        .status,
    ).toBe(202);
    expect((await post("/v1/produce?acks=0", jsonInit({ records: [{ topic, value: "x" }] }))).status).toBe(202);
    await expect.poll(async () => valuesOf(await readAll(topic))).toEqual(["v", "w", "x"]);
  });

  test("acks=0 still answers what is wrong with the request", async () => {
    const topic = await freshTopic();
    expect((await post(`/topics/nowhere/partitions/0/records?acks=0`, jsonInit({ value: "v" }))).status).toBe(404);
    expect((await post(`/topics/${topic}/partitions/3/records?acks=0`, jsonInit({ value: "v" }))).status).toBe(404);
    const bytes = batch(["a"]);
    bytes[30]! ^= 1;
    expect((await post(`/topics/${topic}/partitions/0/records?acks=0`, rawInit(bytes))).body.code).toBe("corrupt_record");
  });

  test("a process that ends with its answer commits first and says so", async () => {
    const lambda = await startTestServer({ outlivesAnswer: false });
    await createTopic(lambda, "t");
    const response = await lambda.lambda("/topics/t/partitions/0/records?acks=0", jsonInit({ value: "v" }));
    expect([response.status, response.headers.get("kafka-acks")]).toEqual([200, "all"]);
    expect(await response.json()).toMatchObject({ base_offset: 0 });
    await lambda.close();
  });

  test.each(["1", "-1", "all"])("acks=%s is durable", async (acks) => {
    const topic = await freshTopic();
    expect((await post(`/topics/${topic}/partitions/0/records?acks=${acks}`, jsonInit({ value: "v" }))).body.base_offset).toBe(0);
  });

  test("a failure after acks=0 is counted", async () => {
    const failing = await startTestServer({
      wrap: (log) => ({
        ...bound(log),
        append: async () => {
          await new Promise((go) => setTimeout(go, 20));
          throw new BrokerlessError("unavailable", "gone");
        },
      }),
    });
    await createTopic(failing, "t");
    expect((await fetch(`${failing.url}/topics/t/partitions/0/records?acks=0`, jsonInit({ value: "v" }))).status).toBe(202);
    await expect.poll(() => failing.metrics.text()).toContain("brokerless_http_produce_acks0_failed 1");
    await failing.close();
  });
});

function bound<T extends object>(object: T): T {
  const copy: Answer = {};
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(object))) {
    const member = (object as Answer)[name];
    if (typeof member === "function" && name !== "constructor") copy[name] = member.bind(object);
  }
  return copy;
}

describe("idempotence", () => {
  test("the same sequence is written once, and answered alike", async () => {
    const topic = await freshTopic();
    const { body: producer } = await post("/v1/producer-ids", { method: "POST" });
    const send = (sequence: number, records: unknown[]) =>
      post(
        `/topics/${topic}/partitions/0/records`,
        jsonInit(
          { records },
          {
            headers: {
              "producer-id": String(producer.producer_id),
              "producer-epoch": String(producer.producer_epoch),
              "producer-seq": String(sequence),
            },
          },
        ),
      );
    expect((await send(0, [{ value: "a" }, { value: "b" }])).body).toMatchObject({ base_offset: 0, duplicate: false });
    expect((await send(0, [{ value: "a" }, { value: "b" }])).body).toMatchObject({ base_offset: 0, duplicate: true });
    expect((await send(2, [{ value: "c" }])).body).toMatchObject({ base_offset: 2, duplicate: false });
    const gap = await send(9, [{ value: "z" }]);
    expect([gap.status, gap.body.code, gap.body.error_code]).toEqual([409, "out_of_order_sequence", 40911]);
    expect(valuesOf(await readAll(topic))).toEqual(["a", "b", "c"]);
  });

  test("a list that is split into batches keeps its sequences", async () => {
    const topic = await freshTopic(1, { "max.message.bytes": "2000" });
    const headers = { "producer-id": "77", "producer-epoch": "0", "producer-seq": "0" };
    const records = Array.from({ length: 10 }, () => ({ value: "x".repeat(700) }));
    expect((await post(`/topics/${topic}/partitions/0/records`, jsonInit({ records }, { headers }))).status).toBe(200);
    expect((await post(`/topics/${topic}/partitions/0/records`, jsonInit({ records }, { headers }))).body.duplicate).toBe(true);
    const next = jsonInit({ value: "y" }, { headers: { ...headers, "producer-seq": "10" } });
    expect((await post(`/topics/${topic}/partitions/0/records`, next)).body.base_offset).toBe(10);
  });

  test.each([
    [{ "producer-id": "1" }, "Producer-Epoch"],
    [{ "producer-id": "x", "producer-epoch": "0", "producer-seq": "0" }, "Producer-Id"],
    [{ "producer-id": "1", "producer-epoch": "40000", "producer-seq": "0" }, "Producer-Epoch"],
    [{ "producer-id": "1", "producer-epoch": "0", "producer-seq": "-1" }, "Producer-Seq"],
    [{ "producer-id": "1", "producer-epoch": "0", "producer-seq": "0", "idempotency-key": "k" }, "Idempotency-Key"],
    [{ "idempotency-key": "k".repeat(256) }, "Idempotency-Key"],
    [{ "idempotency-key": "é" }, "Idempotency-Key"],
    [{ "kafka-acks": "2" }, "Kafka-Acks"],
  ])("headers %j are refused at %s", async (headers, field) => {
    const topic = await freshTopic();
    const { status, body } = await post(
      `/topics/${topic}/partitions/0/records`,
      jsonInit({ value: "v" }, { headers: headers as Answer }),
    );
    expect([status, body.field]).toEqual([400, field]);
  });

  test("producer headers need the partition in the path", async () => {
    const topic = await freshTopic();
    const headers = { "producer-id": "1", "producer-epoch": "0", "producer-seq": "0" };
    expect((await post(`/topics/${topic}/records`, jsonInit({ value: "v" }, { headers }))).body.field).toBe("Producer-Id");
    expect((await post(`/topics/${topic}/partitions/0/records`, rawInit(batch(["a"]), headers))).body.field).toBe("Producer-Id");
  });

  test("a request with an Idempotency-Key is done once, on every route", async () => {
    const topic = await freshTopic(4);
    const list = { records: Array.from({ length: 8 }, (_, i) => ({ key: `k${i}`, value: `v${i}` })) };
    const requests: [string, string, RequestInit][] = [
      ["one", `/topics/${topic}/partitions/0/records`, jsonInit({ value: "v", timestamp: 1 })],
      ["list", `/topics/${topic}/records`, jsonInit({ records: list.records.map((record) => ({ ...record, timestamp: 1 })) })],
      [
        "atomic",
        "/v1/produce",
        jsonInit({
          records: [
            { topic, partition: 1, value: "x", timestamp: 1 },
            { topic, partition: 2, value: "x", timestamp: 1 },
          ],
        }),
      ],
      ["v3", `/v3/clusters/${server.clusterId}/topics/${topic}/records`, jsonInit({ partition_id: 3, value: "v", timestamp: 1 })],
      [
        "entries",
        `/v3/clusters/${server.clusterId}/topics/${topic}/records:batch`,
        jsonInit({
          entries: [
            { id: "1", partition_id: 0, timestamp: 1 },
            { id: "2", partition_id: 1, timestamp: 1 },
          ],
        }),
      ],
    ];
    for (const [name, path, init] of requests) {
      const keyed = { ...init, headers: { ...(init.headers as Answer), "idempotency-key": `key-${name}` } };
      const first = await post(path, keyed);
      expect(first.status, name).toBeLessThan(300);
      const again = await post(path, keyed);
      expect(stripped(again.body), name).toEqual(stripped(first.body));
      const other = await post(path, { ...keyed, body: (init.body as string).replace('"timestamp":1', '"timestamp":2') });
      expect([name, other.status, other.body.code]).toEqual([name, 422, "idempotency_conflict"]);
    }
    const counts = await Promise.all([0, 1, 2, 3].map(async (p) => (await readAll(topic, p)).length));
    expect(counts.reduce((a, b) => a + b)).toBe(1 + 8 + 2 + 1 + 2);
  });
});

test("a keyed request that leaves partition and time to the server is done once and goes where it went, however late it is sent again", async () => {
  const topic = await freshTopic(8);
  for (const [i, path] of [`/topics/${topic}/records`, `/v3/clusters/${server.clusterId}/topics/${topic}/records`].entries()) {
    const init = jsonInit({ value: "v" }, { headers: { "idempotency-key": `late-${i}` } });
    const first = await post(path, init);
    for (let n = 0; n < 3; n++) {
      await new Promise((resolve) => setTimeout(resolve, 3));
      await post(
        `/topics/${topic}/records`,
        jsonInit({ records: Array.from({ length: 9 }, () => ({ value: "x".repeat(4000) })) }),
      );
      const again = await post(path, init);
      const place = (body: Answer) => [again.status, body.partition ?? body.partition_id, body.base_offset ?? body.offset];
      expect(place(again.body)).toEqual(place(first.body));
    }
  }
});

/** Whether it was a repetition is the one thing that may differ. */
function stripped(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body), (name, value) => (name === "duplicate" ? undefined : value));
}

describe("Confluent's v3 routes", () => {
  const path = (topic: string, what = "records") => `/v3/clusters/${server.clusterId}/topics/${topic}/${what}`;

  test("one record is answered as Confluent answers it", async () => {
    const topic = await freshTopic(2);
    const { status, body } = await post(
      path(topic),
      jsonInit({
        partition_id: 1,
        headers: [{ name: "h", value: "AA==" }],
        key: { type: "BINARY", data: "a2V5" },
        value: { type: "JSON", data: { foo: "bar" } },
        timestamp: "2021-02-05T19:14:42Z",
        whatever: "is ignored",
      }),
    );
    expect([status, body]).toEqual([
      200,
      {
        error_code: 200,
        cluster_id: server.clusterId,
        topic_name: topic,
        partition_id: 1,
        offset: 0,
        timestamp: "2021-02-05T19:14:42.000Z",
        key: { type: "BINARY", size: 3 },
        value: { type: "JSON", size: 13 },
      },
    ]);
    expect(await readAll(topic, 1)).toMatchObject([
      { key: { data: "key" }, value: { data: '{"foo":"bar"}' }, timestamp: 1612552482000 },
    ]);
  });

  test("a record that cannot be taken is answered by its status", async () => {
    const topic = await freshTopic();
    expect((await post(path(topic), jsonInit({ partition_id: 4 }))).body).toMatchObject({
      error_code: 40402,
      outcome: "not_applied",
    });
    expect((await post(path("nowhere"), jsonInit({}))).body.error_code).toBe(40401);
    expect((await post(path(topic).replace(server.clusterId, "other"), jsonInit({}))).status).toBe(404);
    expect((await post(path(topic), jsonInit({ key: { type: "AVRO", data: "x" } }))).body.field).toBe("key.type");
  });

  test("a batch answers each entry for itself", async () => {
    const topic = await freshTopic(2, { "max.message.bytes": "1000" });
    const entries = [
      { id: "a", partition_id: 0, value: "1" },
      { id: "b", partition_id: 5, value: "2" },
      { id: "c", partition_id: 0, value: "x".repeat(2000) },
      { id: "d", partition_id: 0, value: "4" },
    ];
    const { status, body } = await post(path(topic, "records:batch"), jsonInit({ entries }));
    expect(status).toBe(207);
    expect(body.successes.map(({ id, offset }: Answer) => [id, offset])).toEqual([
      ["a", 0],
      ["d", 1],
    ]);
    expect(body.failures).toMatchObject([
      { id: "b", error_code: 40402 },
      { id: "c", error_code: 41302, field: "entries[2]" },
    ]);
  });
});

describe("over fetch, as on Lambda", () => {
  test("produce and read work without Node's server", async () => {
    const topic = await freshTopic();
    expect((await server.lambda(`/topics/${topic}/records`, jsonInit({ value: "v" }))).status).toBe(200);
    expect((await server.lambda(`/topics/${topic}/partitions/0/records`, rawInit(batch(["w"])))).status).toBe(200);
    const response = await server.lambda(`/topics/${topic}/partitions/0/records?stream=true`);
    expect(valuesOf(((await response.json()) as Answer).records)).toEqual(["v", "w"]);
    const bad = await server.lambda(`/topics/${topic}/records`, jsonInit("{"));
    expect([bad.status, ((await bad.json()) as Answer).code]).toEqual([400, "invalid_request"]);
    expect((await server.lambda("/nowhere")).status).toBe(404);
    const cluster = (await (await server.lambda(`/v3/clusters/${server.clusterId}`)).json()) as Answer;
    expect(cluster.metadata.self).toBe(`https://api.example.com/v3/clusters/${server.clusterId}`);
  });
});
