/** Queues over HTTP: a real server over a log over memory, with a clock that the test moves. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { type Answer, ask, batch, createTopic, jsonInit, readAll, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let aheadMs = 0;
const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
beforeAll(async () => {
  server = await startTestServer({
    clock: { nowMs: clock.nowMs, monotonicMs: () => systemClock.monotonicMs(), sleep: (ms, s) => systemClock.sleep(ms, s) },
  });
});
afterAll(() => server.close());

let made = 0;

/** A queue of its own, with these messages. */
async function queue(values: readonly string[], partitions = 1) {
  const name = `queue-${made++}`;
  await createTopic(server, name, partitions);
  if (values.length > 0) await server.log.append({ topic: name, partition: 0, batches: batch(values) });
  const url = `${server.url}/v1/queues/${name}`;
  return {
    name,
    url,
    receive: (more: object = {}) => ask(`${url}/receive`, jsonInit({ topics: [name], ...more })),
    settle: (how: string, messages: readonly Answer[], more: object = {}) =>
      ask(`${url}/${how}`, jsonInit({ receipts: messages.map(({ receipt }) => receipt), ...more })),
    configure: (configs: Record<string, string>) => server.groups.alterConfigs(name, configs),
    stats: async () => (await ask(url)).body,
  };
}

const shown = (body: Answer): unknown[] => body.messages.map((one: Answer) => [one.value.data, one.delivery_count]);

