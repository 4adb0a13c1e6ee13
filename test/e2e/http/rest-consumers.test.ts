/** Consumers of Confluent's REST API v2: their life, their groups, and what is left when an answer or a consumer is lost. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TestClock } from "../../unit/log/support.ts";
import { type Answer, ask, jsonInit, startTestServer, type TestServer } from "./harness.ts";

const V2 = "application/vnd.kafka.v2+json";
const JSON_V2 = "application/vnd.kafka.json.v2+json";
const BINARY_V2 = "application/vnd.kafka.binary.v2+json";

const clock = new TestClock();
let server: TestServer;
/** Another process over the same storage. */
let beside: TestServer;
let topic: string;
let group: string;
let made = 0;

beforeAll(async () => {
  server = await startTestServer({ clock });
  beside = await startTestServer({ clock, storage: server.storage });
});
afterAll(async () => {
  await beside.close();
  await server.close();
});
beforeEach(async () => {
  topic = `t${++made}`;
  group = `g${made}`;
  await server.log.createTopic({ name: topic, partitions: 4 });
});

const v2 = (method: string, body?: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method,
  headers: { "content-type": V2, ...headers },
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
});

async function produce(values: readonly unknown[]): Promise<void> {
  const records = values.map((value, i) => ({ value, partition: i % 4 }));
  const { status } = await ask(`${server.url}/topics/${topic}`, jsonInit({ records }, { headers: { "content-type": JSON_V2 } }));
  expect(status).toBe(200);
}

/** A consumer: its path, and the calls of it. */
class RestConsumer {
  at: string;
  constructor(at: string) {
    this.at = at;
  }
  call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return ask(this.at + path, v2(method, body, headers));
  }
  async records(query = "?timeout=0", headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await ask(`${this.at}/records${query}`, { headers });
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([200, expect.any(String)]);
    return answer;
  }
  async values(query?: string, headers?: Record<string, string>): Promise<unknown[]> {
    return (await this.records(query, headers)).body.map((record: Answer) => record.value).sort();
  }
  async partitions(): Promise<number[]> {
    const { body } = await this.call("GET", "/assignments");
    return body.partitions.map(({ partition }: Answer) => partition).sort();
  }
  /** The same, served by another process. */
  on(other: TestServer): RestConsumer {
    return new RestConsumer(this.at.replace(server.url, other.url));
  }
}

async function create(more: object = {}): Promise<RestConsumer> {
  const settings = { format: "json", "auto.offset.reset": "earliest", ...more };
  const { status, body } = await ask(`${server.url}/consumers/${group}`, v2("POST", settings));
  expect([status, body]).toEqual([200, { instance_id: expect.any(String), base_uri: expect.any(String) }]);
  return new RestConsumer(body.base_uri);
}

async function subscribed(more: object = {}): Promise<RestConsumer> {
  const consumer = await create(more);
  expect((await consumer.call("POST", "/subscription", { topics: [topic] })).status).toBe(204);
  return consumer;
}

async function committedOffsets(): Promise<number> {
  const found = await server.groups.fetchOffsets({ group });
  return found.reduce((sum, { offset }) => sum + offset, 0);
}

