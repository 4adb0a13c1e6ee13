/** Consumers that have only HTTP: poll, commit, leave; and what an administrator asks. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Answer, ask, jsonInit, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let topic: string;
let group: string;
let made = 0;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());
beforeEach(async () => {
  made++;
  topic = `g${made}`;
  group = `readers-${made}`;
  await server.log.createTopic({ name: topic, partitions: 4 });
});

const post = (url: string, body: unknown) => ask(url, jsonInit(body));

async function produce(from: number, count: number): Promise<void> {
  for (let i = from; i < from + count; i++) {
    const response = await post(`${server.url}/topics/${topic}/partitions/${i % 4}/records`, {
      value: { type: "STRING", data: `v${i}` },
    });
    expect(response.status).toBe(200);
  }
}

async function call(what: string, body: unknown, of = group): Promise<Answer> {
  const { status, body: answer } = await post(`${server.url}/v1/groups/${of}/${what}`, body);
  expect([status, JSON.stringify(answer)]).toEqual([200, expect.any(String)]);
  return answer;
}

const join = (more: object = {}) => call("poll", { topics: [topic], auto_offset_reset: "earliest", ...more });

function values(answer: Answer): string[] {
  return answer.records.map((record: Answer) => record.value.data).sort();
}

const all = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `v${from + i}`).sort();

test("a consumer joins with its first poll, reads, and is committed by its next", async () => {
  await produce(0, 12);
  const first = await join();
  expect(values(first)).toEqual(all(0, 12));
  expect(first).toMatchObject({ rebalanced: true, committed: 0, assignment: [{ topic, partitions: [0, 1, 2, 3] }] });
  const second = await call("poll", { cursor: first.cursor });
  expect(second).toMatchObject({ records: [], committed: 4, not_committed: [], rebalanced: false });
  const { body } = await ask(`${server.url}/v1/groups/${group}/offsets`);
  expect(body.offsets.map(({ partition, offset }: Answer) => [partition, offset])).toEqual([0, 1, 2, 3].map((p) => [p, 3]));
  await produce(12, 4);
  expect(values(await call("poll", { cursor: second.cursor, timeout_ms: 2000 }))).toEqual(all(12, 4));
});

test("a reply that was lost is given again, for nothing of it was committed", async () => {
  await produce(0, 8);
  const first = await join({ max_records: 3 });
  expect(first.records).toHaveLength(3);
  const lost = await call("poll", { cursor: first.cursor, max_records: 3 });
  const again = await call("poll", { cursor: first.cursor, max_records: 3 });
  expect(values(again)).toEqual(values(lost));
  const rest = await call("poll", { cursor: again.cursor });
  expect([...values(first), ...values(again), ...values(rest)].sort()).toEqual(all(0, 8));
});

test("two consumers share the partitions, and one that leaves gives its own back at once", async () => {
  await produce(0, 8);
  let one = await join({ max_records: 0 });
  let two = await call("poll", { topics: [topic], auto_offset_reset: "earliest", max_records: 0 });
  for (let i = 0; i < 6; i++) {
    one = await call("poll", { cursor: one.cursor, max_records: 0 });
    two = await call("poll", { cursor: two.cursor, max_records: 0 });
  }
  const count = (answer: Answer): number => answer.positions.length;
  expect([count(one), count(two)]).toEqual([2, 2]);
  const read = await call("poll", { cursor: one.cursor });
  expect(read.records).toHaveLength(4);
  expect(await call("leave", { cursor: read.cursor })).toMatchObject({ committed: 2 });
  for (let i = 0; i < 3; i++) two = await call("poll", { cursor: two.cursor, max_records: 0 });
  expect(count(two)).toBe(4);
  // What the other had committed is not read again.
  expect((await call("poll", { cursor: two.cursor })).records).toHaveLength(4);
});

test("a member that was dropped joins again with its old cursor; what it had not committed comes again", async () => {
  await produce(0, 4);
  const first = await join();
  expect(first.records).toHaveLength(4);
  await call("leave", { cursor: first.cursor, commit: false });
  const again = await call("poll", { cursor: first.cursor, auto_offset_reset: "earliest" });
  expect(values(again)).toEqual(all(0, 4));
  expect(again.not_committed).toHaveLength(4);
});

test("seek, pause and resume move a consumer, and explicit commits are its own", async () => {
  await produce(0, 8);
  const first = await join();
  const sought = await call("poll", {
    cursor: first.cursor,
    commit: false,
    pause: [1, 2, 3].map((partition) => ({ topic, partition })),
    seek: [{ topic, partition: 0, offset: "earliest" }],
  });
  expect(values(sought)).toEqual(["v0", "v4"]);
  const resumed = await call("poll", {
    cursor: sought.cursor,
    commit: false,
    resume: [{ topic, partition: 1 }],
    seek: [{ topic, partition: 1, offset: 1 }],
  });
  expect(values(resumed)).toEqual(["v5"]);
  const committed = await call("commit", { cursor: resumed.cursor, offsets: [{ topic, partition: 0, offset: 1 }] });
  expect(committed).toMatchObject({ committed: 1, not_committed: [] });
  const { body } = await ask(`${server.url}/v1/groups/${group}/offsets`);
  expect(body.offsets.map(({ partition, offset }: Answer) => [partition, offset])).toEqual([[0, 1]]);
});

test("an offset that is gone is set as asked, and said", async () => {
  await produce(0, 8);
  const first = await join({ max_records: 0 });
  await server.log.deleteRecords(topic, 0, 2);
  const next = await call("poll", { cursor: first.cursor, auto_offset_reset: "earliest" });
  expect(next.resets).toEqual([{ topic, partition: 0, from: 0, to: 2 }]);
  const { status, body } = await post(`${server.url}/v1/groups/none-${group}/poll`, {
    topics: [topic],
    auto_offset_reset: "none",
  });
  expect([status, body.code, body.field]).toEqual([416, "offset_out_of_range", "auto_offset_reset"]);
});

describe("an administrator", () => {
  test("lists, describes, sets offsets of a group without members, and deletes it", async () => {
    await produce(0, 4);
    const first = await join();
    const described = (await ask(`${server.url}/v1/groups/${group}`)).body;
    expect(described).toMatchObject({ group, type: "consumer", members: [{ member_id: first.member_id }] });
    const busy = await post(`${server.url}/v1/groups/${group}/offsets`, { offsets: [{ topic, partition: 0, offset: 0 }] });
    expect([busy.status, busy.body.code]).toEqual([404, "unknown_member"]);
    expect((await ask(`${server.url}/v1/groups/${group}`, { method: "DELETE" })).status).toBe(409);
    await call("leave", { cursor: first.cursor });
    expect(await call("offsets", { offsets: [{ topic, partition: 0, offset: 0 }] })).toEqual({
      offsets: [{ topic, partition: 0 }],
    });
    const { body } = await ask(`${server.url}/v1/groups`);
    expect(body.groups).toContainEqual({ group, type: "consumer", state: "Empty", protocol_type: "consumer" });
    expect(await call("offsets:delete", { partitions: [{ topic, partition: 1 }] })).toEqual({
      offsets: [{ topic, partition: 1 }],
    });
    expect((await ask(`${server.url}/v1/groups/${group}/offsets`)).body.offsets.map((one: Answer) => one.offset)).toEqual([
      0, 1, 1,
    ]);
    expect((await ask(`${server.url}/v1/groups/${group}`, { method: "DELETE" })).status).toBe(204);
    expect((await ask(`${server.url}/v1/groups/${group}`)).status).toBe(404);
  });
});

test.each([
  [{}, "topics"],
  [{ cursor: "nonsense" }, "cursor"],
  [{ cursor: Buffer.from('{"v":9}').toString("base64url") }, "cursor"],
  [{ topics: ["g1"], max_bytes: -1 }, "max_bytes"],
  [{ topics: ["g1"], timeout_ms: 60_000 }, "timeout_ms"],
  [{ topics: ["g1"], seek: [{ topic: "other", partition: 0, offset: 0 }] }, "seek[0]"],
  [{ topics: ["g1"], surprise: 1 }, "surprise"],
])("a poll of %j is refused, naming the field", async (body, field) => {
  const answer = await post(`${server.url}/v1/groups/bad/poll`, body);
  expect([answer.status, answer.body.field]).toEqual([400, field]);
});

test("text that is not Unicode is refused by its place, in a body and in a cursor, and no 500", async () => {
  const url = `${server.url}/v1/groups/odd/poll`;
  const first = await post(url, '{"topics":["g1","\\ud800"]}');
  expect([first.status, first.body.field]).toEqual([400, "topics[1]"]);
  const second = await post(url, '{"topics":["g1"],"instance_id":"a\\udc00b"}');
  expect([second.status, second.body.field, second.body.message]).toEqual([
    400,
    "instance_id",
    'instance_id: must be Unicode; it is "a\\udc00b"',
  ]);
  const cursor = Buffer.from('{"v":1,"g":"odd","m":"\\ud800","e":0,"t":["g1"],"a":"latest","p":[]}').toString("base64url");
  const third = await post(url, { cursor });
  expect([third.status, third.body.field]).toEqual([400, "cursor"]);
  expect(server.internalErrors).toEqual([]);
});

test("the cursor of another group is refused", async () => {
  const { cursor } = await join({ max_records: 0 });
  const answer = await post(`${server.url}/v1/groups/other/poll`, { cursor });
  expect([answer.status, answer.body.message]).toEqual([400, "the cursor is of another group"]);
});