describe("a queue over HTTP", () => {
  test("gives messages to one worker each, from the beginning, and not again once they are acknowledged", async () => {
    const q = await queue(["a", "b", "c"]);
    const first = (await q.receive({ max_messages: 2 })).body;
    expect(shown(first)).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    expect(first).toMatchObject({
      visibility_timeout_ms: 30_000,
      errors: [],
      messages: [{ topic: q.name, partition: 0, offset: 0 }, {}],
    });
    const second = (await q.receive()).body;
    expect(shown(second)).toEqual([["c", 1]]);
    expect((await q.settle("ack", first.messages)).body).toMatchObject({ settled: 2 });
    expect((await q.settle("ack", first.messages)).body).toMatchObject({ settled: 2 });
    expect(await q.stats()).toMatchObject({ depth: 0, in_flight: 1, oldest_age_ms: expect.any(Number) });
    aheadMs += 30_000;
    expect(shown((await q.receive()).body)).toEqual([["c", 2]]);
    expect((await q.settle("ack", second.messages)).body).toMatchObject({
      settled: 0,
      results: [{ receipt: second.messages[0].receipt, code: "invalid_record_state", outcome: "not_applied" }],
    });
  });

  test("answers each receipt by itself", async () => {
    const q = await queue(["a", "b", "c", "d"]);
    const { messages } = (await q.receive()).body;
    await q.settle("release", [messages[1]]);
    const mixed = (await q.settle("ack", messages)).body;
    expect(mixed.settled).toBe(3);
    expect(mixed.results.map(({ code }: Answer) => code)).toEqual([undefined, "invalid_record_state", undefined, undefined]);
    expect(shown((await q.receive()).body)).toEqual([["b", 2]]);
  });

  test("waits for a first message, and ends the wait with the one that is released", async () => {
    const q = await queue(["a"]);
    const { messages } = (await q.receive()).body;
    const waiting = q.receive({ wait_ms: 10_000 });
    await q.settle("release", messages);
    expect(shown((await waiting).body)).toEqual([["a", 2]]);
    const empty = await queue([]);
    const first = empty.receive({ wait_ms: 10_000 });
    await server.log.append({ topic: empty.name, partition: 0, batches: batch(["x"]) });
    expect(shown((await first).body)).toEqual([["x", 1]]);
  });

  test("keeps a message for as long as it is extended", async () => {
    const q = await queue(["a"]);
    const { messages } = (await q.receive({ visibility_timeout_ms: 15_000 })).body;
    for (let i = 0; i < 3; i++) {
      aheadMs += 14_000;
      expect((await q.settle("extend", messages, { visibility_timeout_ms: 15_000 })).body).toMatchObject({ settled: 1 });
    }
    expect(shown((await q.receive()).body)).toEqual([]);
    aheadMs += 15_000;
    expect((await q.settle("extend", messages)).body).toMatchObject({ settled: 0 });
  });

  test("puts what is rejected or delivered too often into the dead-letter topic, and gets it back from there", async () => {
    const q = await queue(["bad", "poison"]);
    const dead = `${q.name}.dead`;
    await q.configure({ "errors.deadletterqueue.topic.name": dead, "share.delivery.count.limit": "2" });
    const { messages } = (await q.receive()).body;
    await q.settle("reject", [messages[0]]);
    await q.settle("release", [messages[1]]);
    await q.settle("release", (await q.receive()).body.messages);
    await q.receive();
    const letters = await readAll(server, dead);
    const reasons = letters.map(({ value, headers }) => [
      value.data,
      Buffer.from(headers.find(({ name }: Answer) => name === "brokerless-dlq-reason").value, "base64").toString(),
    ]);
    expect(reasons).toEqual([
      ["bad", "rejected"],
      ["poison", "delivery-limit"],
    ]);
    expect(await q.stats()).toMatchObject({ depth: 0, dead_letters: 2, dead_letter_topic: dead });
    expect((await ask(`${q.url}/redrive`, jsonInit({}))).body).toEqual({ redriven: 2, skipped: 0, failed: [] });
    expect((await ask(`${q.url}/redrive`, jsonInit({}))).body).toMatchObject({ redriven: 0 });
    const back = (await q.receive()).body;
    expect(shown(back)).toEqual([
      ["bad", 1],
      ["poison", 1],
    ]);
    expect(back.messages[0].headers).toEqual([]);
  });

  test("empties the first partitions first where that is asked for", async () => {
    const q = await queue([], 3);
    for (const partition of [2, 1, 0]) {
      await server.log.append({ topic: q.name, partition, batches: batch([`p${partition}`, `p${partition}`]) });
    }
    const seen = shown((await q.receive({ order: "priority", max_messages: 5 })).body).map(([value]: Answer) => value);
    expect(seen).toEqual(["p0", "p0", "p1", "p1", "p2"]);
  });

  test("shows values as they are asked for, and keeps nothing locked where they cannot be shown so", async () => {
    const q = await queue(['{"n":1}']);
    expect((await q.receive({ format: "json" })).body.messages[0].value).toEqual({ type: "JSON", data: { n: 1 } });
    const bad = await queue(["no json"]);
    expect((await bad.receive({ format: "json" })).status).toBe(406);
    expect(shown((await bad.receive()).body)).toEqual([["no json", 2]]);
  });

  test("says what is wrong with a request, with the field and its limit", async () => {
    const q = await queue([]);
    const wrong = async (how: string, body: object) => (await ask(`${q.url}/${how}`, jsonInit(body))).body;
    expect(await wrong("receive", {})).toMatchObject({ code: "invalid_request", field: "topics" });
    expect(await wrong("receive", { topics: ["nowhere"] })).toMatchObject({ code: "unknown_topic" });
    expect(await wrong("receive", { topics: [q.name], visibility_timeout_ms: 1 })).toMatchObject({
      field: "visibility_timeout_ms",
    });
    expect(await wrong("receive", { topics: [q.name], wait_ms: 20_001 })).toMatchObject({ field: "wait_ms" });
    expect(await wrong("ack", { receipts: ["x"] })).toMatchObject({ code: "invalid_request", field: "receipts[0]" });
    expect(await wrong("redrive", {})).toMatchObject({ field: "errors.deadletterqueue.topic.name" });
    expect((await ask(`${server.url}/v1/queues/nowhere`)).body).toMatchObject({ code: "unknown_group" });
    await server.groups.commit({ group: "consumers", offsets: [{ topic: q.name, partition: 0, offset: 0 }] });
    const other = await ask(`${server.url}/v1/queues/consumers/receive`, jsonInit({ topics: [q.name] }));
    expect(other.body).toMatchObject({ code: "unknown_group", message: expect.stringContaining("classic group") });
  });

  test("gives what it took for somebody who hung up to the next one, and nothing is wrong with that", async () => {
    const q = await queue([]);
    const gone = new AbortController();
    const waiting = fetch(`${q.url}/receive`, {
      ...jsonInit({ topics: [q.name], wait_ms: 10_000 }),
      signal: gone.signal,
    });
    await expect.poll(() => q.stats().then(({ group }) => group)).toBe(q.name);
    gone.abort();
    await expect(waiting).rejects.toThrow();
    // What is given before the server hears of it is theirs until its time is over.
    await systemClock.sleep(300);
    await server.log.append({ topic: q.name, partition: 0, batches: batch(["a"]) });
    await expect.poll(async () => shown((await q.receive()).body).map((one: Answer) => one[0]), { interval: 20 }).toEqual(["a"]);
    expect(server.internalErrors).toEqual([]);
  });

  test("is listed with all others, and in the metrics", async () => {
    const q = await queue(["a", "b", "c"], 2);
    await q.configure({ "errors.deadletterqueue.topic.name": `${q.name}.dead` });
    const { messages } = (await q.receive({ max_messages: 2 })).body;
    await q.settle("reject", messages.slice(0, 1));
    const { queues } = (await ask(`${server.url}/v1/queues`)).body;
    expect(queues.filter((one: Answer) => one.group === q.name)).toEqual([
      {
        group: q.name,
        topic: q.name,
        depth: 1,
        in_flight: 1,
        parked: 0,
        dying: 0,
        dead_letters: 1,
        oldest_age_ms: expect.any(Number),
        partitions: 2,
      },
    ]);
    const { body: text } = await ask(`${server.url}/metrics`);
    const labels = `{group="${q.name}",topic="${q.name}",partition="0"}`;
    expect(text).toContain(`brokerless_queue_depth${labels} 1\n`);
    expect(text).toContain(`brokerless_queue_in_flight${labels} 1\n`);
    expect(text).toContain(`# TYPE brokerless_queue_dead_letters_total counter\n`);
    expect(text).toContain(`brokerless_queue_dead_letters_total${labels} 1\n`);
    expect(text).toMatch(new RegExp(`brokerless_queue_oldest_seconds${labels.replace(/[{}]/g, "\\$&")} \\d`));
  });

  test("is served by any process: what one gave out, another settles", async () => {
    const q = await queue(["a"]);
    const init = jsonInit({ topics: [q.name] });
    const { messages } = (await (await server.lambda(`/v1/queues/${q.name}/receive`, init)).json()) as Answer;
    expect((await q.settle("ack", messages)).body).toMatchObject({ settled: 1 });
  });
});