const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe("a consumer", () => {
  test("subscribes, reads in its format, is committed by its next read, and is deleted", async () => {
    await produce(numbers(10, 8));
    const consumer = await subscribed({ name: "me" });
    expect(consumer.at).toBe(`${server.url}/consumers/${group}/instances/me`);
    expect((await consumer.call("GET", "/subscription")).body).toEqual({ topics: [topic] });
    const first = await consumer.records("?timeout=0", { accept: JSON_V2 });
    expect(first.headers.get("content-type")).toBe(JSON_V2);
    expect(first.body[0]).toEqual({ topic, key: null, value: 10, partition: 0, offset: 0 });
    expect(first.body).toHaveLength(8);
    expect(await committedOffsets()).toBe(0);
    expect(await consumer.partitions()).toEqual([0, 1, 2, 3]);
    expect(await consumer.values()).toEqual([]);
    expect(await committedOffsets()).toBe(8);
    expect((await consumer.call("DELETE", "")).status).toBe(204);
    expect((await consumer.call("GET", "/records")).body).toMatchObject({ error_code: 40403, code: "unknown_member" });
    expect((await server.groups.describe(group)).members).toEqual([]);
  });

  test("that is deleted commits what it was given", async () => {
    await produce(numbers(10, 8));
    const consumer = await subscribed();
    expect(await consumer.values()).toEqual(numbers(10, 8));
    await consumer.call("DELETE", "");
    expect(await committedOffsets()).toBe(8);
  });

  test("with binary values is given base64, and one that does not commit by itself commits what it is told", async () => {
    await produce([1, 2, 3, 4]);
    const consumer = await subscribed({ format: "binary", "auto.commit.enable": "false" });
    const { body } = await consumer.records("?timeout=0", { accept: BINARY_V2 });
    expect(body.map(({ value }: Answer) => Buffer.from(value, "base64").toString()).sort()).toEqual(["1", "2", "3", "4"]);
    await consumer.records();
    expect(await committedOffsets()).toBe(0);
    const one = await consumer.call("POST", "/offsets", { offsets: [{ topic, partition: 2, offset: 0, metadata: "m" }] });
    // The last that is done with goes in, the next to be read comes out.
    expect(one.body).toEqual({ offsets: [{ topic, partition: 2, offset: 1, metadata: "m" }] });
    expect((await consumer.call("GET", "/offsets")).body).toEqual(one.body);
    expect((await consumer.call("POST", "/offsets")).body.offsets.map(({ partition }: Answer) => partition).sort()).toEqual([
      0, 1, 3,
    ]);
    expect(await committedOffsets()).toBe(4);
  });

  test("reads on where it is told, at an offset or an end", async () => {
    await produce(numbers(10, 8));
    const consumer = await create();
    const place = { topic, partition: 1 };
    await consumer.call("POST", "/assignments", { partitions: [place] });
    expect(await consumer.values()).toEqual([11, 15]);
    expect((await consumer.call("POST", "/positions", { offsets: [{ ...place, offset: 1 }] })).status).toBe(204);
    expect(await consumer.values()).toEqual([15]);
    expect((await consumer.call("POST", "/positions/beginning", { partitions: [place] })).status).toBe(204);
    expect(await consumer.values()).toEqual([11, 15]);
    await consumer.call("POST", "/positions/beginning", { partitions: [place] });
    expect((await consumer.call("POST", "/positions/end", { partitions: [place] })).status).toBe(204);
    expect(await consumer.values()).toEqual([]);
  });

  test("with assigned partitions is no member of its group, and commits while that has none", async () => {
    await produce(numbers(10, 8));
    const consumer = await create();
    expect((await consumer.call("POST", "/assignments", { partitions: [{ topic, partition: 0 }] })).status).toBe(204);
    expect(await consumer.values()).toEqual([10, 14]);
    await consumer.records();
    expect(await committedOffsets()).toBe(2);
    expect((await server.groups.describe(group)).members).toEqual([]);
    await subscribed().then((member) => member.records());
    await produce(numbers(20, 4));
    const refused = await consumer.records();
    expect(refused.body.map(({ value }: Answer) => value)).toEqual([20]);
    expect((await consumer.records()).headers.get("kafka-consumer-not-committed")).toBe("1");
  });

  test("subscribes to a pattern", async () => {
    await produce(numbers(10, 4));
    const consumer = await create();
    expect((await consumer.call("POST", "/subscription", { topic_pattern: `${topic}|nowhere.*` })).status).toBe(204);
    expect(await consumer.values()).toEqual(numbers(10, 4));
    expect((await consumer.call("GET", "/subscription")).body).toEqual({ topics: [topic], topic_pattern: `${topic}|nowhere.*` });
    expect((await consumer.call("DELETE", "/subscription")).status).toBe(204);
    expect(await committedOffsets()).toBe(4);
    expect((await consumer.call("POST", "/subscription", { topics: [topic] })).status).toBe(204);
    expect(await consumer.values()).toEqual([]);
  });

  test("stops before a value that is no JSON, and says so when it is next", async () => {
    await produce([1]);
    await ask(`${server.url}/topics/${topic}/partitions/0`, jsonInit({ records: [{ value: "no json {" }] }));
    const consumer = await create();
    await consumer.call("POST", "/assignments", { partitions: [{ topic, partition: 0 }] });
    expect(await consumer.values()).toEqual([1]);
    const failed = await consumer.call("GET", "/records?timeout=0");
    expect([failed.status, failed.body.message]).toEqual([expect.any(Number), expect.stringContaining("JSON")]);
    expect(failed.status).toBeGreaterThanOrEqual(400);
    await consumer.call("POST", "/positions", { offsets: [{ topic, partition: 0, offset: 2 }] });
    expect(await consumer.values()).toEqual([]);
  });
});

describe("what is wrong is told by Confluent's codes:", () => {
  const codeOf = async (answer: Promise<Answer>): Promise<[number, number]> => {
    const { status, body } = await answer;
    return [status, body.error_code];
  };

  test("a name that is taken, a format and a reset that are not known", async () => {
    await create({ name: "me" });
    const post = (body: unknown) => codeOf(ask(`${server.url}/consumers/${group}`, v2("POST", body)));
    expect(await post({ name: "me" })).toEqual([409, 40902]);
    expect(await post({ format: "avro" })).toEqual([422, 42204]);
    expect(await post({ "auto.offset.reset": "newest" })).toEqual([422, 42204]);
    expect(await post({ "fetch.min.bytes": "many" })).toEqual([422, 42204]);
  });

  test("topics, partitions and consumers that are not there", async () => {
    const consumer = await create();
    const assign = (place: object) => codeOf(consumer.call("POST", "/assignments", { partitions: [place] }));
    expect(await assign({ topic: "nowhere", partition: 0 })).toEqual([404, 40401]);
    expect(await assign({ topic, partition: 9 })).toEqual([404, 40402]);
    expect(await codeOf(ask(`${server.url}/consumers/${group}/instances/nobody`, v2("DELETE")))).toEqual([404, 40403]);
  });

  test("another format than the consumer's", async () => {
    const consumer = await subscribed({ format: "binary" });
    const answer = ask(`${consumer.at}/records`, { headers: { accept: JSON_V2 } });
    expect(await codeOf(answer)).toEqual([406, 40601]);
  });

  test("a consumer that reads nothing, and one that is subscribed and assigned", async () => {
    const consumer = await create();
    expect(await codeOf(consumer.call("GET", "/records"))).toEqual([409, 40903]);
    expect(await codeOf(consumer.call("POST", "/positions", { offsets: [{ topic, partition: 0, offset: 1 }] }))).toEqual([
      409, 40903,
    ]);
    await consumer.call("POST", "/subscription", { topics: [topic] });
    expect(await codeOf(consumer.call("POST", "/assignments", { partitions: [{ topic, partition: 0 }] }))).toEqual([409, 40903]);
    expect(await codeOf(consumer.call("POST", "/subscription", { topic_pattern: "x" }))).toEqual([409, 40903]);
    expect((await consumer.call("POST", "/subscription", { topics: [topic], topic_pattern: "x" })).status).toBe(400);
  });
});

describe("consumers of one group", () => {
  test("share the partitions, and one that is deleted gives its own back at once", async () => {
    await produce(numbers(10, 8));
    const [one, two] = [await subscribed(), await subscribed()];
    const got: unknown[] = [];
    for (let i = 0; i < 4; i++) got.push(...(await one.values()), ...(await two.values()));
    expect(got.sort()).toEqual(numbers(10, 8));
    expect([(await one.partitions()).length, (await two.partitions()).length]).toEqual([2, 2]);
    await produce(numbers(20, 4));
    const mine = await one.values();
    expect(mine).toHaveLength(2);
    expect((await one.call("DELETE", "")).status).toBe(204);
    const rest = [...(await two.values()), ...(await two.values())];
    expect([...mine, ...rest].sort()).toEqual(numbers(20, 4));
    expect(await two.partitions()).toEqual([0, 1, 2, 3]);
  });

  test("are served by any process: each call by another", async () => {
    const one = await subscribed();
    const got: unknown[] = [];
    for (let i = 0; i < 6; i++) {
      await produce(numbers(10 * i, 4));
      got.push(...(await one.on(i % 2 === 0 ? beside : server).values()));
    }
    expect(got).toEqual(numbers(0, 6).flatMap((i) => numbers(10 * i, 4)));
    await one.on(beside).call("DELETE", "");
    expect(await committedOffsets()).toBe(24);
    expect((await one.call("GET", "/assignments")).status).toBe(404);
  });

  test("that die are gone 300 s after their last call, and what they did not answer for is given to others", async () => {
    await produce(numbers(10, 8));
    const dead = await subscribed();
    expect(await dead.values()).toEqual(numbers(10, 8));
    const other = await subscribed();
    expect(await other.values()).toEqual([]);
    clock.ms += 290_000;
    expect((await dead.call("GET", "/subscription")).status).toBe(200);
    clock.ms += 290_000;
    expect((await dead.call("GET", "/subscription")).status).toBe(200);
    clock.ms += 301_000;
    expect((await dead.call("GET", "/records")).body.error_code).toBe(40403);
    const heir = await subscribed();
    const again = [...(await heir.values()), ...(await heir.values())];
    expect(again.sort()).toEqual(numbers(10, 8));
  });

  test("that were silent for longer than the session join again, and miss nothing", async () => {
    await produce(numbers(10, 8));
    const consumer = await subscribed();
    expect(await consumer.values()).toEqual(numbers(10, 8));
    clock.ms += 100_000;
    await server.groups.describe(group);
    expect((await server.groups.describe(group)).members).toEqual([]);
    const again = await consumer.records();
    expect(again.body.map(({ value }: Answer) => value).sort()).toEqual(numbers(10, 8));
    expect(again.headers.get("kafka-consumer-not-committed")).toBe("4");
  });
});

describe("an answer that is lost", () => {
  test("is given again to who says which one it has, and nothing of it was committed", async () => {
    await produce(numbers(10, 8));
    const consumer = await subscribed();
    const lost = await consumer.records();
    expect(lost.headers.get("kafka-consumer-sequence")).toBe("1");
    const again = await consumer.records("?timeout=0", { "kafka-consumer-sequence": "0" });
    expect([again.body, again.headers.get("kafka-consumer-sequence")]).toEqual([lost.body, "1"]);
    expect(await committedOffsets()).toBe(0);
    expect(await consumer.values("?timeout=0", { "kafka-consumer-sequence": "1" })).toEqual([]);
    expect(await committedOffsets()).toBe(8);
    const late = await consumer.call("GET", "/records", undefined, { "kafka-consumer-sequence": "0" });
    expect(late.body).toMatchObject({ error_code: 40903, field: "Kafka-Consumer-Sequence" });
  });

  test("is not committed by a delete that says so", async () => {
    await produce(numbers(10, 8));
    const consumer = await subscribed();
    await consumer.records();
    expect((await consumer.call("DELETE", "", undefined, { "kafka-consumer-sequence": "0" })).status).toBe(204);
    expect(await committedOffsets()).toBe(0);
    expect(await (await subscribed()).values()).toEqual(numbers(10, 8));
  });

  test("for the caller went away while it waited, moves nothing", async () => {
    const ours = server;
    // Waits are real here.
    server = await startTestServer();
    try {
      await server.log.createTopic({ name: topic, partitions: 4 });
      const consumer = await subscribed();
      await consumer.records();
      const gone = new AbortController();
      const waiting = fetch(`${consumer.at}/records?timeout=20000`, { signal: gone.signal }).catch(() => "gone");
      await new Promise((resolve) => setTimeout(resolve, 100));
      gone.abort();
      expect(await waiting).toBe("gone");
      await expect.poll(() => server.metrics.text()).toMatch(/operation="readConsumerRecords",status="408"/);
      await produce(numbers(10, 4));
      expect(await consumer.values()).toEqual(numbers(10, 4));
    } finally {
      await server.close();
      server = ours;
    }
  });

  test("to one of two calls at once is a refusal, and the other has everything", async () => {
    await produce(numbers(10, 8));
    const consumer = await subscribed();
    await consumer.records("?timeout=0&max_bytes=1");
    const answers = await Promise.all(
      [consumer, consumer.on(beside)].map((one) => ask(`${one.at}/records?timeout=0&max_bytes=1000000`)),
    );
    const good = answers.filter(({ status }) => status === 200);
    const bad = answers.filter(({ status }) => status !== 200);
    expect(bad.every(({ body }) => body.error_code === 40903)).toBe(true);
    expect(good.length).toBeGreaterThan(0);
    const rest = await consumer.values();
    const got = good.flatMap(({ body }) => body.map(({ value }: Answer) => value));
    // A batch of two was given before; each of the others once.
    expect([...got, ...rest].sort()).toEqual([11, 12, 13, 15, 16, 17]);
  });
});

test("Lambda serves the same consumers", async () => {
  await produce(numbers(10, 4));
  const consumer = await subscribed();
  const path = new URL(consumer.at).pathname;
  const answer = await beside.lambda(`${path}/records?timeout=0`);
  expect(((await answer.json()) as Answer[]).map(({ value }) => value).sort()).toEqual(numbers(10, 4));
});
